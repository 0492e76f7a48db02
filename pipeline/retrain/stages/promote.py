"""Promote a published version: a candidate that passed the gate, or a version by name."""

from clinical import telemetry
from clinical.approvals import Approvals
from clinical.errors import ChampionMoved, NotApproved, VersionUnknown
from clinical.params import Params
from clinical.reference import read_reference
from clinical.registry import Approval, Pointer, Promotion, Registry
from stage import Run, stage

from retrain.asked import PREVIOUS
from retrain.standing import is_newer, standing, unmoved
from retrain.state import Nominated, Promoted


@stage(cached=False)
def promote(
    nominated: Nominated, registry: Registry, approvals: Approvals, run: Run, params: Params
) -> Promoted:
    """Move the champion to a verified version, by compare-and-swap.

    A nomination that follows from a verdict is checked again against the current champion: it is
    not promoted over newer data, or if the version was withdrawn.
    Raises ChampionMoved if the champion is not the one that the nomination was judged against,
    NotApproved if it needs approval and has none, VersionUnknown, ArtefactMissing,
    ArtefactCorrupted, and ModelOfAnotherStudy if it could not answer current requests.
    """
    try:
        promoted = moved(nominated, registry, approvals, run, params)
    except ChampionMoved:
        if nominated.approval:  # then the execution ends, for what was approved is another change
            telemetry.count_execution("approval_void")
        raise
    telemetry.count_execution(promoted.decision)
    return promoted


def moved(
    nominated: Nominated, registry: Registry, approvals: Approvals, run: Run, params: Params
) -> Promoted:
    """Move the champion, unless it is the nominated version already or something prevents it."""
    pointer = registry.champion()
    champion = pointer.champion if pointer else None
    name = nominated.version
    if name == PREVIOUS:
        # A retry must not roll back its own promotion.
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
                f"{name} was judged against promotion {nominated.over}, but {sequence} serves now"
            )
    approval = approval_of(nominated, approvals, run) if nominated.approval else None
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
            approval=approval,
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


def approval_of(nominated: Nominated, approvals: Approvals, run: Run) -> Approval:
    """Return the approval of this execution's nomination; raises NotApproved if there is none.

    What resumed the execution decides nothing; only the stored decision counts.
    """
    asked, decided = approvals.asked(run.execution), approvals.decision(run.execution)
    of_this = asked and (asked.version, asked.over) == (nominated.version, nominated.over)
    if not of_this or decided is None or decided.decision != "approved":
        raise NotApproved(
            f"{nominated.version} needs an approval, which it does not have: "
            f"{' '.join(nominated.approval)}"
        )
    return decided


def previous_of(pointer: Pointer | None, registry: Registry) -> str:
    """Return the last version that served before the champion and was not withdrawn.

    Raises VersionUnknown if there is none.
    """
    if pointer is not None:
        champion = pointer.champion
        for entry in registry.ledger(champion, champion.sequence):
            if entry.version != champion.version and entry.version not in champion.withdrawn:
                return entry.version
    raise VersionUnknown(
        "there is no previous version that was not withdrawn; promote a version by name"
    )
