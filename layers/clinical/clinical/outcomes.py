"""Outcomes of predictions, as researchers report them: under `outcomes/` in the artefacts bucket.

outcomes/received/<time>-<digest>.jsonl  one report, one outcome per line, never rewritten
outcomes/gathered.jsonl.gz               the outcomes that count from many such files, with the
                                         files' names

The gathered file can be rebuilt from the received files. It is replaced by compare-and-swap, and
lists the files it was built from; received files that it does not list are read as well.
"""

import gzip
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from pydantic import ValidationError

from clinical.artefacts import Bucket, sha256
from clinical.errors import (
    ArtefactCorrupted,
    ArtefactMissing,
    PreconditionFailed,
    StorageDenied,
)
from clinical.frozen import Frozen

RECEIVED = "outcomes/received/"
GATHERED = "outcomes/gathered.jsonl.gz"
UNGATHERED = 32  # files that are read one by one, before they are worth being gathered
ZONES = timedelta(days=1)  # by which a day somewhere may be another than in UTC
AT_ONCE = 50_000  # outcomes in a file

_ID_OF_A_LINE = re.compile(rb'"prediction_id":"([0-9a-f]{32})"')


class Outcome(Frozen):
    """The observed outcome of a predicted patient.

    value: of the target, in its units. observed_at: a day alone means its beginning (UTC).
    received_at: when this system received it. told_by: `api`, or the key of the uploaded file.
    If a prediction has several outcomes, the one observed last counts; if several were observed at
    the same time, the one received last.
    """

    prediction_id: str
    value: float
    observed_at: datetime
    received_at: datetime
    told_by: str

    def counts_over(self, other: "Outcome") -> bool:
        """Whether this outcome counts rather than another one of the same prediction."""
        return self.order > other.order

    def is_before(self, predicted_at: datetime) -> bool:
        """Whether it was observed before the prediction, in every time zone."""
        return (self.observed_at + ZONES).date() < predicted_at.date()

    @property
    def order(self) -> tuple[datetime, datetime, float, str]:
        # The value too, so that the result does not depend on the order of reading.
        return self.observed_at, self.received_at, self.value, self.told_by


class Gathered(Frozen):
    """The first line of the gathered file: the files it was built from, and the rest's digest."""

    received: tuple[str, ...]
    sha256: str


class Outcomes:
    """The reported outcomes. Methods raise the storage errors of `Bucket`.

    They raise ArtefactCorrupted if a file was altered since it was written.
    """

    def __init__(self, bucket: Bucket) -> None:
        self.bucket = bucket

    def receive(self, outcomes: Sequence[Outcome], now: datetime) -> None:
        """Store one report; the same report with the same times is stored once."""
        for start in range(0, len(outcomes), AT_ONCE):
            body = _lines(outcomes[start : start + AT_ONCE])
            name = f"{now.astimezone(UTC):%Y%m%dT%H%M%S}.{now.microsecond:06}Z-{sha256(body)}.jsonl"
            try:
                self.bucket.put_new(RECEIVED + name, body)
            except PreconditionFailed:
                continue  # its name says that it is the same

    def all(self) -> dict[str, Outcome]:
        """Return the outcome that counts for each prediction."""
        return self._read(None)

    def find(self, ids: Collection[str]) -> dict[str, Outcome]:
        """Return the outcome that counts for some predictions; those without one are absent."""
        return self._read(frozenset(one.encode() for one in ids))

    def _read(self, ids: frozenset[bytes] | None) -> dict[str, Outcome]:
        header, lines, etag = self._gathered()
        known = set(header.received)
        new = {
            name: self._received(name)
            for name in (key.removeprefix(RECEIVED) for key in self.bucket.keys(RECEIVED, ".jsonl"))
            if name not in known
        }
        if len(new) >= UNGATHERED:
            everything = counting((lines, *new.values()), None)
            self._gather(everything, (*header.received, *new), etag)
            return (
                everything
                if ids is None
                else {one: outcome for one, outcome in everything.items() if one.encode() in ids}
            )
        return counting((lines, *new.values()), ids)

    def _gather(self, outcomes: dict[str, Outcome], received: Sequence[str], etag: str) -> None:
        lines = _lines([outcomes[one] for one in sorted(outcomes)])
        header = Gathered(received=tuple(sorted(received)), sha256=sha256(lines))
        body = gzip.compress(header.model_dump_json().encode() + b"\n" + lines, mtime=0)
        try:
            if etag:
                self.bucket.put_over(GATHERED, body, etag)
            else:
                self.bucket.put_new(GATHERED, body)
        except (PreconditionFailed, StorageDenied):
            return  # another function gathered them, or will: it only saves reading

    def _gathered(self) -> tuple[Gathered, bytes, str]:
        try:
            stored = self.bucket.get(GATHERED)
        except ArtefactMissing:
            return Gathered(received=(), sha256=""), b"", ""
        try:
            first, _, lines = gzip.decompress(stored.body).partition(b"\n")
            header = Gathered.model_validate_json(first)
        except (OSError, EOFError, ValidationError) as error:
            raise ArtefactCorrupted(f"{GATHERED} is not in this release's format") from error
        if sha256(lines) != header.sha256:
            raise ArtefactCorrupted(f"{GATHERED} was altered since it was written")
        return header, lines, stored.etag

    def _received(self, name: str) -> bytes:
        body = self.bucket.get(RECEIVED + name).body
        if sha256(body) not in name:
            raise ArtefactCorrupted(f"{RECEIVED}{name} was altered since it was written")
        return body


def counting(bodies: Iterable[bytes], ids: frozenset[bytes] | None) -> dict[str, Outcome]:
    """Return the outcome that counts for each prediction, or for those with some ids."""
    found = dict[str, Outcome]()
    for outcome in _outcomes(bodies, ids):
        before = found.get(outcome.prediction_id)
        if before is None or outcome.counts_over(before):
            found[outcome.prediction_id] = outcome
    return found


def _outcomes(bodies: Iterable[bytes], ids: frozenset[bytes] | None) -> Iterator[Outcome]:
    for body in bodies:
        for line in body.splitlines():
            if ids is None or not ids.isdisjoint(_ID_OF_A_LINE.findall(line)):
                yield Outcome.model_validate_json(line)


def _lines(outcomes: Iterable[Outcome]) -> bytes:
    return b"".join(outcome.model_dump_json().encode() + b"\n" for outcome in outcomes)
