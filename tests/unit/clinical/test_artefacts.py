"""What every bucket does, whichever client it asks by; over HTTP too, see tests/integration."""

from datetime import UTC, datetime

import obstore
import pytest
from clinical.artefacts import (
    Artefact,
    Artefacts,
    Bucket,
    Written,
    canonical_json,
    sealed_json,
    sha256,
    unsealed_json,
)
from clinical.boto3_bucket import Boto3Bucket
from clinical.errors import ArtefactCorrupted, ArtefactMissing, PreconditionFailed
from clinical.obstore_bucket import ObstoreBucket
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError


@pytest.fixture(params=["cloud", "store"], ids=["boto3", "obstore"])
def bucket(request: pytest.FixtureRequest) -> Bucket:
    """The artefacts bucket, empty: boto3's is moto's, obstore's in memory."""
    empty: Bucket = request.getfixturevalue(request.param)
    return empty


def delete(bucket: Bucket, key: str) -> None:
    if isinstance(bucket, Boto3Bucket):
        bucket.client.delete_object(Bucket=bucket.name, Key=key)
    elif isinstance(bucket, ObstoreBucket):
        obstore.delete(bucket.store(), key)


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
    with pytest.raises(ArtefactMissing, match=f"s3://{bucket.name}/nowhere"):
        bucket.get("nowhere")


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
    delete(bucket, "key")

    with pytest.raises(PreconditionFailed, match=f"s3://{bucket.name}/key"):
        bucket.put_over("key", b"second", seen)

    assert bucket.keys("", "") == []


def test_an_object_is_read_again_only_if_it_changed(bucket: Bucket) -> None:
    seen = bucket.put("key", b"first")
    assert bucket.get_if_changed("key", seen) is None

    bucket.put("key", b"second")

    changed = bucket.get_if_changed("key", seen)
    assert changed is not None
    assert changed.body == b"second"


def test_an_object_that_is_gone_has_not_merely_changed(bucket: Bucket) -> None:
    seen = bucket.put("key", b"first")
    delete(bucket, "key")

    with pytest.raises(ArtefactMissing):
        bucket.get_if_changed("key", seen)


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


def test_the_etag_of_a_write_is_the_one_that_is_read(bucket: Bucket) -> None:
    written = [bucket.put("key", b"first"), bucket.put_new("new", b"first")]
    written.append(bucket.put_over("key", b"second", written[0]))

    assert bucket.get("key").etag == written[2] != written[0]
    assert bucket.get("new").etag == written[1]


@pytest.mark.parametrize("key", ["models/a b.json", "models/Übersicht+1=2.json", "models/%20.csv"])
def test_a_key_may_be_any_text(bucket: Bucket, key: str) -> None:
    bucket.put(key, key.encode())

    assert bucket.get(key).body == key.encode()
    assert bucket.keys("models/", "") == [key]


def test_keys_are_listed_in_order_by_their_start_and_end(bucket: Bucket) -> None:
    for key in ("models/v-b/m.json", "models/v-a/m.json", "models/v-a/x", "models/w", "v-c/m.json"):
        bucket.put(key, b"")

    assert bucket.keys("models/v-", "/m.json") == ["models/v-a/m.json", "models/v-b/m.json"]
    assert bucket.keys("models/v-a", "") == ["models/v-a/m.json", "models/v-a/x"]
    assert bucket.keys("nowhere/", "") == []


@pytest.mark.parametrize("size", [0, 1, 3_000_000])
def test_an_object_may_be_of_any_size(bucket: Bucket, size: int) -> None:
    bucket.put("key", b"x" * size)

    assert bucket.get("key").body == b"x" * size
