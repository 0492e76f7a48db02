"""A stack as the commands see it: buckets in this process, and state machines that do as told."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
from score.keys import OUT

from local.machines import SCORE

BEGAN = datetime(2026, 11, 26, 4, tzinfo=UTC)
ARN = "arn:aws:states:us-east-1:000000000000:execution:score:one"
PARTS = (b"id,score\na,1\nb,2\n", b"c,3\nd,4\n", b"e,5\n")


@dataclass
class Machines:
    """State machines: each object under score/in/ that they are asked about starts one execution.

    ends: how each ends.
    """

    s3: Any
    ends: dict[str, Any]
    history: list[dict[str, Any]] = field(default_factory=list)

    def list_executions(self, **_: object) -> dict[str, Any]:
        return {"executions": [{"executionArn": ARN, "startDate": BEGAN}]}

    def describe_execution(self, **_: object) -> dict[str, Any]:
        (uploaded,) = self.s3.list_object_versions(Bucket="raw", Prefix=SCORE.folder)["Versions"]
        asked = {"score": {"key": uploaded["Key"], "version_id": uploaded["VersionId"]}}
        return {
            "executionArn": ARN,
            "input": json.dumps(asked),
            "startDate": BEGAN,
            "stopDate": BEGAN + timedelta(seconds=3),
            **self.ends,
        }

    def get_paginator(self, _: str) -> Any:
        return SimpleNamespace(paginate=lambda **_: iter([{"events": self.history}]))


def stack(ends: dict[str, Any] | None = None, history: list[dict[str, Any]] | None = None) -> Any:
    """Make a stack whose state machine to score ends as said."""
    s3 = boto3.client("s3")
    return SimpleNamespace(
        s3=s3,
        new_s3=lambda: boto3.client("s3"),
        stepfunctions=Machines(s3, ends or {}, history or []),
        cloud=SimpleNamespace(starts_on_uploads=True),
        outputs=SimpleNamespace(
            raw_bucket="raw",
            stack_name="clinical-outcomes",
            state_machine_arn="retrain",
            score_state_machine_arn="score",
            monitor_state_machine_arn="monitor",
        ),
    )


def scored(parts: tuple[bytes, ...] = PARTS, ending: str = ".csv", **changes: Any) -> str:
    """Write what an execution leaves in the bucket; gives the output that it ends with."""
    s3 = boto3.client("s3")
    listed = []
    for number, body in enumerate(parts):
        key = f"{OUT}one/part-{number:05}{ending}"
        s3.put_object(Bucket="raw", Key=key, Body=body)
        listed.append({"key": key, "rows": 2, "bytes": len(body), "sha256": digest(body)})
    summary = {
        "execution": "one",
        "input": {
            "key": f"score/in/0a1b2c3d-patients{ending}",
            "version_id": "v1",
            "bytes": 40,
            "sha256": "0" * 64,
            "format": ending.removeprefix("."),
        },
        "model_version": "v-0a1b2c3d",
        "model_skill": {"r2": 0.7427, "beats_average": True},
        "coverage": 0.9,
        "rows": 1005,
        "scored": 1000,
        "refused": 5,
        "averaged": 0,
        "problems": [
            {"rule": "out_of_range", "column": "Age", "count": 5, "first_rows": [3, 17]},
        ],
        "scores": {
            "mean": 5.5,
            "std": 1.0,
            "min": 1.25,
            "max": 9.0,
            "edges": [0, 5, 10],
            "counts": [400, 600],
        },
        "notes": ["Read as semicolon-separated."],
        "columns": ["predicted_Improvement_Score", "problem"],
        "parts": listed,
        "disclaimer": "For research support only.",
        **changes,
    }
    body = json.dumps(summary).encode()
    key = f"{OUT}one/summary.json"
    s3.put_object(Bucket="raw", Key=key, Body=body)
    written = {"key": key, "sha256": digest(body)}
    return json.dumps({"decision": "scored", "summary": written})


def split(*first_rows: int) -> dict[str, Any]:
    """Give the event by which a history tells how a file was split."""
    parts = [{"number": number, "first_row": row} for number, row in enumerate(first_rows)]
    return {
        "id": 4,
        "type": "TaskSucceeded",
        "timestamp": BEGAN,
        "taskSucceededEventDetails": {"output": json.dumps({"Payload": {"parts": parts}})},
    }


def digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def left_in(folder: Path) -> Iterator[str]:
    """Name what is in a folder."""
    return (file.name for file in sorted(folder.iterdir()))
