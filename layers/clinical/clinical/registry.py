"""The model registry: versions written once, and one pointer that moves by compare-and-swap.

models/<version>/<file>        named by what it holds: v- and the start of the model's SHA-256
models/<version>/lineage-<execution>.json
models/<version>/manifest.json written last: a version without it is not published
models/champion.json           the version that serves
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Self

from pydantic import ValidationError

from clinical.artefacts import Artefact, Bucket, Stored, canonical_json, sha256
from clinical.errors import (
    ArtefactCorrupted,
    ArtefactMissing,
    ChampionMoved,
    ModelUnavailable,
    PreconditionFailed,
    VersionConflict,
)
from clinical.params import Frozen

MODEL = "model.onnx"
COMBINATIONS = "valid_combinations.json"
COMBINATIONS_PROPERTY = "valid_combinations_sha256"  # in the model: the two are one version
CHAMPION_KEY = "models/champion.json"


class Version(Frozen):
    """A published model: its files with their digests, and the execution that made it."""

    version: str
    files: dict[str, Artefact]
    lineage: Artefact
    execution: str
    published_at: datetime

    @property
    def model(self) -> Artefact:
        return self.files[MODEL]

    @property
    def combinations(self) -> Artefact:
        return self.files[COMBINATIONS]


class Champion(Version):
    """The version that serves, and since when."""

    promoted_at: datetime

    @classmethod
    def of(cls, version: Version, promoted_at: datetime) -> Self:
        return cls(**dict(version), promoted_at=promoted_at)


@dataclass(frozen=True)
class Pointer:
    """The champion as it was read, and the ETag that moving it must match."""

    champion: Champion
    etag: str


def version_name(onnx: bytes) -> str:
    """Name a model by what it is: the same bytes are the same version."""
    return f"v-{sha256(onnx)[:8]}"


class Registry:
    """The models in an artefacts bucket. Methods raise the storage errors of `Bucket`."""

    def __init__(self, bucket: Bucket) -> None:
        self.bucket = bucket

    def champion(self) -> Pointer | None:
        """Read the pointer, or None where nothing was ever promoted.

        Raises ArtefactCorrupted where it is no pointer.
        """
        try:
            stored = self.bucket.get(CHAMPION_KEY)
        except ArtefactMissing:
            return None
        return _pointer(stored)

    def champion_after(self, pointer: Pointer) -> Pointer | None:
        """Read the pointer if it moved since; raises ModelUnavailable where it is gone.

        Raises ArtefactCorrupted where it is no pointer.
        """
        try:
            stored = self.bucket.get_if_changed(CHAMPION_KEY, pointer.etag)
        except ArtefactMissing as error:
            raise ModelUnavailable(f"{CHAMPION_KEY} was deleted") from error
        if stored is None:
            return None
        return _pointer(stored)

    def publish(
        self, files: dict[str, bytes], lineage: bytes, execution: str, now: datetime
    ) -> Version:
        """Write a version once, its manifest last, so that what is listed is whole.

        files: bytes by name, among them model.onnx and valid_combinations.json.
        lineage: how this execution came to the model; it is the execution's own, so a retry may
        write it again.
        Publishing the same model again answers with what is there.
        Raises VersionConflict where a file of this version exists with other bytes.
        """
        name = version_name(files[MODEL])
        if published := self.version(name):
            if published.model.sha256 != sha256(files[MODEL]):
                raise VersionConflict(f"{name} is the start of two models' digests")
            return published
        lineage_key = f"models/{name}/lineage-{execution}.json"
        self.bucket.put(lineage_key, lineage)
        version = Version(
            version=name,
            lineage=Artefact(key=lineage_key, sha256=sha256(lineage)),
            files={file: self._write_once(f"models/{name}/{file}", files[file]) for file in files},
            execution=execution,
            published_at=now,
        )
        try:
            self.bucket.put_new(_manifest_key(name), canonical_json(version))
        except PreconditionFailed:  # another run published the same model just now
            return self.version(name) or version
        return version

    def version(self, name: str) -> Version | None:
        """Read a published version's manifest, or None where there is none."""
        try:
            return Version.model_validate_json(self.bucket.get(_manifest_key(name)).body)
        except ArtefactMissing:
            return None

    def promote(self, version: Version, over: Pointer | None, now: datetime) -> Champion:
        """Let a version serve, if the pointer is still where the caller saw it.

        Raises ChampionMoved where another promotion came first.
        """
        champion = Champion.of(version, now)
        body = canonical_json(champion)
        try:
            if over is None:
                self.bucket.put_new(CHAMPION_KEY, body)
            else:
                self.bucket.put_over(CHAMPION_KEY, body, over.etag)
        except PreconditionFailed as error:
            raise ChampionMoved(
                f"{version.version} was not promoted: another promotion came first"
            ) from error
        return champion

    def _write_once(self, key: str, body: bytes) -> Artefact:
        artefact = Artefact(key=key, sha256=sha256(body))
        try:
            self.bucket.put_new(key, body)
        except PreconditionFailed as error:
            if sha256(self.bucket.get(key).body) != artefact.sha256:
                raise VersionConflict(
                    f"{key} exists with other bytes and no manifest; delete its folder and retrain"
                ) from error
        return artefact


def _pointer(stored: Stored) -> Pointer:
    try:
        return Pointer(Champion.model_validate_json(stored.body), stored.etag)
    except ValidationError as error:
        raise ArtefactCorrupted(f"{CHAMPION_KEY} does not name a version and its files") from error


def _manifest_key(name: str) -> str:
    return f"models/{name}/manifest.json"
