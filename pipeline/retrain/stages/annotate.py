"""Add findings made since publication to a published version."""

from clinical.artefacts import Artefacts
from clinical.card import LearningCurve
from clinical.registry import LEARNING_CURVE, Registry
from stage import stage

from retrain.state import Annotated, Measured, Published


@stage(cached=False)
def annotate(
    published: Published, measured: Measured, artefacts: Artefacts, registry: Registry
) -> Annotated:
    """Write the learning curve to the registry, unless the version has one already.

    Raises VersionUnknown.
    """
    curve = LearningCurve.model_validate_json(artefacts.read(measured.curve))
    return Annotated(
        version=published.version,
        learning_curve=registry.annotate(published.version, LEARNING_CURVE, curve),
    )
