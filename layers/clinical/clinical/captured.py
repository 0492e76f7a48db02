"""What was predicted, as it is kept: one line a prediction, under `captures/` of the bucket.

captures/<date>/<name>-<digest>.jsonl.gz  predictions of a day (UTC), named by their bytes
captures/<date>/manifest.json             which of these files count, with their digests
captures/ids/<digit>                      the day of every prediction whose id begins so
captures/watermark.json                   up to when the API's log was read

A line says what the model was told and what it answered; who the patient is, it cannot say, for the
log line that it was taken from does not know.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from clinical.ids import ID_BYTES, new_ids
from clinical.kinds import Value

__all__ = ["ID_BYTES", "Captured", "Source", "new_ids"]

type Source = Literal["predict", "batch", "compare", "score"]

# Made once, and without copies of what it writes: a file may be scored that has a million rows.
_LINES = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True)


@dataclass(frozen=True, slots=True)
class Captured:
    """A prediction that was made.

    source: by which route, or `score` where a file was scored. explained: whether it was asked for
    with an explanation, as the site asks once more for what it has shown. features: of the model,
    under the columns' names, as JSON has them. score, low, high: as they were served, in units of
    the target. coverage: of the interval from low to high. averaged_over: columns that were not
    known.
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
        """Write it as a line of JSON, the same for the same prediction."""
        said = {name: getattr(self, name) for name in self.__slots__}
        said["predicted_at"] = self.predicted_at.isoformat(timespec="milliseconds")
        return _LINES.encode(said)

    @classmethod
    def of_line(cls, line: str | bytes) -> "Captured":
        """Read a line of a file whose digest was checked."""
        said = json.loads(line)
        said["predicted_at"] = datetime.fromisoformat(said["predicted_at"]).astimezone(UTC)
        said["averaged_over"] = tuple(said["averaged_over"])
        return cls(**said)
