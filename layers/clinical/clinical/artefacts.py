"""Objects in S3 with their digests: read completely, verified, and written conditionally.

A `Bucket` talks to S3: `clinical.obstore_bucket` in the functions that serve requests,
`clinical.boto3_bucket` in the pipeline and on the laptop.
"""

import hashlib
import json
import os
from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel, JsonValue, ValidationError

from clinical.errors import ArtefactCorrupted, ArtefactMissing
from clinical.frozen import Frozen

SEAL = "sha256"


class Artefact(Frozen):
    """An object's key in the artefacts bucket, and the SHA-256 that its bytes must have."""

    key: str
    sha256: str


class RawObject(Frozen):
    """One version of one object in the raw bucket."""

    key: str
    version_id: str


class Written(Frozen):
    """The size of an object's version in bytes, and when it was written, in whole seconds."""

    size: int
    at: datetime


@dataclass(frozen=True)
class Stored:
    """An object as S3 returned it: its bytes, and the ETag for a conditional write."""

    body: bytes
    etag: str


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


class Bucket(ABC):
    """An S3 bucket. Every method raises StorageDenied, or StorageUnavailable if S3 fails."""

    def __init__(self, name: str) -> None:
        self.name = name

    @abstractmethod
    def get(self, key: str) -> Stored:
        """Read an object; raises ArtefactMissing."""

    @abstractmethod
    def get_if_changed(self, key: str, etag: str) -> Stored | None:
        """Read an object unless it still has this ETag; raises ArtefactMissing."""

    @abstractmethod
    def put(self, key: str, body: bytes) -> str:
        """Write an object unconditionally, and return its ETag."""

    @abstractmethod
    def put_new(self, key: str, body: bytes) -> str:
        """Write an object that must not exist yet; raises PreconditionFailed."""

    @abstractmethod
    def put_over(self, key: str, body: bytes, etag: str) -> str:
        """Write over an object that must still have this ETag; raises PreconditionFailed."""

    @abstractmethod
    def keys(self, prefix: str, suffix: str) -> list[str]:
        """List the keys with this prefix and suffix, sorted."""

    def where(self, key: str) -> str:
        """Return an object's name for error messages."""
        scheme = "" if "://" in self.name else "s3://"
        return f"{scheme}{self.name}/{key}"


class Artefacts:
    """The artefacts of one stage of one run: written to its folder, read from anywhere."""

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
        """Read and verify an artefact; raises ArtefactMissing, ArtefactCorrupted."""
        return read_verified(self.bucket, artefact)


def read_verified(bucket: Bucket, artefact: Artefact) -> bytes:
    """Read and verify an artefact's bytes; raises ArtefactMissing, ArtefactCorrupted."""
    body = bucket.get(artefact.key).body
    found = sha256(body)
    if found != artefact.sha256:
        raise ArtefactCorrupted(
            f"{bucket.where(artefact.key)} has the SHA-256 {found}, expected {artefact.sha256}"
        )
    return body


def sealed_json(value: BaseModel) -> bytes:
    """Return JSON that contains a SHA-256 of the rest of it, for `unsealed_json` to check."""
    plain = value.model_dump(mode="json")
    return canonical_json(plain | {SEAL: sha256(canonical_json(plain))})


def unsealed_json(key: str, body: bytes) -> JsonValue:
    """Parse what `sealed_json` wrote; raises ArtefactCorrupted if it was altered since.

    Files of earlier releases have no seal, and are accepted without one.
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


def read_sealed[Kept: BaseModel](
    bucket: Bucket, key: str, kind: type[Kept], what: str
) -> tuple[Kept, str] | None:
    """Read what `sealed_json` wrote, with the ETag that an overwrite must match.

    Returns None if there is no such object. what: a noun for the error. Raises ArtefactCorrupted if
    the object was altered or has another format.
    """
    try:
        stored = bucket.get(key)
    except ArtefactMissing:
        return None
    try:
        return kind.model_validate(unsealed_json(key, stored.body)), stored.etag
    except ValidationError as error:
        raise ArtefactCorrupted(f"{key} is not a {what} in this release's format") from error


def canonical_json(value: BaseModel | JsonValue) -> bytes:
    """Return canonical JSON: equal values give equal bytes, and so equal digests."""
    plain = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
    return (json.dumps(plain, sort_keys=True, indent=1) + "\n").encode()


def what_to_start() -> str:
    """Return a hint for a local endpoint that does not respond; "" for AWS."""
    elsewhere = os.environ.get("AWS_ENDPOINT_URL")
    return f"; is the local cloud up at {elsewhere}? Start it with `make up`" if elsewhere else ""
