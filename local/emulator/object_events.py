"""Add an object's version and time to S3's events to EventBridge.

Source: "EventBridge event message structure" in the Amazon S3 user guide. Objects in a bucket
without versioning have no version.
"""

import json
from typing import Any

type Event = dict[str, Any]


def told(event: Event, version_id: str | None, written_at: str) -> Event:
    """Return an event of S3 in AWS's form.

    event: as ministack hands it to EventBridge, its `Detail` in JSON.
    written_at: when that version was, in ISO format and UTC; the event's time is in whole seconds.
    """
    detail = json.loads(event["Detail"])
    if version_id is not None:
        detail["object"]["version-id"] = version_id
    second = written_at[: len("2026-01-31T12:00:00")]
    return {**event, "Detail": json.dumps(detail), "Time": f"{second}Z"}
