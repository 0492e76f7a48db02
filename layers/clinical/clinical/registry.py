"""The model registry: versions written once, and one pointer that moves by compare-and-swap.

models/<version>/<file>               the version's name is v- and the start of its SHA-256
models/<version>/<execution>/<file>   findings of the execution that made it
models/<version>/manifest.json        written last: a version without it is not published
models/<version>/learning_curve.json  an annex: written once, after publication
models/<version>/population.json      an annex: the distribution of its data
models/<version>/monitoring.json      an annex: updated by each run of the monitor
models/<version>/card.md              the card with the monitoring since, updated likewise
models/champion.json                  the version that serves, who promoted it, and why
models/ledger/<sequence>.json         every champion there has been, as champion.json was then

Manifests, annexes, the pointer and the ledger contain a digest of themselves: a file that was
altered is refused.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel, Field, ValidationError

from clinical import places
from clinical.artefacts import (
    Artefact,
    Bucket,
    Stored,
    read_sealed,
    read_verified,
    sealed_json,
    sha256,
    unsealed_json,
)
from clinical.errors import (
    ArtefactCorrupted,
    ArtefactMissing,
    ChampionMoved,
    ModelUnavailable,
    PreconditionFailed,
    VersionConflict,
    VersionUnknown,
)
from clinical.frozen import Frozen
from clinical.upload import Upload
from clinical.verdict import Verdict

MODEL = places.MODEL
REFERENCE = places.REFERENCE
TRAINING_ROWS = "training_rows.json"
POPULATION = "population.json"
CARD = "card.json"
CARD_TEXT = "card.md"  # of the execution that made it; in the version's folder, as it is since
LEARNING_CURVE = "learning_curve.json"
REFERENCE_PROPERTY = "reference_sha256"  # in the model's graph: the two are one version
ANNEX = "annex"
CHAMPION_KEY = places.CHAMPION_KEY
MAX_WHO, MAX_WHY = 256, 2000  # characters, of a promotion
REVISIONS = 10  # tries to write an annex that others write too


class Version(Frozen):
    """A published model: its files with their digests, its verdict, and its origin.

    upload: the one that it was trained on; None if an earlier release published it.
    """

    version: str
    files: dict[str, Artefact]
    verdict: Verdict
    execution: str
    published_at: datetime
    upload: Upload | None = None

    @property
    def model(self) -> Artefact:
        return self.files[MODEL]

    @property
    def reference(self) -> Artefact:
        return self.files[REFERENCE]

    @property
    def training_rows(self) -> Artefact:
        return self.files[TRAINING_ROWS]

    @property
    def card(self) -> Artefact:
        return self.files[CARD]


class Approval(Frozen):
    """The decision on a candidate: by whom, when and why; by nobody if it expired."""

    decision: Literal["approved", "rejected", "expired"]
    who: str = Field(min_length=1, max_length=MAX_WHO)
    why: str = Field(min_length=1, max_length=MAX_WHY)
    decided_at: datetime

    @property
    def in_words(self) -> str:
        """Describe the decision, to follow a version's name in a sentence."""
        when = f"{self.decided_at:%Y-%m-%d %H:%M} UTC"
        if self.decision == "expired":
            return f"was not approved by {when}: {self.why}"
        return f'was {self.decision} by {self.who} on {when} ("{self.why}")'


class Promotion(Frozen):
    """Who promoted a version, why, and by which execution of the state machine.

    verdict: the version's, from that execution; None if it only named the version.
    upload: the one that the execution read; None likewise.
    approval: the one that it needed; None if no approval was required.
    """

    who: str = Field(min_length=1, max_length=MAX_WHO)
    why: str = Field(min_length=1, max_length=MAX_WHY)
    execution: str
    verdict: Verdict | None = None
    upload: Upload | None = None
    approval: Approval | None = None

    @property
    def by_hand(self) -> bool:
        """Whether a person named the version, rather than a verdict of this execution."""
        return self.verdict is None


class Withdrawal(Frozen):
    """Who replaced a champion by another version, when, and why."""

    who: str
    why: str
    withdrawn_at: datetime


class Champion(Version):
    """The version that serves, with its promotion's number and the version it replaced.

    upload: the newest one that this version was trained on; older ones do not replace it.
    withdrawn: versions that a person replaced, which only a person can restore.
    """

    sequence: int = Field(ge=1)
    promoted_at: datetime
    promotion: Promotion
    previous: str | None
    withdrawn: dict[str, Withdrawal] = Field(default_factory=dict)

    @classmethod
    def of(
        cls,
        version: Version,
        promotion: Promotion,
        over: Self | None,
        promoted_at: datetime,
        last: Self | None,
    ) -> Self:
        """Make a version the champion.

        over: the one that serves. last: of the ledger's last entry, which is newer than `over`
        if the pointer was deleted or restored manually.
        """
        before = max(filter(None, (over, last)), key=lambda one: one.sequence, default=None)
        withdrawn = dict(before.withdrawn) if before else {}
        if promotion.by_hand and over:
            withdrawn[over.version] = Withdrawal(
                who=promotion.who, why=promotion.why, withdrawn_at=promoted_at
            )
        withdrawn.pop(version.version, None)
        is_another = over is None or over.version != version.version
        previous = over.previous if over and not is_another else over and over.version
        return cls(
            **dict(version) | {"upload": promotion.upload or version.upload},
            sequence=before.sequence + 1 if before else 1,
            promoted_at=promoted_at,
            promotion=promotion,
            previous=previous,
            withdrawn=withdrawn,
        )


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

    def publish(  # noqa: PLR0913, PLR0917 - all that a manifest says
        self,
        files: dict[str, bytes],
        findings: dict[str, bytes],
        verdict: Verdict,
        execution: str,
        now: datetime,
        upload: Upload | None = None,
    ) -> Version:
        """Write a version once, its manifest last, so that every listed version is complete.

        files: the version's bytes by name, including model.onnx.
        findings: this execution's bytes by name, including card.json; a retry may write them again.
        Publishing the same model again returns the existing version.
        Raises VersionConflict if a file of this version exists with different bytes.
        """
        name = version_name(files[MODEL])
        if published := self.version(name):
            if published.model.sha256 != sha256(files[MODEL]):
                raise VersionConflict(f"the digests of two models both begin with {name}")
            return published
        folder = f"models/{name}"
        version = Version(
            version=name,
            files={
                **{file: self._write_once(f"{folder}/{file}", files[file]) for file in files},
                **{
                    file: self._write(f"{folder}/{execution}/{file}", findings[file])
                    for file in findings
                },
            },
            verdict=verdict,
            execution=execution,
            published_at=now,
            upload=upload,
        )
        try:
            self.bucket.put_new(_manifest_key(name), sealed_json(version))
        except PreconditionFailed:  # another run published the same model just now
            return self.version(name) or version
        return version

    def version(self, name: str) -> Version | None:
        """Read a published version's manifest; None if there is none.

        Raises ArtefactCorrupted if it is not a manifest.
        """
        try:
            body = self.bucket.get(_manifest_key(name)).body
        except ArtefactMissing:
            return None
        try:
            return Version.model_validate(unsealed_json(_manifest_key(name), body))
        except ValidationError as error:
            raise ArtefactCorrupted(
                f"{_manifest_key(name)} is not a manifest in this release's format"
            ) from error

    def versions(self) -> Iterator[Version]:
        """Read every published version's manifest, newest first."""
        names = {key.split("/")[1] for key in self.bucket.keys("models/v-", "/manifest.json")}
        published = [version for name in names if (version := self.version(name))]
        yield from sorted(published, key=lambda version: version.published_at, reverse=True)

    def verified(self, name: str) -> Version:
        """Read a published version, and check the digest of each of its files.

        Raises VersionUnknown, ArtefactMissing, ArtefactCorrupted.
        """
        version = self.version(name)
        if version is None:
            raise VersionUnknown(f"the registry has no version {name}; `make models` lists them")
        for file in version.files.values():
            read_verified(self.bucket, file)
        return version

    def annotate(self, name: str, annex: str, value: BaseModel) -> Artefact:
        """Add an annex to a published version, and return the one that is there: the first.

        annex: the name of its file. Raises VersionUnknown.
        """
        if self.version(name) is None:
            raise VersionUnknown(f"the registry has no version {name}; `make models` lists them")
        key, body = f"models/{name}/{annex}", sealed_json(value)
        try:
            self.bucket.put_new(key, body)
        except PreconditionFailed:
            body = self.bucket.get(key).body
        return Artefact(key=key, sha256=sha256(body))

    def revise[Annex: BaseModel](
        self, name: str, annex: str, kind: type[Annex], revised: Callable[[Annex | None], Annex]
    ) -> Annex:
        """Update an annex by compare-and-swap, and return what was written.

        revised: makes the new annex from the existing one or None; called again if another run was
        first. Raises ArtefactCorrupted if the existing annex was altered, and PreconditionFailed if
        others were first so often that something else must be wrong.
        """
        key = f"models/{name}/{annex}"
        for tries_left in reversed(range(REVISIONS)):
            there = read_sealed(self.bucket, key, kind, ANNEX)
            made = revised(there and there[0])
            try:
                if there is None:
                    self.bucket.put_new(key, sealed_json(made))
                else:
                    self.bucket.put_over(key, sealed_json(made), there[1])
            except PreconditionFailed:
                if not tries_left:
                    raise
            else:
                break
        return made

    def annex[Annex: BaseModel](self, name: str, annex: str, kind: type[Annex]) -> Annex | None:
        """Read an annex of a version; None if it has none.

        Raises ArtefactCorrupted if it was altered since it was written.
        """
        there = read_sealed(self.bucket, f"models/{name}/{annex}", kind, ANNEX)
        return there and there[0]

    def promote(
        self, version: Version, over: Pointer | None, promotion: Promotion, now: datetime
    ) -> Champion:
        """Promote a version, if the pointer has not moved since the caller read it.

        The pointer is the ledger's last entry. It is entered both before it is replaced and after
        it was moved, so that a crash in between loses none. Numbers continue from the ledger, so
        that no entry is lost either if the pointer was deleted or restored manually.
        Raises ChampionMoved if another promotion was first.
        """
        serving = over.champion if over else None
        champion = Champion.of(version, promotion, serving, now, self._entered_after(serving))
        body = sealed_json(champion)
        try:
            if over is None:
                self.bucket.put_new(CHAMPION_KEY, body)
            else:
                self.enter(over.champion)
                self.bucket.put_over(CHAMPION_KEY, body, over.etag)
        except PreconditionFailed as error:
            there = self.champion()
            # S3's client retries if a response was lost: then the first request has moved it.
            if there is None or there.champion != champion:
                raise ChampionMoved(
                    f"{version.version} was not promoted because another promotion was first"
                ) from error
        self.enter(champion)
        return champion

    def enter(self, champion: Champion) -> None:
        """Enter a promotion in the ledger, unless it is there already."""
        try:
            self.bucket.put_new(_ledger_key(champion.sequence), sealed_json(champion))
        except PreconditionFailed:
            return

    def ledger(self, champion: Champion, entries: int) -> Iterator[Champion]:
        """Read up to a number of promotions, from the champion's backwards."""
        yield champion
        for sequence in range(champion.sequence - 1, max(0, champion.sequence - entries), -1):
            yield _champion(_ledger_key(sequence), self.bucket.get(_ledger_key(sequence)))

    def withdrawn(self, pointer: Pointer | None) -> dict[str, Withdrawal]:
        """Return the versions that a person replaced, even after the pointer was deleted."""
        serving = pointer.champion if pointer else None
        last = self._entered_after(serving) or serving
        return last.withdrawn if last else {}

    def _entered_after(self, champion: Champion | None) -> Champion | None:
        """Read the ledger's last entry, if it is newer than the champion."""
        keys = self.bucket.keys("models/ledger/", ".json")
        if not keys or keys[-1] <= _ledger_key(champion.sequence if champion else 0):
            return None
        return _champion(keys[-1], self.bucket.get(keys[-1]))

    def _write_once(self, key: str, body: bytes) -> Artefact:
        artefact = Artefact(key=key, sha256=sha256(body))
        try:
            self.bucket.put_new(key, body)
        except PreconditionFailed as error:
            if sha256(self.bucket.get(key).body) != artefact.sha256:
                raise VersionConflict(
                    f"{key} exists with different bytes but without a manifest; delete its folder "
                    "and retrain"
                ) from error
        return artefact

    def _write(self, key: str, body: bytes) -> Artefact:
        self.bucket.put(key, body)
        return Artefact(key=key, sha256=sha256(body))


def _pointer(stored: Stored) -> Pointer:
    return Pointer(_champion(CHAMPION_KEY, stored), stored.etag)


def _champion(key: str, stored: Stored) -> Champion:
    try:
        return Champion.model_validate(unsealed_json(key, stored.body))
    except (ArtefactCorrupted, ValidationError) as error:
        raise ArtefactCorrupted(
            f"{key} is not a promotion in this release's format; restore an earlier version of the "
            "object or, if there is none, delete it and retrain"
        ) from error


def _manifest_key(name: str) -> str:
    return f"models/{name}/manifest.json"


def _ledger_key(sequence: int) -> str:
    return f"models/ledger/{sequence:06}.json"
