"""Write captures: each prediction once, even if runs are killed, repeated or concurrent."""

import gzip
import heapq
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from datetime import date
from typing import IO, Self

from clinical.artefacts import sha256
from clinical.captured import Captured
from clinical.captures import FOLDER, REQUESTS, TRIES, Captures, Entry
from clinical.errors import PreconditionFailed

SORTED_AT_ONCE = 20_000  # predictions in memory
WRITTEN_AT_ONCE = 1024 * 1024  # bytes of lines, so that the same lines are packed the same


def _order(captured: Captured) -> tuple[float, str]:
    return captured.predicted_at.timestamp(), captured.prediction_id


class Found:
    """Predictions found in any order and returned in order; many are buffered on disk."""

    def __init__(self) -> None:
        self._files = ExitStack()
        self._parts: list[IO[bytes]] = []
        self._latest: list[Captured] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._files.close()

    def add(self, captured: Captured) -> None:
        self._latest.append(captured)
        if len(self._latest) == SORTED_AT_ONCE:
            part = self._files.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
            with gzip.open(part, "wb", compresslevel=1) as packed:
                packed.writelines(_line(one) for one in sorted(self._latest, key=_order))
            self._parts.append(part)
            self._latest = []

    def __iter__(self) -> Iterator[Captured]:
        return heapq.merge(
            sorted(self._latest, key=_order), *map(_of_part, self._parts), key=_order
        )


def _of_part(part: IO[bytes]) -> Iterator[Captured]:
    part.seek(0)
    with gzip.open(part, "rb") as lines:
        yield from map(Captured.of_line, lines)


def enter_requests(captures: Captures, day: date, found: Found) -> int:
    """Add the requests of a day to its captures, and return how many are new.

    Existing captures are not changed; predictions found again are ignored.
    """
    for _ in range(TRIES):
        before = captures.manifest(day).entries.get(REQUESTS)
        known = set[bytes]()
        if before:
            known |= {_id(one) for one in _captured(captures, day, before)}
        new = list[int]()
        with tempfile.TemporaryFile() as spool:
            merged = heapq.merge(
                _captured(captures, day, before) if before else (),
                _not_in(known, found, new),
                key=_order,
            )
            written = _write(spool, merged)
            if not new:
                return 0
            after = _put(captures, day, REQUESTS, spool, written)
        try:
            captures.replace(day, REQUESTS, before, after)
        except PreconditionFailed:
            continue
        return len(new)
    raise PreconditionFailed(f"the requests of {day} were changed by other runs {TRIES} times")


def write_file(captures: Captures, day: date, name: str, captured: Iterable[Captured]) -> Entry:
    """Write a file of predictions, in order, which counts once its name is entered."""
    with tempfile.TemporaryFile() as spool:
        return _put(captures, day, name, spool, _write(spool, captured))


def enter(captures: Captures, predictions: Iterable[Captured]) -> int:
    """Capture predictions as if they came from the API's log; return how many are new.

    Used only by simulations and tests.
    """
    with ExitStack() as files:
        by_day = defaultdict[date, Found](lambda: files.enter_context(Found()))
        for one in predictions:
            by_day[one.predicted_at.date()].add(one)
        new = sum(enter_requests(captures, day, by_day[day]) for day in sorted(by_day))
        captures.index()
    return new


def _captured(captures: Captures, day: date, entry: Entry) -> Iterator[Captured]:
    return map(Captured.of_line, captures.lines_of(day, entry))


def _not_in(known: set[bytes], found: Iterable[Captured], new: list[int]) -> Iterator[Captured]:
    """Yield unknown predictions, each once; append an element to `new` for each."""
    for one in found:
        name = _id(one)
        if name not in known:
            known.add(name)
            new.append(1)
            yield one


def _write(spool: IO[bytes], captured: Iterable[Captured]) -> int:
    """Compress the lines of predictions, the same bytes for the same lines; return their number."""
    number, lines, size = 0, list[bytes](), 0
    with gzip.GzipFile("", "wb", fileobj=spool, mtime=0) as packed:
        for one in captured:
            number += 1
            lines.append(_line(one))
            size += len(lines[-1])
            if size >= WRITTEN_AT_ONCE:
                packed.write(b"".join(lines))
                lines, size = [], 0
        packed.write(b"".join(lines))
    return number


def _put(captures: Captures, day: date, name: str, spool: IO[bytes], predictions: int) -> Entry:
    spool.seek(0)
    body = spool.read()
    digest = sha256(body)
    key = f"{FOLDER}/{day}/{name}-{digest[:16]}.jsonl.gz"
    captures.bucket.put(key, body)
    return Entry(key=key, sha256=digest, predictions=predictions)


def _line(captured: Captured) -> bytes:
    return captured.line().encode() + b"\n"


def _id(captured: Captured) -> bytes:
    return bytes.fromhex(captured.prediction_id)
