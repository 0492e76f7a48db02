"""What serving says around a score, and knows from the training rows: `reference.json`.

The model's graph carries its digest, so that a graph and its reference are one version.
"""

from pydantic import ValidationError

from clinical.artefacts import Artefact, Bucket, read_verified
from clinical.errors import ArtefactCorrupted
from clinical.frozen import Frozen


class Combination(Frozen):
    """Values that the data set records together, and in how many training rows."""

    values: dict[str, str | int]
    training_rows: int


class Conformal(Frozen):
    """Half the width of the interval around a score, from residuals of rows left out of the fit."""

    coverage: float
    half_width: float
    residuals: int
    folds: int


class Reference(Frozen):
    """The recorded combinations, the interval, and the rows to explain a score against."""

    combinations: tuple[Combination, ...]
    interval: Conformal
    background: tuple[dict[str, str | int], ...]


def read_reference(bucket: Bucket, artefact: Artefact) -> Reference:
    """Read a reference; raises ArtefactMissing, ArtefactCorrupted."""
    body = read_verified(bucket, artefact)
    try:
        return Reference.model_validate_json(body)
    except ValidationError as error:
        raise ArtefactCorrupted(f"{artefact.key} is no reference of this code") from error
