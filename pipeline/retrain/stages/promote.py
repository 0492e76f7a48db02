"""Let a published version serve: the candidate that passed the gate, or one named by hand."""

from typing import Literal

from clinical import telemetry
from clinical.errors import ChampionMoved, VersionUnknown
from clinical.params import Params
from clinical.reference import read_reference
from clinical.registry import Champion, Pointer, Promotion, Registry, Withdrawal
from clinical.upload import superseded
from stage import Run, stage

from retrain.asked import PREVIOUS
from retrain.state import Nominated, Promoted


@stage(cached=False)
def promote(nominated: Nominated, registry: Registry, run: Run, params: Params) -> Promoted:
    """Move the champion to a version whose every file is whole, by compare-and-swap.

    A nomination that follows from a verdict is judged once more by the champion that serves now:
    data that are newer than its own, and what somebody withdrew, stand.
    Raises ChampionMoved where the champion is not the one that the nomination was judged against,
    VersionUnknown, ArtefactMissing, ArtefactCorrupted, and ModelOfAnotherStudy where requests as
    they are now could not be answered.
    """
    promoted = moved(nominated, registry, run, params)
    telemetry.count_execution(promoted.decision)
    return promoted


def moved(nominated: Nominated, registry: Registry, run: Run, params: Params) -> Promoted:
    """Move the champion, unless it is the nominated version already or something stands."""
    pointer = registry.champion()
    champion = pointer.champion if pointer else None
    name = nominated.version
    if name == PREVIOUS:
        # A retry must not take its own promotion back.
        made = champion and champion.promotion.execution == run.execution
        name = champion.version if champion and made else previous_of(pointer, registry)
    if champion and champion.version == name and not is_newer(nominated, champion):
        registry.enter(champion)  # a retry comes here too
        return unmoved("already_champion", "", name, champion, nominated)
    if nominated.over is not None:
        if ended := standing(nominated, champion, registry.withdrawn(pointer)):
            return ended
        sequence = champion.sequence if champion else 0
        if nominated.over != sequence:
            raise ChampionMoved(
                f"{name} was judged against promotion {nominated.over}; {sequence} serves by now"
            )
    version = registry.verified(name)
    read_reference(registry.bucket, version.reference).check_contract(params)
    promoted = registry.promote(
        version,
        pointer,
        Promotion(
            who=nominated.who,
            why=nominated.why,
            execution=run.execution,
            verdict=nominated.verdict,
            upload=nominated.upload,
        ),
        run.now,
    )
    verdict = nominated.verdict or version.verdict
    if champion and champion.version == name:  # now of newer data
        return unmoved("already_champion", "", name, promoted, nominated)
    return Promoted(
        decision="promoted" if verdict.beats_average else "promoted_with_warning",
        version=name,
        previous=promoted.previous,
        sequence=promoted.sequence,
        verdict=verdict,
    )


def is_newer(nominated: Nominated, champion: Champion) -> bool:
    """Whether newer data made the champion's own version: then they are what is no longer older."""
    before, now = champion.upload, nominated.upload
    return before is not None and now is not None and before.is_older_than(now)


def standing(
    nominated: Nominated, champion: Champion | None, withdrawn: dict[str, Withdrawal]
) -> Promoted | None:
    """Say what stands against a nomination, whatever its verdict."""
    name, taken_back = nominated.version, withdrawn.get(nominated.version)
    if taken_back:
        reason = (
            f"{name} was withdrawn by {taken_back.who} on {taken_back.withdrawn_at:%Y-%m-%d %H:%M} "
            f'UTC ("{taken_back.why}"); it comes back only by name: {{"promote": "{name}"}}.'
        )
        return unmoved("withdrawn", reason, name, champion, nominated)
    if champion is None or nominated.even_if_older:
        return None
    older = superseded(nominated.upload, by=champion.upload)
    return unmoved("superseded", older, name, champion, nominated) if older else None


def unmoved(
    decision: Literal["already_champion", "superseded", "withdrawn"],
    reason: str,
    name: str,
    champion: Champion | None,
    nominated: Nominated,
) -> Promoted:
    return Promoted(
        decision=decision,
        reason=reason,
        version=name,
        previous=champion.previous if champion else None,
        sequence=champion.sequence if champion else 0,
        verdict=nominated.verdict or (champion.verdict if champion else None),
    )


def previous_of(pointer: Pointer | None, registry: Registry) -> str:
    """Name the version that served last before the champion, past all that was withdrawn.

    Raises VersionUnknown where there is none.
    """
    if pointer is not None:
        champion = pointer.champion
        for entry in registry.ledger(champion, champion.sequence):
            if entry.version != champion.version and entry.version not in champion.withdrawn:
                return entry.version
    raise VersionUnknown(
        "no version served before the champion that was not withdrawn; name one to promote"
    )
