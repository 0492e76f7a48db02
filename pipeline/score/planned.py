"""The plan that `split` made for a file, for the stages after it."""

from clinical.artefacts import Artefacts
from clinical.errors import DatasetUnreadable

from score.state import Details, Plan


def details_of(plan: Plan, artefacts: Artefacts) -> Details:
    """Read a plan's details; raises DatasetUnreadable if there are none."""
    if plan.details is None:
        raise DatasetUnreadable("there is no file to score")
    return Details.model_validate_json(artefacts.read(plan.details))
