"""What says that a file was scored, to the stage that captures its predictions.

It is sealed, and written once: a summary that is written again after a fault moves no time.
"""

from datetime import datetime

from clinical.artefacts import Artefact, Bucket, sealed_json, unsealed_json
from clinical.errors import ArtefactCorrupted, PreconditionFailed
from clinical.frozen import Frozen
from pydantic import ValidationError

MARKERS = "captures/scored/"  # in the artefacts bucket


class PartPredictions(Artefact):
    """Where the predictions of a part lie, and how many they are: one at least."""

    number: int
    predictions: int


class Marker(Frozen):
    """A file that was scored, and where its predictions lie.

    scored_at: in UTC, to the millisecond. coverage: of the intervals. parts: those of which any row
    has a score, in their order.
    """

    execution: str
    scored_at: datetime
    model_version: str
    coverage: float
    parts: tuple[PartPredictions, ...]


def leave(marker: Marker, bucket: Bucket) -> None:
    """Write a marker, unless there is one of its execution."""
    try:
        bucket.put_new(f"{MARKERS}{marker.execution}.json", sealed_json(marker))
    except PreconditionFailed:
        return  # an earlier try wrote it, of the same parts, and it may be captured by now


def marker_in(key: str, body: bytes) -> Marker:
    """Read a marker; raises ArtefactCorrupted where it was altered since."""
    try:
        return Marker.model_validate(unsealed_json(key, body))
    except ValidationError as error:
        raise ArtefactCorrupted(f"{key} is no marker of a scored file") from error
