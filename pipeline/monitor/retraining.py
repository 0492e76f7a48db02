"""Decide whether to retrain automatically: never twice for the same cause.

A cause is a promotion with an alarm, and with at least as many outcomes that its version was not
trained on as the stack's parameter RetrainAfterOutcomes requires. Decisions are recorded by
promotion; another retrain needs the same number of further outcomes again.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from clinical.frozen import Frozen
from clinical.monitored import Window
from clinical.registry import MAX_WHY, Champion
from wording import counted

ONLY_THE_ALARM = "Only the alarm is raised."

type Status = Literal["never_started", "running", "ended"]


class Retraining(Frozen):
    """A retrain that was decided on.

    sequence: of the promotion with the alarm. ordinal: the number of earlier retrains for it.
    further: outcomes that its version was not trained on. execution: the name under which it is
    started, with the input `asked`. by: the monitor's execution that decided it.
    """

    sequence: int
    ordinal: int
    version: str
    further: int
    execution: str
    asked: dict[str, Any]
    by: str
    decided_at: datetime


@dataclass(frozen=True)
class Earlier:
    """An earlier retrain, and the status of its execution."""

    decided: Retraining
    status: Status


@dataclass(frozen=True)
class Found:
    """The findings of a run of the monitor.

    execution: of the monitor. alarms: the reasons for alarms, in sentences; empty if there are
    none. further: outcomes that the champion was not trained on, but could be.
    """

    execution: str
    champion: Champion
    window: Window
    alarms: tuple[str, ...]
    further: int


@dataclass(frozen=True)
class Decision:
    """What to start, possibly again; or why nothing is started, in a sentence."""

    starts: Retraining | None = None
    why_not: str = ""


def decided(
    found: Found, after: int, earlier: Sequence[Earlier], taken: Collection[str], now: datetime
) -> Decision:
    """Decide whether a run starts a retrain.

    after: the number of further outcomes required; 0 for never. earlier: retrains for the
    champion's promotion. taken: execution names used for other causes.
    """
    if against := _turned_off(found, after):
        return Decision(why_not=against)
    for one in earlier:
        # A run that was killed, or whose start failed, left a retrain that was not started.
        if one.status == "never_started" or one.decided.by == found.execution:
            return Decision(starts=one.decided)
    upload = found.champion.upload
    if upload is None:
        return Decision(
            why_not=f"No retrain: an earlier release trained {found.champion.version}, and did not "
            f"record its upload. {ONLY_THE_ALARM}"
        )
    if against := _too_early(found, after, earlier):
        return Decision(why_not=f"{against} {ONLY_THE_ALARM}")
    return Decision(
        starts=Retraining(
            sequence=found.champion.sequence,
            ordinal=len(earlier),
            version=found.champion.version,
            further=found.further,
            execution=next(name for name in names(found.window) if name not in taken),
            asked={
                "raw": {"key": upload.key, "version_id": upload.version_id},
                "outcomes": found.window.until.isoformat(),
                # Unique to this decision, to distinguish its execution from others.
                "who": f"the monitor, in {found.execution}",
                "reason": " ".join(found.alarms)[:MAX_WHY],
            },
            by=found.execution,
            decided_at=now,
        )
    )


def _turned_off(found: Found, after: int) -> str | None:
    if not found.alarms:
        return "No retrain: there is no alarm."
    if not after:
        return (
            "No automatic retrain: the stack's parameter RetrainAfterOutcomes is 0. "
            f"{ONLY_THE_ALARM}"
        )
    return None


def _too_early(found: Found, after: int, earlier: Sequence[Earlier]) -> str | None:
    """Say so if an earlier retrain has not ended, or if there are too few outcomes since."""
    version = found.champion.version
    for one in earlier:
        if one.status == "running":
            return (
                f"No further retrain: {one.decided.execution} was started for the same promotion "
                f"of {version}, and is running or waiting for approval."
            )
    if earlier:
        last = max((one.decided for one in earlier), key=lambda one: one.ordinal)
        since = max(0, found.further - last.further)
        if since < after:
            return (
                f"No further retrain: {last.execution} was started for the same promotion of "
                f"{version}, and has ended. Another one needs {after:,} further outcomes; there "
                f"have been {since:,} since."
            )
    elif found.further < after:
        came = counted(found.further, "outcome")
        return (
            f"No retrain, because there are too few new data. New to {version}: {came}; required "
            f"by RetrainAfterOutcomes: {after:,}."
        )
    return None


def names(window: Window) -> Iterator[str]:
    """Yield possible names for an execution, the best first."""
    yield (first := f"drift-{window.date}")
    number = 2
    while True:
        yield f"{first}-{number}"
        number += 1


def says(started: Retraining) -> str:
    """Say what was started."""
    return (
        f"Retraining as {started.execution}, with {counted(started.further, 'outcome')} that "
        f"{started.version} was not trained on."
    )
