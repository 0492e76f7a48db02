"""Read and write the captured predictions in the artefacts bucket.

Only files named in a day's manifest count. The manifest is replaced by compare-and-swap, after the
file it names was written and before the index: a run that is killed in between, repeated, or
concurrent with another leaves files that no manifest names, or repeats lines that exist already.
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
    """The files that count for a day (UTC).

    entries: files by a stable name: `requests`, or `score-<execution>-<part>`.
    indexed: digests of the files whose predictions are in the index.
    """

    date: date
    entries: dict[str, Entry] = Field(default_factory=dict)
    indexed: tuple[str, ...] = ()

    @property
    def not_indexed(self) -> dict[str, Entry]:
        return {name: one for name, one in self.entries.items() if one.sha256 not in self.indexed}


class Watermark(Frozen):
    """The time up to which the API's log has been read."""

    until: datetime


class Captures:
    """The captured predictions. Methods raise the storage errors of `Bucket`.

    They raise ArtefactCorrupted if a file was altered since it was written.
    """

    def __init__(self, bucket: Bucket) -> None:
        self.bucket = bucket

    # ---- Reading ----

    def between(self, since: datetime, until: datetime) -> Iterator[Captured]:
        """Yield each prediction made from `since` up to `until` once, day by day."""
        first, last = (one.astimezone(UTC).date() for one in (since, until))
        for day in self.days():
            if first <= day <= last:
                for captured in self.of_day(day):
                    if since <= captured.predicted_at < until:
                        yield captured

    def of_day(self, day: date) -> Iterator[Captured]:
        """Yield each prediction of a day once, file by file."""
        seen = set[bytes]()
        for line in self.lines(day):
            captured = Captured.of_line(line)
            known = bytes.fromhex(captured.prediction_id)
            if known not in seen:
                seen.add(known)
                yield captured

    def find(self, ids: Collection[str]) -> dict[str, Captured]:
        """Find predictions by id; those that are not captured are absent."""
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
        """Return the day of each prediction, from the index alone."""
        return {one: day for one, (day, _) in self._places(ids).items()}

    def captured_until(self) -> datetime | None:
        """Return the time up to which the API's log has been read; None if it never was."""
        read = self._read(WATERMARK, Watermark)
        return read and read[0].until

    def days(self) -> list[date]:
        """List the days that have captures."""
        keys = self.bucket.keys(f"{FOLDER}/2", "/manifest.json")
        return [date.fromisoformat(key.split("/")[1]) for key in keys]

    def manifest(self, day: date) -> Manifest:
        """Read a day's manifest, which may be empty."""
        read = self._read(_manifest_key(day), Manifest)
        return read[0] if read else Manifest(date=day)

    def lines(self, day: date, name: str | None = None) -> Iterator[bytes]:
        """Yield the lines of a day's files, or of the one with this name."""
        entries = self.manifest(day).entries
        for one in sorted(entries) if name is None else {name} & set(entries):
            yield from self.lines_of(day, entries[one])

    def lines_of(self, day: date, entry: Entry) -> Iterator[bytes]:
        """Yield the lines of a file.

        Captures expire: the oldest files may be gone before the manifest, which was written later.
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
        """Add files to a day, unless their names are taken; return the predictions added."""
        new = dict[str, Entry]()

        def entered(manifest: Manifest) -> Manifest:
            new.clear()
            new.update({name: one for name, one in entries.items() if name not in manifest.entries})
            return manifest.model_copy(update={"entries": {**manifest.entries, **new}})

        self._move(_manifest_key(day), Manifest(date=day), entered)
        return sum(one.predictions for one in new.values())

    def replace(self, day: date, name: str, before: Entry | None, after: Entry) -> None:
        """Replace a file by another; raises PreconditionFailed if another run was first.

        before: the file that `after` was made from.
        """

        def replaced(manifest: Manifest) -> Manifest:
            if manifest.entries.get(name) != before:
                raise PreconditionFailed(f"another run captured {name} of {day} in the meantime")
            return manifest.model_copy(update={"entries": {**manifest.entries, name: after}})

        self._move(_manifest_key(day), Manifest(date=day), replaced)

    def index(self) -> None:
        """Add every prediction to the index, and mark it in its day's manifest.

        All days are checked, because the run that entered a file may have been killed before.
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
        """Move the watermark forward; never back."""
        self._move(
            WATERMARK,
            Watermark(until=until),
            lambda before: Watermark(until=max(before.until, until)),
        )

    def _add_to_index(self, lines: dict[str, set[bytes]], oldest: date) -> None:
        """Add all lines to the index, by their digit.

        Lines of days before the oldest have expired, and are removed.
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
        raise PreconditionFailed(f"{_index_key(digit)} was changed by other runs {TRIES} times")

    def _index(self, digit: str) -> tuple[bytes, str]:
        """Read the index's lines and ETag; both are empty if there is no index yet."""
        key = _index_key(digit)
        try:
            stored = self.bucket.get(key)
        except ArtefactMissing:
            return b"", ""
        return _unsealed_lines(key, stored.body), stored.etag

    def _move[Kept: (Manifest, Watermark)](
        self, key: str, first: Kept, moved: Callable[[Kept], Kept]
    ) -> None:
        """Update an object by compare-and-swap, even if others update it at the same time."""
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
        raise PreconditionFailed(f"{key} was changed by other runs {TRIES} times")

    def _read[Kept: (Manifest, Watermark)](
        self, key: str, kind: type[Kept]
    ) -> tuple[Kept, str] | None:
        return read_sealed(self.bucket, key, kind, kind.__name__.lower())

    def _write(self, key: str, body: bytes, etag: str) -> None:
        """Overwrite the object with this ETag, or create it if the ETag is empty."""
        if etag:
            self.bucket.put_over(key, body, etag)
        else:
            self.bucket.put_new(key, body)


def _indexing(digests: Collection[str]) -> Callable[[Manifest], Manifest]:
    """Mark files as indexed, and drop the marks of files that no longer count."""

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
    """Prefix lines with their digest."""
    return f"{sha256(lines)}\n".encode() + lines


def _unsealed_lines(key: str, body: bytes) -> bytes:
    seal, _, lines = body.partition(b"\n")
    if seal.decode("ascii", "replace") != sha256(lines):
        raise ArtefactCorrupted(f"{key} was altered since it was written")
    return lines


def _merged(known: bytes, new: set[bytes], first: bytes) -> bytes:
    """Merge new lines into an index's sorted lines, without duplicates.

    first: lines of earlier days are dropped if any line is added.
    """
    lines = known.splitlines(keepends=True)
    if new.issubset(lines):
        return known
    kept = (line for line in lines if line[_DAY_OF_A_LINE] >= first)
    return b"".join(sorted(new.union(kept)))


def _line_of(lines: bytes, begins: bytes) -> bytes:
    """Return the sorted line with this prefix; empty if there is none."""
    low, high = 0, len(lines)  # the line, if there is one, begins within
    while low < high:
        start = lines.rfind(b"\n", low, (low + high) // 2) + 1 or low
        end = lines.find(b"\n", start) + 1 or len(lines)
        line = lines[start:end]
        if line.startswith(begins):
            return line.rstrip(b"\n")
        low, high = (end, high) if line < begins else (low, start)
    return b""
