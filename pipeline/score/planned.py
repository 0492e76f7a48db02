"""What `split` found out about a file, as the stages after it read it."""

from clinical.artefacts import Artefacts
from clinical.errors import DatasetUnreadable

from score.state import Details, Plan


def details_of(plan: Plan, artefacts: Artefacts) -> Details:
    """Read a plan's details; raises DatasetUnreadable where it plans nothing."""
    if plan.details is None:
        raise DatasetUnreadable("nothing was planned to be scored")
    return Details.model_validate_json(artefacts.read(plan.details))
