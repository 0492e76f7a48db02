"""A log as clouds have it, and a bucket that fails when a run is killed."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, override

from clinical.artefacts import Bucket, Stored
from clinical.captured import Captured
from clinical.errors import StorageUnavailable
from monitor.log import Log

ROUTES = {"predict": "POST /predict", "batch": "POST /predict/batch", "compare": "POST /compare"}


@dataclass
class Logs:
    """The client of a log group.

    pages: whether it hands out a token for what is left, as AWS does and the local cloud does not.
    """

    pages: bool = True
    most: int = 10_000
    events: list[dict[str, Any]] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)

    def put(self, at: datetime, message: str) -> None:
        milliseconds = round(at.timestamp() * 1000)
        self.events.append({"timestamp": milliseconds, "message": message})
        self.events.sort(key=lambda event: event["timestamp"])

    def filter_log_events(self, **asked: Any) -> dict[str, Any]:
        self.asked.append(asked)
        found = [
            event
            for event in self.events
            if asked["startTime"] <= event["timestamp"] <= asked.get("endTime", float("inf"))
        ]
        start, limit = int(asked.get("nextToken", 0)), min(asked.get("limit", 10_000), self.most)
        answer: dict[str, Any] = {"events": found[start : start + limit]}
        if self.pages and start + limit < len(found):
            answer["nextToken"] = str(start + limit)
        return answer

    @property
    def log(self) -> Log:
        client: Any = self
        return Log(client, "api")


def line_of(captured: Captured) -> str:
    """Write a prediction as the API logs it."""
    return json.dumps(
        {
            "_aws": {"Timestamp": 1, "CloudWatchMetrics": []},
            "service": "api",
            "route": ROUTES[captured.source],
            "Latency": [0.2],
            "prediction_id": captured.prediction_id,
            "prediction": {"Improvement_Score": captured.score},
            "interval": {
                "low": captured.low,
                "high": captured.high,
                "coverage": captured.coverage,
            },
            "features": captured.features,
            "model_version": captured.model_version,
            **({"explained": True} if captured.explained else {}),
        }
    )


class Killed(StorageUnavailable):
    """When a run was killed instead of writing once more."""


class MortalBucket(Bucket):
    """A bucket whose run is killed when it has written so often.

    after: whether the last write was carried out, and only its answer never came.
    """

    def __init__(self, bucket: Bucket, writes: int, *, after: bool = False) -> None:
        super().__init__(bucket.name)
        self.bucket = bucket
        self.writes = writes
        self.after = after

    def _count(self) -> None:
        self.writes -= 1
        if self.writes < 0:
            raise Killed

    def _put(self, answer: str) -> str:
        if self.writes == 0 and self.after:
            raise Killed
        return answer

    @override
    def get(self, key: str) -> Stored:
        return self.bucket.get(key)

    @override
    def get_if_changed(self, key: str, etag: str) -> Stored | None:
        return self.bucket.get_if_changed(key, etag)

    @override
    def put(self, key: str, body: bytes) -> str:
        self._count()
        return self._put(self.bucket.put(key, body))

    @override
    def put_new(self, key: str, body: bytes) -> str:
        self._count()
        return self._put(self.bucket.put_new(key, body))

    @override
    def put_over(self, key: str, body: bytes, etag: str) -> str:
        self._count()
        return self._put(self.bucket.put_over(key, body, etag))

    @override
    def keys(self, prefix: str, suffix: str) -> list[str]:
        return self.bucket.keys(prefix, suffix)


def utc(*when: int) -> datetime:
    return datetime(*when, tzinfo=UTC)  # type: ignore[misc,arg-type]
