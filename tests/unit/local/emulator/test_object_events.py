import json
from typing import Any

from local.emulator.object_events import told

OBJECT = {"key": "raw/März, 2.csv", "size": 5, "etag": "a1", "sequencer": "000646D28A5B7C2F11"}
EVENT: dict[str, Any] = {
    "Source": "aws.s3",
    "Time": "2026-11-25T18:00:09.120Z",
    "Detail": json.dumps({"bucket": {"name": "raw"}, "object": OBJECT}),
}


def test_an_event_names_the_version_that_it_is_about() -> None:
    detail = json.loads(told(EVENT, "v2", "2026-11-25T18:00:07.000Z")["Detail"])

    assert detail == {"bucket": {"name": "raw"}, "object": {**OBJECT, "version-id": "v2"}}


def test_an_event_of_a_bucket_without_versions_names_none() -> None:
    detail = json.loads(told(EVENT, None, "2026-11-25T18:00:07.000Z")["Detail"])

    assert detail["object"] == OBJECT


def test_an_events_time_is_when_the_version_was_written_in_whole_seconds() -> None:
    assert told(EVENT, "v2", "2026-11-25T18:00:07.999Z")["Time"] == "2026-11-25T18:00:07Z"


def test_the_event_that_was_handed_over_stays_as_it_is() -> None:
    before = json.dumps(EVENT)

    told(EVENT, "v2", "2026-11-25T18:00:07.000Z")

    assert json.dumps(EVENT) == before
