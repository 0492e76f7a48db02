"""Take the text of an upload apart into rows of cells, and find the row that a quote spoils."""

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
    """Give every row with its number as a spreadsheet counts: from 1, empty rows among them.

    name: of the upload. width: of the header. Raises DatasetUnreadable, which names the row where a
    quote opens that does not close as it should: what follows it would be lost.
    """
    reader = csv.reader(lines_of(text), delimiter=separator, strict=True)
    number = lines = 0
    try:
        for number, row in enumerate(reader, 1):
            if reader.line_num > lines + 1 and any(
                _holds_rows(cell, separator, width) for cell in row
            ):
                raise _spoilt(name, number, "a quote opens that closes only some rows further down")
            lines = reader.line_num
            yield number, row
    except csv.Error as error:
        if "end of data" in str(error):
            fault = "a quote opens that never closes"
        elif reader.line_num > lines + 1:
            fault = "a quote opens that closes only some rows further down"
        else:
            fault = "text follows a closing quote; a quote within a cell is written twice"
        raise _spoilt(name, number + 1, fault) from error


def lines_of(text: str) -> Iterator[str]:
    """Give the lines of a text, each with its end; it may be large, and is not copied whole."""
    start, length = 0, len(text)
    while start < length:
        end = start + TAKEN_AT_ONCE
        if end < length:
            found = LINE_END.search(text, end)
            end = found.end() if found else length
        yield from io.StringIO(text[start:end], newline="")
        start = end


def first_records(text: str, separator: str) -> list[tuple[int, Row]]:
    """Give the rows among which the header is, as far as quotes let them be told apart."""
    beginning = unpadded(text[:SEARCHED_CHARACTERS], separator)
    reader = csv.reader(io.StringIO(beginning, newline=""), delimiter=separator, strict=True)
    found: list[tuple[int, Row]] = []
    try:
        for one in enumerate(islice(reader, SEARCHED_ROWS), 1):
            found.append(one)  # noqa: PERF402 - what came before a fault stays
    except csv.Error:
        return found  # `records` says where it is, once the separator is known
    return found


def unpadded(text: str, separator: str) -> str:
    """Take away the blanks between a separator and a quote, which no CSV reader expects there."""
    blanks = "[ \xa0]" if separator == "\t" else "[ \t\xa0]"
    if not re.search(f'{blanks}"|"{blanks}', text):
        return text
    ends = f"{re.escape(separator)}\r\n"
    whole = rf'(?:(?<=[{ends}])|\A){blanks}*+("(?:[^"]|"")*+"){blanks}*+(?=[{ends}]|\Z)'
    return re.sub(whole, r"\1", text)


def is_empty(row: Row) -> bool:
    """Whether no cell says anything; blanks do not."""
    return not row or (not row[0].strip() and not "".join(row).strip())


def _holds_rows(cell: str, separator: str, width: int) -> bool:
    """Whether a cell of several lines looks like rows that a stray quote made one cell of."""
    return any(line.count(separator) >= width - 1 for line in LINE_END.split(cell)[1:])


def _spoilt(name: str, row: int, fault: str) -> DatasetUnreadable:
    return DatasetUnreadable(f"{name} cannot be read: in row {row}, {fault}")
