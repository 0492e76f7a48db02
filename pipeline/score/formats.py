"""The formats of scored files; each owns how it is recognised, divided, read and written.

A new format is a class here or in its own module, its entry in `known.py`, and its test.
"""

import gzip
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, ClassVar, override

from clinical.errors import DatasetUnreadable
from clinical.params import Params

from score import texts
from score.answering import Answering
from score.source import BEGINNING, PIECE, Source
from score.state import Details, FormatName, Part, Reading

MOST_PARTS = 1_000  # whose results, and those of the map, a state of 256 KB holds
MOST_PACKED = 256 * 1024 * 1024  # bytes of a file that is read from its beginning to its end
MOST_UNPACKED = 2 * 1024 * 1024 * 1024  # bytes that one part scores in the time it has
MOST_WIDE = 64 * 1024 * 1024  # bytes of a text that is held in memory, for its characters are wide


@dataclass(frozen=True)
class Found:
    """How a file is read, and its parts.

    repeated: how often repeated columns occur. notes: every leniency.
    """

    reading: Reading
    parts: tuple[Part, ...]
    repeated: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


class Format(ABC):
    """A format of files.

    name: also the extension of its files.
    """

    name: ClassVar[FormatName]

    @abstractmethod
    def is_of(self, beginning: bytes) -> bool:
        """Whether a file with this beginning has this format, regardless of its name."""

    @abstractmethod
    def found_out(self, source: Source, params: Params) -> Found:
        """Read a file once to find out how to read it; raises DatasetUnreadable."""

    @abstractmethod
    def answer(
        self, source: Source, part: Part, details: Details, answering: Answering, out: IO[bytes]
    ) -> None:
        """Write a part of the file with its answers; raises DatasetUnreadable."""


class Csv(Format):
    """CSV with any separator, divided into ranges of bytes that end at line ends."""

    name = "csv"

    @override
    def is_of(self, beginning: bytes) -> bool:
        return True

    @override
    def found_out(self, source: Source, params: Params) -> Found:
        beginning = source.beginning
        if is_wide := texts.is_wide(beginning):
            check_whole(source, MOST_WIDE, "UTF-16 or UTF-32")
            beginning = b"".join(source.pieces())
        reading, repeated, notes = texts.found_out(
            source.name, beginning, params, is_whole=len(beginning) == source.size
        )
        if is_wide:
            parts: tuple[Part, ...] = (Part(number=0, start=0, end=source.size, first_row=1),)
        else:
            parts = tuple(divided(source, reading.end.encode()))
        return Found(reading, parts, repeated, tuple(notes))

    @override
    def answer(
        self, source: Source, part: Part, details: Details, answering: Answering, out: IO[bytes]
    ) -> None:
        pieces = iter([source.range(part.start, part.end)])
        write_answers(source.name, pieces, part.first_row, details, answering, out)


class GzippedCsv(Format):
    """A gzipped CSV, with any number of members, processed as one part."""

    name = "csv.gz"

    @override
    def is_of(self, beginning: bytes) -> bool:
        return beginning.startswith(b"\x1f\x8b")

    @override
    def found_out(self, source: Source, params: Params) -> Found:
        check_whole(source, MOST_PACKED, "compressed with gzip")
        beginning, size = b"", 0
        for piece in unpacked(source.name, source.pieces()):
            size += len(piece)
            check_size(source.name, size, MOST_UNPACKED, "a CSV within gzip")
            if texts.is_wide(beginning or piece):
                check_size(source.name, size, MOST_WIDE, "UTF-16 or UTF-32 within gzip")
                beginning += piece
            elif len(beginning) < BEGINNING:
                beginning += piece[: BEGINNING - len(beginning)]
        reading, repeated, notes = texts.found_out(
            source.name, beginning, params, is_whole=len(beginning) == size
        )
        part = Part(number=0, start=0, end=source.size, first_row=1)
        return Found(reading, (part,), repeated, ("Decompressed with gzip.", *notes))

    @override
    def answer(
        self, source: Source, part: Part, details: Details, answering: Answering, out: IO[bytes]
    ) -> None:
        pieces = unpacked(source.name, source.pieces())
        # Without a name and a timestamp, the same rows give the same bytes.
        with gzip.GzipFile("", "wb", compresslevel=6, fileobj=out, mtime=0) as packed:
            write_answers(source.name, pieces, part.first_row, details, answering, packed)


def write_answers(  # noqa: PLR0913, PLR0917 - what is read, how, and where it goes
    name: str,
    pieces: Iterator[bytes],
    first: int,
    details: Details,
    answering: Answering,
    out: IO[bytes] | gzip.GzipFile,
) -> None:
    """Write the lines of a CSV with their answers.

    pieces: of its bytes. first: the number of the first line.
    """
    reading = details.reading
    writer = texts.Writer(reading, details.columns)
    if first == 1:
        out.write(reading.mark.encode(reading.encoding))
    if reading.encoding == "utf-8":
        taken = texts.cut(pieces, reading.end.encode())
    else:  # characters have several bytes, of which each may look like a line's end
        taken = iter([b"".join(pieces)])
    for piece in taken:
        text = texts.text_of(name, piece, first, reading)
        for lines in texts.lines_in(name, text, first, reading):
            answers = answering.answered(lines)
            out.write(writer.written(lines, answers).encode(reading.encoding))
            first = lines.first + len(lines.lines)


def divided(source: Source, end: bytes) -> Iterator[Part]:
    """Divide a text into parts that end at line ends, reading it once."""
    piece = max(PIECE, -(-source.size // MOST_PARTS))
    number = start = read = 0
    first_row = 1
    for body in source.pieces(piece):
        read += len(body)
        rest = 0 if read == source.size else len(body) - (body.rfind(end) + 1)
        if rest < len(body):  # otherwise the line goes on in the next piece
            yield Part(number=number, start=start, end=read - rest, first_row=first_row)
            number, start, first_row = number + 1, read - rest, first_row + body.count(end)


def unpacked(name: str, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Decompress gzip, member by member; raises DatasetUnreadable."""
    unpacking = zlib.decompressobj(wbits=31)
    try:
        for packed in pieces:
            left = packed
            while left:
                if unpacking.eof:
                    left = left.lstrip(b"\0")  # some programs fill up the last block
                    if not left:
                        break
                    unpacking = zlib.decompressobj(wbits=31)
                body = unpacking.decompress(left, PIECE)
                if body:
                    yield body
                left = unpacking.unused_data if unpacking.eof else unpacking.unconsumed_tail
    except zlib.error as error:
        raise DatasetUnreadable(
            f"{name} is truncated or damaged: gzip cannot decompress it"
        ) from error
    if not unpacking.eof:
        raise DatasetUnreadable(f"{name} is truncated: gzip does not find its end")


def check_whole(source: Source, most: int, what: str) -> None:
    """Refuse a file that is too large to be processed as one part."""
    check_size(source.name, source.size, most, what)


def check_size(name: str, size: int, most: int, what: str) -> None:
    """Refuse a size that is too large to be processed as one part."""
    if size > most:
        raise DatasetUnreadable(
            f"{name} is {what} and has more than {most:,} bytes, the limit for files that cannot "
            "be divided; save it as uncompressed CSV UTF-8, which may have any size"
        )
