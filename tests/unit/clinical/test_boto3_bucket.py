import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from clinical.artefacts import RawObject
from clinical.boto3_bucket import Boto3Bucket
from clinical.errors import ArtefactMissing, StorageDenied, StorageUnavailable


def test_a_copy_is_the_same_bytes(bucket: Boto3Bucket) -> None:
    bucket.put("one", b"body")

    bucket.copy("one", "other")

    assert bucket.get("other").body == b"body"
    with pytest.raises(ArtefactMissing, match="s3://artifacts/nowhere"):
        bucket.copy("nowhere", "somewhere")


def test_the_newest_upload_is_the_one_written_last_whatever_it_is_called(
    bucket: Boto3Bucket,
) -> None:
    for key in ("raw/b.csv", "raw/a.XLSX", "raw/folder/"):
        bucket.put(key, b"")

    assert bucket.newest("raw/") in {"raw/a.XLSX", "raw/b.csv"}
    assert bucket.newest("raw/folder/") is None
    assert bucket.newest("elsewhere/") is None


@pytest.mark.parametrize("version_id", ["no id that S3 makes", "b" * 32, "null"])
def test_a_version_that_is_not_there_is_told_from_an_object_that_is_not(
    bucket: Boto3Bucket, version_id: str
) -> None:
    bucket.put("raw/data.csv", b"x")

    with pytest.raises(ArtefactMissing, match=r"raw/data\.csv has no version"):
        bucket.written(RawObject(key="raw/data.csv", version_id=version_id))


@pytest.mark.parametrize(
    ("status", "expected"),
    [(403, StorageDenied), (500, StorageUnavailable), (503, StorageUnavailable)],
)
def test_what_s3_refuses_is_said_in_this_systems_words(
    bucket: Boto3Bucket, monkeypatch: pytest.MonkeyPatch, status: int, expected: type[Exception]
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
    bucket: Boto3Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(**_: object) -> None:
        raise EndpointConnectionError(endpoint_url="http://s3")

    monkeypatch.setattr(bucket.client, "put_object", unreachable)

    with pytest.raises(StorageUnavailable, match="EndpointConnectionError"):
        bucket.put("key", b"")


def test_versions_of_what_was_not_deleted_are_listed_in_the_order_they_were_made(
    bucket: Boto3Bucket,
) -> None:
    made = [
        bucket.client.put_object(Bucket="artifacts", Key=key, Body=body)["VersionId"]
        for key, body in (
            ("outcomes/b.csv", b"1"),
            ("outcomes/a.csv", b"2"),
            ("outcomes/b.csv", b"3"),
            ("outcomes/", b""),
            ("outcomes/gone.csv", b"4"),
            ("elsewhere/c.csv", b"5"),
        )
    ]
    bucket.client.delete_object(Bucket="artifacts", Key="outcomes/gone.csv")

    found = bucket.versions("outcomes/")

    assert sorted(one.version_id for one, _ in found) == sorted(made[:3])
    of_b = [one.version_id for one, _ in found if one.key == "outcomes/b.csv"]
    assert of_b == [made[0], made[2]]
    assert [at for _, at in found] == sorted(at for _, at in found)
