"""Split the text of an upload into rows of cells, and find rows that a quote breaks."""

import csv
import io
import re
import sys
from collections.abc import Iterator
from itertools import islice

from clinical.errors import DatasetUnreadable

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
SEARCHED_CHARACTERS = 262_144  # at the beginning, for the header
SEARCHED_ROWS = 100
LINE_END = re.compile(r"\r\n|\r|\n")
TAKEN_AT_ONCE = (
    1_000_000  # characters of a text, which take four bytes each to be read line by line
)

type Row = list[str]

csv.field_size_limit(sys.maxsize)  # the whole file is in memory: a limit would guard nothing


def records(name: str, text: str, separator: str, width: int) -> Iterator[tuple[int, Row]]:
    """Yield every row with its number as in a spreadsheet: from 1, empty rows included.

    name: of the upload. width: of the header. Raises DatasetUnreadable, which names the row with a
    quote that is not closed properly, because what follows would be lost.
    """
    reader = csv.reader(lines_of(text), delimiter=separator, strict=True)
    number = lines = 0
    try:
        for number, row in enumerate(reader, 1):
            if reader.line_num > lines + 1 and any(
                _holds_rows(cell, separator, width) for cell in row
            ):
                raise _spoilt(name, number, "a quote is opened and closed only several rows later")
            lines = reader.line_num
            yield number, row
    except csv.Error as error:
        if "end of data" in str(error):
            fault = "a quote is opened and never closed"
        elif reader.line_num > lines + 1:
            fault = "a quote is opened and closed only several rows later"
        else:
            fault = "text follows a closing quote; double any quote inside a cell"
        raise _spoilt(name, number + 1, fault) from error


def lines_of(text: str) -> Iterator[str]:
    """Yield the lines of a text with their ends, without copying all of it."""
    start, length = 0, len(text)
    while start < length:
        end = start + TAKEN_AT_ONCE
        if end < length:
            found = LINE_END.search(text, end)
            end = found.end() if found else length
        yield from io.StringIO(text[start:end], newline="")
        start = end


def first_records(text: str, separator: str) -> list[tuple[int, Row]]:
    """Return the first rows, which may contain the header, up to any faulty quote."""
    beginning = unpadded(text[:SEARCHED_CHARACTERS], separator)
    reader = csv.reader(io.StringIO(beginning, newline=""), delimiter=separator, strict=True)
    found: list[tuple[int, Row]] = []
    try:
        for one in enumerate(islice(reader, SEARCHED_ROWS), 1):
            found.append(one)  # noqa: PERF402 - rows before a fault are kept
    except csv.Error:
        return found  # `records` says where it is, once the separator is known
    return found


def unpadded(text: str, separator: str) -> str:
    """Remove blanks between a separator and a quote, which CSV readers do not expect."""
    blanks = "[ \xa0]" if separator == "\t" else "[ \t\xa0]"
    if not re.search(f'{blanks}"|"{blanks}', text):
        return text
    ends = f"{re.escape(separator)}\r\n"
    whole = rf'(?:(?<=[{ends}])|\A){blanks}*+("(?:[^"]|"")*+"){blanks}*+(?=[{ends}]|\Z)'
    return re.sub(whole, r"\1", text)


def is_empty(row: Row) -> bool:
    """Whether all cells are empty or blank."""
    return not row or (not row[0].strip() and not "".join(row).strip())


def _holds_rows(cell: str, separator: str, width: int) -> bool:
    """Whether a multi-line cell looks like rows that a stray quote has joined."""
    return any(line.count(separator) >= width - 1 for line in LINE_END.split(cell)[1:])


def _spoilt(name: str, row: int, fault: str) -> DatasetUnreadable:
    return DatasetUnreadable(f"{name} cannot be read: in row {row}, {fault}")
