from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from clinical.artefacts import (
    Artefact,
    Artefacts,
    Bucket,
    RawObject,
    Written,
    canonical_json,
    sealed_json,
    sha256,
    unsealed_json,
)
from clinical.errors import (
    ArtefactCorrupted,
    ArtefactMissing,
    PreconditionFailed,
    StorageDenied,
    StorageUnavailable,
)
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError


def test_an_artefact_is_read_back_as_it_was_written(bucket: Bucket) -> None:
    artefacts = Artefacts(bucket, "runs/one/train")

    written = artefacts.write("model.onnx", b"graph")

    assert written == Artefact(key="runs/one/train/model.onnx", sha256=sha256(b"graph"))
    assert artefacts.read(written) == b"graph"


def test_bytes_that_are_not_those_recorded_are_refused(bucket: Bucket) -> None:
    artefacts = Artefacts(bucket, "runs/one/train")
    written = artefacts.write("model.onnx", b"graph")
    bucket.put(written.key, b"another graph")

    with pytest.raises(ArtefactCorrupted, match=r"runs/one/train/model\.onnx"):
        artefacts.read(written)


def test_the_same_value_is_the_same_json_whatever_its_order(bucket: Bucket) -> None:
    artefacts = Artefacts(bucket, "runs/one/stage")

    one = artefacts.write_json("a.json", {"b": 1, "a": 2})
    other = artefacts.write_json("b.json", {"a": 2, "b": 1})

    assert one.sha256 == other.sha256


def test_a_missing_object_is_named(bucket: Bucket) -> None:
    with pytest.raises(ArtefactMissing, match="s3://artifacts/nowhere"):
        bucket.get("nowhere")
    with pytest.raises(ArtefactMissing, match="s3://artifacts/nowhere"):
        bucket.copy("nowhere", "somewhere")


def test_a_copy_is_the_same_bytes(bucket: Bucket) -> None:
    bucket.put("one", b"body")

    bucket.copy("one", "other")

    assert bucket.get("other").body == b"body"


def test_a_new_object_is_written_once(bucket: Bucket) -> None:
    bucket.put_new("key", b"first")

    with pytest.raises(PreconditionFailed):
        bucket.put_new("key", b"second")

    assert bucket.get("key").body == b"first"


def test_an_object_that_changed_meanwhile_is_not_written_over(bucket: Bucket) -> None:
    seen = bucket.put("key", b"first")
    bucket.put("key", b"second")

    with pytest.raises(PreconditionFailed):
        bucket.put_over("key", b"third", seen)

    assert bucket.get("key").body == b"second"


def test_an_object_that_was_deleted_meanwhile_is_not_written_over(bucket: Bucket) -> None:
    seen = bucket.put("key", b"first")
    bucket.client.delete_object(Bucket=bucket.name, Key="key")

    with pytest.raises(PreconditionFailed, match="deleted"):
        bucket.put_over("key", b"second", seen)

    assert bucket.keys("", "") == []


def test_an_object_is_read_again_only_if_it_changed(bucket: Bucket) -> None:
    seen = bucket.put("key", b"first")
    assert bucket.get_if_changed("key", seen) is None

    bucket.put("key", b"second")

    changed = bucket.get_if_changed("key", seen)
    assert changed is not None
    assert changed.body == b"second"


def test_the_newest_upload_is_the_one_written_last_whatever_it_is_called(bucket: Bucket) -> None:
    for key in ("raw/b.csv", "raw/a.XLSX", "raw/folder/"):
        bucket.put(key, b"")

    assert bucket.newest("raw/") in {"raw/a.XLSX", "raw/b.csv"}
    assert bucket.newest("raw/folder/") is None
    assert bucket.newest("elsewhere/") is None


@pytest.mark.parametrize("version_id", ["no id that S3 makes", "b" * 32, "null"])
def test_a_version_that_is_not_there_is_told_from_an_object_that_is_not(
    bucket: Bucket, version_id: str
) -> None:
    bucket.put("raw/data.csv", b"x")

    with pytest.raises(ArtefactMissing, match=r"raw/data\.csv has no version"):
        bucket.written(RawObject(key="raw/data.csv", version_id=version_id))


@given(bit=st.integers(min_value=0))
def test_what_is_sealed_is_refused_once_a_bit_of_it_flips(bit: int) -> None:
    value = Written(size=12_345, at=datetime(2026, 11, 25, tzinfo=UTC))
    body = bytearray(sealed_json(value))
    place, mask = divmod(bit % (8 * len(body)), 8)
    body[place] ^= 1 << mask

    try:
        read = Written.model_validate(unsealed_json("key", bytes(body)))
    except (ArtefactCorrupted, ValidationError):
        return

    assert read == value  # a space became another blank


def test_what_an_earlier_release_wrote_has_no_seal_and_is_taken() -> None:
    value = Written(size=1, at=datetime(2026, 11, 25, tzinfo=UTC))

    assert Written.model_validate(unsealed_json("key", canonical_json(value))) == value


@pytest.mark.parametrize(
    ("status", "expected"),
    [(403, StorageDenied), (500, StorageUnavailable), (503, StorageUnavailable)],
)
def test_what_s3_refuses_is_said_in_this_systems_words(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch, status: int, expected: type[Exception]
) -> None:
    def refuse(**_: object) -> None:
        raise ClientError(
            {"Error": {"Code": "Some"}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
            "GetObject",
        )

    monkeypatch.setattr(bucket.client, "get_object", refuse)

    with pytest.raises(expected, match="s3://artifacts/key"):
        bucket.get("key")


def test_an_s3_that_cannot_be_reached_is_unavailable(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(**_: object) -> None:
        raise EndpointConnectionError(endpoint_url="http://s3")

    monkeypatch.setattr(bucket.client, "put_object", unreachable)

    with pytest.raises(StorageUnavailable, match="EndpointConnectionError"):
        bucket.put("key", b"")
