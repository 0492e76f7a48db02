"""Requests as they were captured: put into a bucket, in the files that the monitor writes."""

import gzip
import itertools
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta

from clinical.artefacts import Bucket, sha256
from clinical.captured import Captured, new_ids
from clinical.captures import FOLDER, REQUESTS, Captures, Entry
from clinical.kinds import Value
from model.loader import Loaded


def answered(
    model: Loaded, patients: Sequence[Mapping[str, Value]], first: datetime, step: float = 60
) -> list[Captured]:
    """Have a model answer patients, so many seconds apart; those whom it refuses leave no trace."""
    asked = [
        {name: one.get(name) for name in model.params.features}
        for one in patients
        if model.unrecorded(one) is None
    ]
    return [
        Captured(
            prediction_id=prediction_id,
            predicted_at=first + timedelta(seconds=step * place),
            source="predict",
            model_version=model.version,
            features=features,
            score=score.score,
            low=score.low,
            high=score.high,
            coverage=model.reference.interval.coverage,
            averaged_over=score.averaged_over,
        )
        for place, (prediction_id, features, score) in enumerate(
            zip(new_ids(len(asked)), asked, model.predict(asked) if asked else (), strict=True)
        )
    ]


def capture(bucket: Bucket, captures: Iterable[Captured], name: str = REQUESTS) -> None:
    """Capture predictions, each under its day."""

    def day_of(one: Captured) -> date:
        return one.predicted_at.date()

    for day, of_day in itertools.groupby(sorted(captures, key=day_of), key=day_of):
        lines = [f"{one.line()}\n" for one in of_day]
        body = gzip.compress("".join(lines).encode(), mtime=0)
        key = f"{FOLDER}/{day}/{name}-{sha256(body)}.jsonl.gz"
        bucket.put(key, body)
        entry = Entry(key=key, sha256=sha256(body), predictions=len(lines))
        Captures(bucket).enter(day, {name: entry})
