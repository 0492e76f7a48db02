"""Decide whether the model that serves is made anew by itself: never twice for the same cause.

A cause is a promotion that alarms, with as many outcomes that its version did not learn from as the
stack's parameter RetrainAfterOutcomes asks for. What was decided for a promotion is recorded, and
another retraining takes as many further outcomes again.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from clinical.frozen import Frozen
from clinical.monitored import Window
from clinical.registry import MAX_WHY, Champion
from wording import counted

ONLY_THE_ALARM = "Only the alarm goes out."

type Status = Literal["never_started", "running", "ended"]


class Retraining(Frozen):
    """A retraining that was decided on.

    sequence: of the promotion whose model alarmed. ordinal: how many there were of it before.
    further: outcomes that its version did not learn from. execution: under which name it is
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
    """A retraining that was decided before, and how its execution stands."""

    decided: Retraining
    status: Status


@dataclass(frozen=True)
class Found:
    """What a run of the monitor found.

    execution: of the monitor. alarms: why it alarms, in sentences; empty where it does not.
    further: outcomes that the champion did not learn from, and could.
    """

    execution: str
    champion: Champion
    window: Window
    alarms: tuple[str, ...]
    further: int


@dataclass(frozen=True)
class Decision:
    """What is to be started, again where it was before; or why nothing is, in a sentence."""

    starts: Retraining | None = None
    why_not: str = ""


def decided(
    found: Found, after: int, earlier: Sequence[Earlier], taken: Collection[str], now: datetime
) -> Decision:
    """Decide what a run comes to.

    after: how many further outcomes it takes; 0 for never. earlier: of the champion's promotion.
    taken: names of executions that other causes have.
    """
    if against := _turned_off(found, after):
        return Decision(why_not=against)
    for one in earlier:
        # A run that was killed, or whose start failed, has left a retraining that nobody began.
        if one.status == "never_started" or one.decided.by == found.execution:
            return Decision(starts=one.decided)
    upload = found.champion.upload
    if upload is None:
        return Decision(
            why_not=f"Nothing is retrained: an earlier release made {found.champion.version}, and "
            f"did not keep of which upload. {ONLY_THE_ALARM}"
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
                # Of this decision alone, so that its execution is told from those of others.
                "who": f"the monitor, in {found.execution}",
                "reason": " ".join(found.alarms)[:MAX_WHY],
            },
            by=found.execution,
            decided_at=now,
        )
    )


def _turned_off(found: Found, after: int) -> str | None:
    if not found.alarms:
        return "Nothing is retrained: nothing alarms."
    if not after:
        return (
            "Nothing is retrained by itself: the stack's parameter RetrainAfterOutcomes is 0. "
            f"{ONLY_THE_ALARM}"
        )
    return None


def _too_early(found: Found, after: int, earlier: Sequence[Earlier]) -> str | None:
    """Say so where a retraining before this one is not through, or too little came since."""
    version = found.champion.version
    for one in earlier:
        if one.status == "running":
            return (
                f"Nothing more is retrained: {one.decided.execution} was started for the same "
                f"promotion of {version}, and runs or waits for approval."
            )
    if earlier:
        last = max((one.decided for one in earlier), key=lambda one: one.ordinal)
        since = max(0, found.further - last.further)
        if since < after:
            return (
                f"Nothing more is retrained: {last.execution} was started for the same promotion "
                f"of {version}, and ended. Another takes {after:,} further outcomes; {since:,} "
                "came since."
            )
    elif found.further < after:
        came = "no outcome" if not found.further else counted(found.further, "outcome")
        return (
            f"Nothing is retrained, for there is too little new data: {came} could be trained on "
            f"that {version} did not learn from, and RetrainAfterOutcomes asks for {after:,}."
        )
    return None


def names(window: Window) -> Iterator[str]:
    """Give the names that an execution may have, the best first."""
    yield (first := f"drift-{window.date}")
    number = 2
    while True:
        yield f"{first}-{number}"
        number += 1


def says(started: Retraining) -> str:
    """Say what was started."""
    return (
        f"Retraining as {started.execution}: {counted(started.further, 'outcome')} can be trained "
        f"on that {started.version} did not learn from."
    )
