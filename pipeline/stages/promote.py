"""Publish the candidate as a version, and let it serve."""

from clinical.artefacts import Artefacts
from clinical.registry import COMBINATIONS, MODEL, Registry
from stage import Run, stage
from state import Combined, Evaluated, Promoted, Trained


@stage(cached=False)
def promote(  # noqa: PLR0913, PLR0917 - what it publishes, and where
    combined: Combined,
    trained: Trained,
    evaluated: Evaluated,
    artefacts: Artefacts,
    registry: Registry,
    run: Run,
) -> Promoted:
    """Write the version once, then move the champion to it by compare-and-swap.

    Raises ChampionMoved where another promotion came first; a retry then reads the pointer anew.
    A crash between the two leaves the old champion serving, and the version for the next try.
    """
    champion = registry.champion()
    version = registry.publish(
        {
            MODEL: artefacts.read(trained.onnx),
            "model.joblib": artefacts.read(trained.model),
            COMBINATIONS: artefacts.read(combined.combinations),
            "evaluation.json": artefacts.read(evaluated.report),
        },
        run.lineage.read(),
        run.execution,
        run.now,
    )
    previous = champion and champion.champion.version
    if previous == version.version:
        return Promoted(version=version.version, previous=previous, decision="already_champion")
    registry.promote(version, champion, run.now)
    return Promoted(version=version.version, previous=previous, decision="promoted")
