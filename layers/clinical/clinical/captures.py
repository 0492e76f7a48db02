"""The captures of the artefacts bucket: which there are, and what they say.

What counts is what a day's manifest names. It is moved by compare-and-swap, after the file that it
names was written and before the index: whoever was killed in between, came twice or at the same
time as another has written files that no manifest names, or lines that are there already.
"""

import gzip
import io
import itertools
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, date, datetime
from functools import partial

from pydantic import Field

from clinical.artefacts import (
    Artefact,
    Bucket,
    read_sealed,
    read_verified,
    sealed_json,
    sha256,
)
from clinical.captured import Captured
from clinical.errors import ArtefactCorrupted, ArtefactMissing, PreconditionFailed
from clinical.frozen import Frozen

FOLDER = "captures"
WATERMARK = f"{FOLDER}/watermark.json"
REQUESTS = "requests"  # the entry of a day's requests, as the API's log tells them
INDEXED_AT_ONCE = 250_000  # predictions
TRIES = 20  # to move what others move at the same time

ID = re.compile("[0-9a-f]{32}")
_DAY_OF_A_LINE = slice(33, 43)  # of the index
_ID_OF_A_LINE = re.compile(rb'"prediction_id":"([0-9a-f]{32})"')


class Entry(Artefact):
    """A file of a day's captures, and how many predictions are in it."""

    predictions: int


class Manifest(Frozen):
    """What counts of a day (UTC).

    entries: files by a name that stays: `requests`, or `score-<execution>-<part>`.
    indexed: digests of those whose predictions the index has.
    """

    date: date
    entries: dict[str, Entry] = Field(default_factory=dict)
    indexed: tuple[str, ...] = ()

    @property
    def not_indexed(self) -> dict[str, Entry]:
        return {name: one for name, one in self.entries.items() if one.sha256 not in self.indexed}


class Watermark(Frozen):
    """Up to when the API's log was read."""

    until: datetime


class Captures:
    """Predictions that were captured. Methods raise the storage errors of `Bucket`.

    They raise ArtefactCorrupted where a file is not as it was written.
    """

    def __init__(self, bucket: Bucket) -> None:
        self.bucket = bucket

    # ---- Reading ----

    def between(self, since: datetime, until: datetime) -> Iterator[Captured]:
        """Give each prediction that was made from `since` up to `until`, once, day by day."""
        first, last = (one.astimezone(UTC).date() for one in (since, until))
        for day in self.days():
            if first <= day <= last:
                for captured in self.of_day(day):
                    if since <= captured.predicted_at < until:
                        yield captured

    def of_day(self, day: date) -> Iterator[Captured]:
        """Give each prediction of a day, once, file by file."""
        seen = set[bytes]()
        for line in self.lines(day):
            captured = Captured.of_line(line)
            known = bytes.fromhex(captured.prediction_id)
            if known not in seen:
                seen.add(known)
                yield captured

    def find(self, ids: Collection[str]) -> dict[str, Captured]:
        """Find predictions by their ids; those that are not captured are not there."""
        wanted: dict[tuple[date, str], set[bytes]] = defaultdict(set)
        for one, (day, name) in self._places(ids).items():
            wanted[day, name].add(one.encode())
        found = dict[str, Captured]()
        for (day, name), of_file in wanted.items():
            for line in self.lines(day, name):
                if of_file.isdisjoint(_ID_OF_A_LINE.findall(line)):
                    continue
                captured = Captured.of_line(line)
                if captured.prediction_id.encode() in of_file:
                    found[captured.prediction_id] = captured
        return found

    def days_of(self, ids: Collection[str]) -> dict[str, date]:
        """Tell on which day predictions were made, by the index alone."""
        return {one: day for one, (day, _) in self._places(ids).items()}

    def captured_until(self) -> datetime | None:
        """Tell up to when the API's log was read; None where it never was."""
        read = self._read(WATERMARK, Watermark)
        return read and read[0].until

    def days(self) -> list[date]:
        """List the days of which something is captured."""
        keys = self.bucket.keys(f"{FOLDER}/2", "/manifest.json")
        return [date.fromisoformat(key.split("/")[1]) for key in keys]

    def manifest(self, day: date) -> Manifest:
        """Read what counts of a day; there may be nothing."""
        read = self._read(_manifest_key(day), Manifest)
        return read[0] if read else Manifest(date=day)

    def lines(self, day: date, name: str | None = None) -> Iterator[bytes]:
        """Give the lines of a day's files, or of the one of a name."""
        entries = self.manifest(day).entries
        for one in sorted(entries) if name is None else {name} & set(entries):
            yield from self.lines_of(day, entries[one])

    def lines_of(self, day: date, entry: Entry) -> Iterator[bytes]:
        """Give the lines of a file.

        Files of the oldest days may be gone before the manifest, which was written after them:
        captures expire.
        """
        try:
            body = read_verified(self.bucket, entry)
        except ArtefactMissing:
            if day in self.days()[:2]:
                return
            raise
        with gzip.open(io.BytesIO(body)) as lines:
            yield from lines

    def _places(self, ids: Collection[str]) -> dict[str, tuple[date, str]]:
        """Look up the day and the file of predictions."""
        found = dict[str, tuple[date, str]]()
        wanted = sorted(one for one in set(ids) if ID.fullmatch(one))
        for digit, of_digit in itertools.groupby(wanted, key=lambda one: one[0]):
            index = self._index(digit)[0]
            for one in of_digit:
                if line := _line_of(index, one.encode()):
                    _, day, name = line.decode().split(" ")
                    found[one] = date.fromisoformat(day), name
        return found

    # ---- Writing ----

    def enter(self, day: date, entries: Mapping[str, Entry]) -> int:
        """Have files count as a day's, unless its names are taken; say how many predictions do."""
        new = dict[str, Entry]()

        def entered(manifest: Manifest) -> Manifest:
            new.clear()
            new.update({name: one for name, one in entries.items() if name not in manifest.entries})
            return manifest.model_copy(update={"entries": {**manifest.entries, **new}})

        self._move(_manifest_key(day), Manifest(date=day), entered)
        return sum(one.predictions for one in new.values())

    def replace(self, day: date, name: str, before: Entry | None, after: Entry) -> None:
        """Have a file count in the place of another; raises PreconditionFailed where it does not.

        before: what counted when `after` was made of it.
        """

        def replaced(manifest: Manifest) -> Manifest:
            if manifest.entries.get(name) != before:
                raise PreconditionFailed(f"{name} of {day} was captured by another run meanwhile")
            return manifest.model_copy(update={"entries": {**manifest.entries, name: after}})

        self._move(_manifest_key(day), Manifest(date=day), replaced)

    def index(self) -> None:
        """Have the index know every prediction: the manifest of its day says so when it does.

        All days are looked at: whoever entered a file may have been killed before it was indexed.
        """
        days = self.days()
        lines: dict[str, set[bytes]] = defaultdict(set)
        done: dict[date, set[str]] = {}
        number = 0
        for day in days:
            entries = self.manifest(day).not_indexed
            for name, entry in entries.items():
                where = f" {day} {name}\n".encode()
                for line in self.lines_of(day, entry):
                    one = Captured.of_line(line).prediction_id
                    lines[one[0]].add(one.encode() + where)
                    number += 1
                    if number % INDEXED_AT_ONCE == 0:
                        self._add_to_index(lines, days[0])
            if entries:
                done[day] = {entry.sha256 for entry in entries.values()}
        self._add_to_index(lines, days[0] if days else date.min)
        for day, digests in done.items():
            self._move(_manifest_key(day), Manifest(date=day), _indexing(digests))

    def move_watermark(self, until: datetime) -> None:
        """Say that the log was read up to then, unless it was read further."""
        self._move(
            WATERMARK,
            Watermark(until=until),
            lambda before: Watermark(until=max(before.until, until)),
        )

    def _add_to_index(self, lines: dict[str, set[bytes]], oldest: date) -> None:
        """Add lines to the index by their digit, and leave none of them.

        Those of days before the oldest are left out of the index then: they expired.
        """
        first = oldest.isoformat().encode()
        for digit in sorted(lines):
            self._rewrite_index(digit, partial(_merged, new=lines.pop(digit), first=first))

    def _rewrite_index(self, digit: str, merged: Callable[[bytes], bytes]) -> None:
        for _ in range(TRIES):
            before, etag = self._index(digit)
            after = merged(before)
            if after == before:
                return
            try:
                self._write(_index_key(digit), _sealed_lines(after), etag)
            except PreconditionFailed:
                continue
            return
        raise PreconditionFailed(f"{_index_key(digit)} moved {TRIES} times meanwhile")

    def _index(self, digit: str) -> tuple[bytes, str]:
        """Read the lines of the index, and the ETag to write over; both are empty without any."""
        key = _index_key(digit)
        try:
            stored = self.bucket.get(key)
        except ArtefactMissing:
            return b"", ""
        return _unsealed_lines(key, stored.body), stored.etag

    def _move[Kept: (Manifest, Watermark)](
        self, key: str, first: Kept, moved: Callable[[Kept], Kept]
    ) -> None:
        """Write anew what is kept under a key, however many others do so at the same time."""
        for _ in range(TRIES):
            read = self._read(key, type(first))
            before, etag = read or (first, "")
            after = moved(before)
            if read and after == before:
                return
            try:
                self._write(key, sealed_json(after), etag)
            except PreconditionFailed:
                continue
            return
        raise PreconditionFailed(f"{key} moved {TRIES} times meanwhile")

    def _read[Kept: (Manifest, Watermark)](
        self, key: str, kind: type[Kept]
    ) -> tuple[Kept, str] | None:
        return read_sealed(self.bucket, key, kind, kind.__name__.lower())

    def _write(self, key: str, body: bytes, etag: str) -> None:
        """Write over what had this ETag, or what was not there yet where it is empty."""
        if etag:
            self.bucket.put_over(key, body, etag)
        else:
            self.bucket.put_new(key, body)


def _indexing(digests: Collection[str]) -> Callable[[Manifest], Manifest]:
    """Say of some files that the index has them, and of no file that counts no more."""

    def indexed(manifest: Manifest) -> Manifest:
        there = {entry.sha256 for entry in manifest.entries.values()}
        return manifest.model_copy(
            update={"indexed": tuple(sorted(there & {*manifest.indexed, *digests}))}
        )

    return indexed


def _manifest_key(day: date) -> str:
    return f"{FOLDER}/{day}/manifest.json"


def _index_key(digit: str) -> str:
    return f"{FOLDER}/ids/{digit}"


def _sealed_lines(lines: bytes) -> bytes:
    """Put the digest of some lines before them."""
    return f"{sha256(lines)}\n".encode() + lines


def _unsealed_lines(key: str, body: bytes) -> bytes:
    seal, _, lines = body.partition(b"\n")
    if seal.decode("ascii", "replace") != sha256(lines):
        raise ArtefactCorrupted(f"{key} was altered since it was written")
    return lines


def _merged(known: bytes, new: set[bytes], first: bytes) -> bytes:
    """Add lines to those of an index, in their order, unless they are there.

    first: the day before which lines are left out, where any is added.
    """
    lines = known.splitlines(keepends=True)
    if new.issubset(lines):
        return known
    kept = (line for line in lines if line[_DAY_OF_A_LINE] >= first)
    return b"".join(sorted(new.union(kept)))


def _line_of(lines: bytes, begins: bytes) -> bytes:
    """Find the line that begins so among sorted lines; empty without any."""
    low, high = 0, len(lines)  # the line, if there is one, begins within
    while low < high:
        start = lines.rfind(b"\n", low, (low + high) // 2) + 1 or low
        end = lines.find(b"\n", start) + 1 or len(lines)
        line = lines[start:end]
        if line.startswith(begins):
            return line.rstrip(b"\n")
        low, high = (end, high) if line < begins else (low, start)
    return b""
