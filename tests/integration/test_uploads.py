"""What an upload tells the state machine: which version of which object, and since when."""

import json
import re
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from local import executions
from local.cloud import REGION
from local.stack import Stack
from tests.integration.conftest import Laptop

WAIT_SECONDS = 120
LIMIT = 5 * 1024 * 1024  # the least that a part may hold, but for the last


@contextmanager
def heard(stack: Stack) -> Iterator[str]:
    """A queue that hears all that the bucket of uploads tells EventBridge."""
    sqs, events = stack.client("sqs"), stack.client("events")
    name = f"heard-{uuid4()}"
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    pattern = {"source": ["aws.s3"], "detail": {"bucket": {"name": [stack.outputs.raw_bucket]}}}
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    arn = f"arn:aws:sqs:{REGION}:000000000000:{name}"
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
    yield queue
    events.remove_targets(Rule=name, Ids=["queue"])
    events.delete_rule(Name=name)
    sqs.delete_queue(QueueUrl=queue)


def received(stack: Stack, queue: str, count: int) -> list[dict[str, Any]]:
    """Wait for so many events, and give them in the order of their sequencers."""
    found: list[dict[str, Any]] = []
    for _ in range(WAIT_SECONDS):
        answer = stack.client("sqs").receive_message(
            QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1
        )
        found += [json.loads(message["Body"]) for message in answer.get("Messages", [])]
        if len(found) >= count:
            break
    assert len(found) == count
    return sorted(found, key=lambda event: int(event["detail"]["object"]["sequencer"], 16))


def put(stack: Stack, key: str, body: bytes) -> str:
    return stack.s3.put_object(Bucket=stack.outputs.raw_bucket, Key=key, Body=body)["VersionId"]


def copied(stack: Stack, key: str, body: bytes) -> str:
    bucket, source = stack.outputs.raw_bucket, "elsewhere/source"
    put(stack, source, body)
    return stack.s3.copy_object(Bucket=bucket, Key=key, CopySource=f"{bucket}/{source}")[
        "VersionId"
    ]


def in_parts(stack: Stack, key: str, body: bytes) -> str:
    bucket = stack.outputs.raw_bucket
    upload = stack.s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
    tags = [
        stack.s3.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=number, Body=part)[
            "ETag"
        ]
        for number, part in enumerate((body[:LIMIT], body[LIMIT:]), 1)
    ]
    return stack.s3.complete_multipart_upload(
        Bucket=bucket,
        Key=key,
        UploadId=upload,
        MultipartUpload={
            "Parts": [{"PartNumber": number, "ETag": tag} for number, tag in enumerate(tags, 1)]
        },
    )["VersionId"]


def posted(stack: Stack, key: str, body: bytes) -> str:
    """Upload as a form in a browser does."""
    form = stack.s3.generate_presigned_post(stack.outputs.raw_bucket, key)
    boundary = uuid4().hex
    fields = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in form["fields"].items()
    )
    file = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'
    whole = (fields + file).encode() + body + f"\r\n--{boundary}--\r\n".encode()
    kind = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    with urllib.request.urlopen(urllib.request.Request(form["url"], whole, kind)):
        versions = stack.s3.list_object_versions(Bucket=stack.outputs.raw_bucket, Prefix=key)
    return versions["Versions"][0]["VersionId"]


@pytest.mark.parametrize(
    ("upload", "size"),
    [(put, 7), (copied, 7), (in_parts, LIMIT + 7), (posted, 7), (put, 0)],
    ids=["put", "copied", "in parts", "posted", "empty"],
)
def test_every_way_to_upload_tells_the_version_that_it_wrote(
    laptop: Laptop, upload: Any, size: int
) -> None:
    stack, key, body = laptop.stack, f"told/März+1 %41 ({uuid4()}).dat", b"x" * size

    with heard(stack) as queue:
        versions = [upload(stack, key, body), upload(stack, key, body)]
        events = [
            event
            for event in received(stack, queue, 4 if upload is copied else 2)
            if event["detail"]["object"]["key"] == key
        ]

    assert [event["detail"]["object"]["version-id"] for event in events] == versions
    assert len({event["id"] for event in events}) == len(events)
    for event, version in zip(events, versions, strict=True):
        written = stack.s3.head_object(Bucket=stack.outputs.raw_bucket, Key=key, VersionId=version)
        told = event["detail"]["object"]
        assert event["detail-type"] == "Object Created"
        assert told["size"] == written["ContentLength"] == size
        assert f'"{told["etag"]}"' == written["ETag"]
        assert re.fullmatch("[0-9A-F]{18}", told["sequencer"])
        assert datetime.fromisoformat(event["time"]) == written["LastModified"]


def test_a_version_keeps_its_time_however_it_is_asked_for_in_whole_seconds(laptop: Laptop) -> None:
    stack, key = laptop.stack, f"told/{uuid4()}"
    bucket = stack.outputs.raw_bucket

    first, second = put(stack, key, b"1"), put(stack, key, b"2")
    listed = stack.s3.list_object_versions(Bucket=bucket, Prefix=key)["Versions"]
    current = stack.s3.list_objects_v2(Bucket=bucket, Prefix=key)["Contents"]

    assert [one["VersionId"] for one in listed] == [second, first]
    assert current[0]["LastModified"] == listed[0]["LastModified"]
    for one in listed:
        found = stack.s3.get_object(Bucket=bucket, Key=key, VersionId=one["VersionId"])
        assert one["LastModified"] == found["LastModified"]
        assert one["LastModified"].microsecond == 0


def test_of_concurrent_uploads_to_one_key_each_event_tells_its_own(laptop: Laptop) -> None:
    stack, key = laptop.stack, f"told/{uuid4()}"
    written: dict[int, str] = {}

    def upload(number: int) -> None:
        written[number] = put(stack, key, b"x" * number)

    with heard(stack) as queue:
        threads = [threading.Thread(target=upload, args=(number,)) for number in range(1, 9)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        told = [event["detail"]["object"] for event in received(stack, queue, len(threads))]

    assert {one["size"]: one["version-id"] for one in told} == written
    listed = stack.s3.list_object_versions(Bucket=stack.outputs.raw_bucket, Prefix=key)["Versions"]
    assert [one["version-id"] for one in told] == [one["VersionId"] for one in reversed(listed)]
    assert all(int(a["sequencer"], 16) < int(b["sequencer"], 16) for a, b in pairwise(told))


def test_a_folder_marker_is_an_object_of_no_bytes(laptop: Laptop) -> None:
    stack, key = laptop.stack, f"told/{uuid4()}/"

    with heard(stack) as queue:
        version = put(stack, key, b"")
        (event,) = received(stack, queue, 1)

    told = event["detail"]["object"]
    assert (told["key"], told["size"], told["version-id"]) == (key, 0, version)
    assert stack.s3.head_object(Bucket=stack.outputs.raw_bucket, Key=key)["ContentLength"] == 0


@pytest.mark.usefixtures("few_trees")
def test_of_two_quick_uploads_of_one_key_each_is_trained_on_its_own(
    laptop: Laptop, sample: Path
) -> None:
    stack, key = laptop.stack, f"raw/{uuid4()}.csv"
    lines = sample.read_bytes().splitlines(keepends=True)
    before = set(executions._executions(stack))

    versions = {put(stack, key, b"".join(lines[:rows])) for rows in (401, 501)}
    deadline = time.monotonic() + WAIT_SECONDS
    while len(started := set(executions._executions(stack)) - before) < len(versions):
        assert time.monotonic() < deadline, f"{len(started)} executions were started"
        time.sleep(0.2)
    ended = [laptop.ended(arn) for arn in started]

    asked = {one["executionArn"]: json.loads(one["input"])["raw"] for one in ended}
    assert {raw["version_id"] for raw in asked.values()} == versions
    for arn, raw in asked.items():
        lineage = laptop.artefact(f"runs/{arn.rsplit(':', 1)[-1]}/lineage.json")
        read = lineage["stages"]["ingest"]["output"]["source"]
        assert (read["key"], read["version_id"]) == (raw["key"], raw["version_id"])


@pytest.mark.usefixtures("few_trees")
def test_an_upload_is_followed_by_its_version_and_not_by_its_key_alone(
    laptop: Laptop, sample: Path, tmp_path: Path
) -> None:
    file = tmp_path / f"{uuid4()}.csv"
    lines = sample.read_bytes().splitlines(keepends=True)

    arns = []
    for rows in (401, 501):
        file.write_bytes(b"".join(lines[:rows]))
        arns.append(executions.upload(laptop.stack, file))

    listed = laptop.stack.s3.list_object_versions(
        Bucket=laptop.stack.outputs.raw_bucket, Prefix=f"raw/{file.name}"
    )["Versions"]
    read = [json.loads(laptop.ended(arn)["input"])["raw"]["version_id"] for arn in arns]
    assert read == [one["VersionId"] for one in reversed(listed)]
