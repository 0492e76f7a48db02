"""Captured predictions: one line per prediction, under `captures/` in the artefacts bucket.

captures/<date>/<name>-<digest>.jsonl.gz  predictions of a day (UTC), named after their digest
captures/<date>/manifest.json             which of these files count, with their digests
captures/ids/<digit>                      the day of every prediction whose id begins with it
captures/watermark.json                   the time up to which the API's log has been read

A line has the model's input and its answer. It cannot identify the patient, because the log line
that it comes from does not.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from clinical.ids import ID_BYTES, new_ids
from clinical.kinds import Value

__all__ = ["ID_BYTES", "Captured", "Source", "new_ids"]

type Source = Literal["predict", "batch", "compare", "score"]

# Made once, and without copies of what it writes, because a scored file may have a million rows.
_LINES = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True)


@dataclass(frozen=True, slots=True)
class Captured:
    """A prediction that the system made.

    source: the route, or `score` for a scored file. explained: whether an explanation was
    requested, as the site does for a prediction that it has already shown. features: the model's
    input as JSON values, by column. score, low, high: as served, in units of the target. coverage:
    of the interval from low to high. averaged_over: columns that were not known.
    """

    prediction_id: str
    predicted_at: datetime
    source: Source
    model_version: str
    features: dict[str, Value]
    score: float
    low: float
    high: float
    coverage: float
    averaged_over: tuple[str, ...] = ()
    explained: bool = False

    def line(self) -> str:
        """Return it as a line of JSON; equal predictions give equal lines."""
        said = {name: getattr(self, name) for name in self.__slots__}
        said["predicted_at"] = self.predicted_at.isoformat(timespec="milliseconds")
        return _LINES.encode(said)

    @classmethod
    def of_line(cls, line: str | bytes) -> "Captured":
        """Parse a line of a file whose digest was checked."""
        said = json.loads(line)
        said["predicted_at"] = datetime.fromisoformat(said["predicted_at"]).astimezone(UTC)
        said["averaged_over"] = tuple(said["averaged_over"])
        return cls(**said)
