"""Markers of scored files, for the stage that captures their predictions.

A marker is sealed and written once: a summary that is written again does not change its time.
"""

from datetime import datetime

from clinical.artefacts import Artefact, Bucket, sealed_json, unsealed_json
from clinical.errors import ArtefactCorrupted, PreconditionFailed
from clinical.frozen import Frozen
from pydantic import ValidationError

MARKERS = "captures/scored/"  # in the artefacts bucket


class PartPredictions(Artefact):
    """The predictions of a part, at least one: where they are stored, and their number."""

    number: int
    predictions: int


class Marker(Frozen):
    """A scored file, and where its predictions are stored.

    scored_at: in UTC, to the millisecond. coverage: of the intervals. parts: those with any scored
    row, in order.
    """

    execution: str
    scored_at: datetime
    model_version: str
    coverage: float
    parts: tuple[PartPredictions, ...]


def leave(marker: Marker, bucket: Bucket) -> None:
    """Write a marker, unless its execution has one already."""
    try:
        bucket.put_new(f"{MARKERS}{marker.execution}.json", sealed_json(marker))
    except PreconditionFailed:
        return  # an earlier try wrote it, of the same parts, and it may be captured by now


def marker_in(key: str, body: bytes) -> Marker:
    """Parse a marker; raises ArtefactCorrupted if it was altered."""
    try:
        return Marker.model_validate(unsealed_json(key, body))
    except ValidationError as error:
        raise ArtefactCorrupted(f"{key} is not a marker of a scored file") from error
