"""The only S3 I/O: objects with their digests, read whole, checked, and written on conditions."""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, NotRequired, TypedDict, Unpack

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import BaseModel, JsonValue

from clinical.errors import (
    ArtefactCorrupted,
    ArtefactMissing,
    PreconditionFailed,
    StorageDenied,
    StorageUnavailable,
)
from clinical.params import Frozen

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CopySourceTypeDef, ObjectTypeDef

SEAL = "sha256"
NO_SUCH_VERSION = {400, 404, 405}


class Artefact(Frozen):
    """Where an object lies in the artefacts bucket, and the SHA-256 that its bytes must have."""

    key: str
    sha256: str


class RawObject(Frozen):
    """One version of one object in the raw bucket."""

    key: str
    version_id: str


class Written(Frozen):
    """How many bytes an object's version has, and when it was written, in whole seconds."""

    size: int
    at: datetime


@dataclass(frozen=True)
class Stored:
    """An object as S3 answered it: its bytes, and the ETag that the next write can insist on."""

    body: bytes
    etag: str


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


@cache
def s3_client() -> "S3Client":
    """Make the function's one S3 client, which gives up in time for an answer."""
    return boto3.client(
        "s3",
        config=Config(
            connect_timeout=2, read_timeout=10, retries={"mode": "standard", "max_attempts": 3}
        ),
    )


class _Conditions(TypedDict):
    """What must hold for S3 to carry out a request, under the names of its API."""

    IfMatch: NotRequired[str]
    IfNoneMatch: NotRequired[str]


class Bucket:
    """An S3 bucket. Every method raises StorageDenied, or StorageUnavailable where S3 fails."""

    def __init__(self, client: "S3Client", name: str) -> None:
        self.client = client
        self.name = name

    def get(self, key: str) -> Stored:
        """Read an object; raises ArtefactMissing."""
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

    def get_if_changed(self, key: str, etag: str) -> Stored | None:
        """Read an object unless it still has this ETag; raises ArtefactMissing."""
        try:
            with self._asking_for(key):
                answer = self.client.get_object(Bucket=self.name, Key=key, IfNoneMatch=etag)
                return Stored(answer["Body"].read(), answer["ETag"])
        except _NotModified:
            return None

    def put(self, key: str, body: bytes) -> str:
        """Write an object, whatever was there, and return its ETag."""
        return self._put(key, body)

    def put_new(self, key: str, body: bytes) -> str:
        """Write an object that must not exist yet; raises PreconditionFailed."""
        return self._put(key, body, IfNoneMatch="*")

    def put_over(self, key: str, body: bytes, etag: str) -> str:
        """Write over an object that must still have this ETag; raises PreconditionFailed."""
        try:
            return self._put(key, body, IfMatch=etag)
        except ArtefactMissing as error:  # what S3 answers where the object was deleted meanwhile
            raise PreconditionFailed(f"s3://{self.name}/{key} was deleted meanwhile") from error

    def copy(self, key: str, to: str) -> None:
        """Copy an object within the bucket, over whatever was there; raises ArtefactMissing."""
        with self._asking_for(key):
            source: CopySourceTypeDef = {"Bucket": self.name, "Key": key}
            self.client.copy_object(Bucket=self.name, CopySource=source, Key=to)

    def written(self, version: RawObject) -> Written:
        """Tell how large an object's version is, and how old; raises ArtefactMissing."""
        with self._asking_for(version.key):
            try:
                head = self.client.head_object(
                    Bucket=self.name, Key=version.key, VersionId=version.version_id
                )
            except ClientError as error:
                # S3 has an answer each for an id that it never made, or forgot, or is a deletion's.
                if error.response["ResponseMetadata"]["HTTPStatusCode"] in NO_SUCH_VERSION:
                    raise ArtefactMissing(
                        f"s3://{self.name}/{version.key} has no version {version.version_id}"
                    ) from error
                raise
            return Written(size=head["ContentLength"], at=head["LastModified"])

    def newest(self, prefix: str) -> str | None:
        """Find the key of the object written last, folder markers aside; None without any."""
        found = [
            (entry["LastModified"], entry["Key"])
            for entry in self._listed(prefix, "")
            if not entry["Key"].endswith("/")
        ]
        return max(found)[1] if found else None

    def keys(self, prefix: str, suffix: str) -> list[str]:
        """List the keys that start and end so, in their order."""
        return [entry["Key"] for entry in self._listed(prefix, suffix)]

    def current(self, key: str) -> RawObject:
        """Find the current version of an object; raises ArtefactMissing."""
        with self._asking_for(key):
            head = self.client.head_object(Bucket=self.name, Key=key)
            return RawObject(key=key, version_id=head["VersionId"])

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
        """Say in this system's words what S3 refused."""
        where = f"s3://{self.name}/{key}"
        try:
            yield
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            match status:
                case 304:
                    raise _NotModified from error
                case 403:
                    raise StorageDenied(f"the role may not use {where}") from error
                case 404:
                    raise ArtefactMissing(f"{where} does not exist") from error
                case 409 | 412:
                    raise PreconditionFailed(f"{where} changed meanwhile") from error
            raise StorageUnavailable(f"S3 answered {status} for {where}") from error
        except BotoCoreError as error:
            raise StorageUnavailable(
                f"S3 could not be reached for {where}: {type(error).__name__}{_what_to_start()}"
            ) from error


class Artefacts:
    """The artefacts of one stage of one run: written under its folder, read from anywhere."""

    def __init__(self, bucket: Bucket, folder: str) -> None:
        self.bucket = bucket
        self.folder = folder

    def write(self, name: str, body: bytes) -> Artefact:
        artefact = Artefact(key=f"{self.folder}/{name}", sha256=sha256(body))
        self.bucket.put(artefact.key, body)
        return artefact

    def write_json(self, name: str, value: BaseModel | JsonValue) -> Artefact:
        return self.write(name, canonical_json(value))

    def read(self, artefact: Artefact) -> bytes:
        """Read an artefact; raises ArtefactMissing, ArtefactCorrupted before a byte is used."""
        return read_verified(self.bucket, artefact)


def read_verified(bucket: Bucket, artefact: Artefact) -> bytes:
    """Read an artefact's bytes; raises ArtefactMissing, ArtefactCorrupted."""
    body = bucket.get(artefact.key).body
    found = sha256(body)
    if found != artefact.sha256:
        raise ArtefactCorrupted(
            f"s3://{bucket.name}/{artefact.key} has the SHA-256 {found}, "
            f"recorded was {artefact.sha256}"
        )
    return body


def sealed_json(value: BaseModel) -> bytes:
    """Write JSON that carries the SHA-256 of the rest of it, for `unsealed_json` to check."""
    plain = value.model_dump(mode="json")
    return canonical_json(plain | {SEAL: sha256(canonical_json(plain))})


def unsealed_json(key: str, body: bytes) -> JsonValue:
    """Read what `sealed_json` wrote; raises ArtefactCorrupted where it was altered since.

    What an earlier release wrote has no seal, and is taken as it is.
    """
    try:
        plain = json.loads(body)
    except ValueError as error:  # what is no UTF-8 is one, too
        raise ArtefactCorrupted(f"{key} is not valid JSON") from error
    if isinstance(plain, dict) and SEAL in plain:
        seal = plain.pop(SEAL)
        if seal != sha256(canonical_json(plain)):
            raise ArtefactCorrupted(f"{key} was altered since it was written")
    read: JsonValue = plain
    return read


def canonical_json(value: BaseModel | JsonValue) -> bytes:
    """Write JSON that is the same for the same value: sorted keys, and a digest worth keeping."""
    plain = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
    return (json.dumps(plain, sort_keys=True, indent=1) + "\n").encode()


def _what_to_start() -> str:
    """Tell who runs this on a laptop what is missing there."""
    elsewhere = os.environ.get("AWS_ENDPOINT_URL")
    return f"; is the local cloud up at {elsewhere}? `make up` starts it" if elsewhere else ""


class _NotModified(Exception):
    """When S3 answers 304; no error, and no caller sees it."""
