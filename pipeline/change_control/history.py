"""The history of changes, from the registry: ledger, verdicts, approvals, monitoring."""

from collections.abc import Iterator
from dataclasses import dataclass

from clinical.approvals import Approvals, Waiting
from clinical.artefacts import Bucket, read_sealed
from clinical.monitored import MONITORING, Monitoring
from clinical.registry import Approval, Champion, Registry
from clinical.verdict import Verdict

LEDGER = "models/ledger/"


@dataclass(frozen=True)
class Change:
    """A promotion, and its version's monitoring since.

    key: of its entry in the ledger.
    """

    key: str
    entry: Champion
    monitoring: Monitoring | None

    @property
    def verdict(self) -> Verdict:
        """Its verdict: from this run or, if it was promoted by name, from its publication."""
        return self.entry.promotion.verdict or self.entry.verdict

    @property
    def verdict_key(self) -> str:
        return "verdict" if self.entry.promotion.by_hand else "promotion.verdict"


@dataclass(frozen=True)
class Refused:
    """A candidate that required approval and was not approved."""

    waiting: Waiting
    decision: Approval

    @property
    def key(self) -> str:
        return f"approvals/{self.waiting.execution}/decision.json"


@dataclass(frozen=True)
class History:
    """All changes up to a promotion, newest first, and those that were not approved.

    lost: sequences of promotions that are missing from the ledger.
    """

    changes: tuple[Change, ...]
    refused: tuple[Refused, ...] = ()
    lost: tuple[int, ...] = ()

    @property
    def last(self) -> Change | None:
        return self.changes[0] if self.changes else None


def history(bucket: Bucket, until: int | None = None) -> History:
    """Read the changes of a registry up to a promotion, by its sequence; None for all.

    Raises ArtefactCorrupted if anything was altered.
    """
    entries = list(_entries(bucket, until))
    registry = Registry(bucket)
    versions = {entry.version for _, entry in entries}
    watched = {one: registry.annex(one, MONITORING, Monitoring) for one in versions}
    changes = [Change(key, entry, watched[entry.version]) for key, entry in entries]
    there = {one.entry.sequence for one in changes}
    return History(
        changes=tuple(changes),
        refused=tuple(_refused(Approvals(bucket))),
        lost=tuple(sorted(set(range(1, max(there, default=0))) - there)),
    )


def _entries(bucket: Bucket, until: int | None) -> Iterator[tuple[str, Champion]]:
    for key in reversed(bucket.keys(LEDGER, ".json")):
        if until is not None and int(key.removeprefix(LEDGER).removesuffix(".json")) > until:
            continue
        there = read_sealed(bucket, key, Champion, "promotion")
        if there:
            yield key, there[0]


def _refused(approvals: Approvals) -> Iterator[Refused]:
    """Yield rejected and expired candidates, newest first."""
    found = []
    for execution in approvals.executions():
        decision, waiting = approvals.decision(execution), approvals.asked(execution)
        if decision and waiting and decision.decision != "approved":
            found.append(Refused(waiting, decision))
    yield from sorted(found, key=lambda one: one.decision.decided_at, reverse=True)
