"""Let a published version serve: the candidate that passed the gate, or one named by hand."""

from clinical import telemetry
from clinical.errors import ChampionMoved, VersionUnknown
from clinical.registry import Pointer, Promotion, Registry
from stage import Run, stage
from state import Nominated, Promoted

PREVIOUS = "previous"


@stage(cached=False)
def promote(nominated: Nominated, registry: Registry, run: Run) -> Promoted:
    """Move the champion to a version whose every file is whole, by compare-and-swap.

    Raises ChampionMoved where the champion is not the one that the nomination was judged against,
    VersionUnknown, ArtefactMissing, ArtefactCorrupted.
    """
    promoted = moved(nominated, registry, run)
    telemetry.count_execution(promoted.decision)
    return promoted


def moved(nominated: Nominated, registry: Registry, run: Run) -> Promoted:
    """Move the champion, unless it is the nominated version already."""
    pointer = registry.champion()
    champion = pointer.champion if pointer else None
    name = nominated.version
    if name == PREVIOUS:
        # A retry must not take its own promotion back.
        made = champion and champion.promotion.execution == run.execution
        name = champion.version if champion and made else previous_of(pointer)
    if champion and champion.version == name:  # a retry comes here too
        registry.enter(champion)
        return Promoted(
            decision="already_champion",
            version=name,
            previous=champion.previous,
            sequence=champion.sequence,
            verdict=nominated.verdict or champion.verdict,
        )
    sequence = champion.sequence if champion else 0
    if nominated.over is not None and nominated.over != sequence:
        raise ChampionMoved(
            f"{name} was judged against promotion {nominated.over}; {sequence} serves by now"
        )
    version = registry.verified(name)
    promoted = registry.promote(
        version,
        pointer,
        Promotion(
            who=nominated.who,
            why=nominated.why,
            execution=run.execution,
            verdict=nominated.verdict,
        ),
        run.now,
    )
    verdict = nominated.verdict or version.verdict
    return Promoted(
        decision="promoted" if verdict.beats_average else "promoted_with_warning",
        version=name,
        previous=promoted.previous,
        sequence=promoted.sequence,
        verdict=verdict,
    )


def previous_of(pointer: Pointer | None) -> str:
    """Name the version that served before the champion; raises VersionUnknown."""
    if pointer is None or pointer.champion.previous is None:
        raise VersionUnknown("no version served before the champion; name one to promote")
    return pointer.champion.previous
