"""S3 through boto3, for the pipeline and the local tools: it lists objects and knows versions."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, NotRequired, TypedDict, Unpack, override

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from clinical.artefacts import Bucket, RawObject, Stored, Written, what_to_start
from clinical.errors import (
    ArtefactMissing,
    PreconditionFailed,
    StorageDenied,
    StorageUnavailable,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CopySourceTypeDef, ObjectTypeDef

NO_SUCH_VERSION = {400, 404, 405}


@cache
def s3_client() -> "S3Client":
    """Return the function's only S3 client, which tries three times."""
    return boto3.client(
        "s3",
        config=Config(
            connect_timeout=2,
            read_timeout=10,
            retries={"mode": "standard", "total_max_attempts": 3},
        ),
    )


class _Conditions(TypedDict):
    """Preconditions of a request, by their names in S3's API."""

    IfMatch: NotRequired[str]
    IfNoneMatch: NotRequired[str]


class Boto3Bucket(Bucket):
    """An S3 bucket through a boto3 client."""

    def __init__(self, client: "S3Client", name: str) -> None:
        super().__init__(name)
        self.client = client

    @override
    def get(self, key: str) -> Stored:
        with self._asking_for(key):
            answer = self.client.get_object(Bucket=self.name, Key=key)
            return Stored(answer["Body"].read(), answer["ETag"])

    def get_version(self, version: RawObject) -> bytes:
        """Read one version of an object; raises ArtefactMissing."""
        with self._asking_for(version.key):
            answer = self.client.get_object(
                Bucket=self.name, Key=version.key, VersionId=version.version_id
            )
            return answer["Body"].read()

    def get_range(self, version: RawObject, start: int, end: int) -> bytes:
        """Read the bytes of an object's version from `start` up to `end`; raises ArtefactMissing.

        Bytes beyond the object's end are not returned.
        """
        if end <= start:
            return b""
        with self._asking_for(version.key):
            answer = self.client.get_object(
                Bucket=self.name,
                Key=version.key,
                VersionId=version.version_id,
                Range=f"bytes={start}-{end - 1}",
            )
            return answer["Body"].read()

    @override
    def get_if_changed(self, key: str, etag: str) -> Stored | None:
        try:
            with self._asking_for(key):
                answer = self.client.get_object(Bucket=self.name, Key=key, IfNoneMatch=etag)
                return Stored(answer["Body"].read(), answer["ETag"])
        except _NotModified:
            return None

    @override
    def put(self, key: str, body: bytes) -> str:
        return self._put(key, body)

    @override
    def put_new(self, key: str, body: bytes) -> str:
        return self._put(key, body, IfNoneMatch="*")

    @override
    def put_over(self, key: str, body: bytes, etag: str) -> str:
        try:
            return self._put(key, body, IfMatch=etag)
        except ArtefactMissing as error:  # S3's answer if the object was deleted in the meantime
            raise PreconditionFailed(f"{self.where(key)} was deleted in the meantime") from error

    def copy(self, key: str, to: str) -> None:
        """Copy an object within the bucket, overwriting the target; raises ArtefactMissing."""
        with self._asking_for(key):
            source: CopySourceTypeDef = {"Bucket": self.name, "Key": key}
            self.client.copy_object(Bucket=self.name, CopySource=source, Key=to)

    def written(self, version: RawObject) -> Written:
        """Return the size and age of an object's version; raises ArtefactMissing."""
        with self._asking_for(version.key):
            try:
                head = self.client.head_object(
                    Bucket=self.name, Key=version.key, VersionId=version.version_id
                )
            except ClientError as error:
                # S3 answers differently for ids that never existed, that expired, and of deletions.
                if error.response["ResponseMetadata"]["HTTPStatusCode"] in NO_SUCH_VERSION:
                    raise ArtefactMissing(
                        f"{self.where(version.key)} has no version {version.version_id}"
                    ) from error
                raise
            return Written(size=head["ContentLength"], at=head["LastModified"])

    def newest(self, prefix: str) -> str | None:
        """Return the key of the newest object, folder markers aside; None if there is none."""
        found = [
            (entry["LastModified"], entry["Key"])
            for entry in self._listed(prefix, "")
            if not entry["Key"].endswith("/")
        ]
        return max(found)[1] if found else None

    @override
    def keys(self, prefix: str, suffix: str) -> list[str]:
        return [entry["Key"] for entry in self._listed(prefix, suffix)]

    def current(self, key: str) -> RawObject:
        """Return the current version of an object; raises ArtefactMissing."""
        with self._asking_for(key):
            head = self.client.head_object(Bucket=self.name, Key=key)
            return RawObject(key=key, version_id=head["VersionId"])

    def versions(self, prefix: str) -> list[tuple[RawObject, datetime]]:
        """List the versions of objects that were not deleted, with their times, in order."""
        with self._asking_for(prefix):
            pages = list(
                self.client.get_paginator("list_object_versions").paginate(
                    Bucket=self.name, Prefix=prefix
                )
            )
        deleted = {
            entry["Key"]
            for page in pages
            for entry in page.get("DeleteMarkers", [])
            if entry["IsLatest"]
        }
        found = [
            (RawObject(key=entry["Key"], version_id=entry["VersionId"]), entry["LastModified"])
            for page in pages
            # S3 lists an object's newest version first.
            for entry in reversed(page.get("Versions", []))
            if entry["Key"] not in deleted and not entry["Key"].endswith("/")
        ]
        return sorted(found, key=lambda one: one[1])

    def _listed(self, prefix: str, suffix: str) -> list["ObjectTypeDef"]:
        with self._asking_for(prefix):
            pages = self.client.get_paginator("list_objects_v2").paginate(
                Bucket=self.name, Prefix=prefix
            )
            return [
                entry
                for page in pages
                for entry in page.get("Contents", [])
                if entry["Key"].endswith(suffix)
            ]

    def _put(self, key: str, body: bytes, **conditions: Unpack[_Conditions]) -> str:
        with self._asking_for(key):
            return self.client.put_object(Bucket=self.name, Key=key, Body=body, **conditions)[
                "ETag"
            ]

    @contextmanager
    def _asking_for(self, key: str) -> Iterator[None]:
        """Translate what S3 refuses into our errors."""
        where = self.where(key)
        try:
            yield
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            match status:
                case 304:
                    raise _NotModified from error
                case 403:
                    raise StorageDenied(f"the role is not allowed to access {where}") from error
                case 404:
                    raise ArtefactMissing(f"{where} does not exist") from error
                case 409 | 412:
                    raise PreconditionFailed(f"{where} changed in the meantime") from error
            raise StorageUnavailable(f"S3 answered {status} for {where}") from error
        except BotoCoreError as error:
            raise StorageUnavailable(
                f"S3 could not be reached for {where}: {type(error).__name__}{what_to_start()}"
            ) from error


class _NotModified(Exception):
    """When S3 answers 304; not an error, and never seen by callers."""
