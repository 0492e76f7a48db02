import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from clinical.artefacts import Artefact, Artefacts, Bucket, sha256
from clinical.errors import (
    ArtefactCorrupted,
    ArtefactMissing,
    PreconditionFailed,
    StorageDenied,
    StorageUnavailable,
)


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


def test_the_newest_upload_is_the_one_written_last(bucket: Bucket) -> None:
    for key in ("raw/b.csv", "raw/a.csv", "raw/notes.txt"):
        bucket.put(key, b"x")

    assert bucket.newest("raw/", ".csv") in {"raw/a.csv", "raw/b.csv"}
    with pytest.raises(ArtefactMissing, match=r"no object that ends in \.csv"):
        bucket.newest("elsewhere/", ".csv")


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
