"""A CSV, line by line: analysed from its beginning, and written back with answers appended.

A row is a line here, so that any part of a file can be read without earlier parts: no column of a
contract contains line breaks, and a quoted one is refused by name. Lines are written unchanged;
answers are appended in the file's own encoding and with its own separator.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from operator import itemgetter

from cells import has_decimal_commas
from clinical.errors import DatasetUnreadable
from clinical.params import Params
from columns import Column
from decoding import INVISIBLE, MARKS, decoded
from header import find_header, told
from records import Row, is_empty, unpadded

from score.scoring import Answers
from score.state import Reading

ROWS_AT_ONCE = 10_000  # that are scored in one call
LOOKED_AT = 10  # times as many rows, to find out what a comma is
END_OF_FILE = "\x1a"  # of DOS
RETURNED = re.compile(r"\r+\Z")  # what stands before a line feed: one, or more after bad copying
FAULTS = {  # by what csv.Error says of a line
    "unexpected end": "a quote is opened and not closed in the same row; scoring reads line by "
    "line, so close it, or remove the line break from the cell",
    "expected after": "text follows a closing quote; double any quote inside a cell",
    "new-line": "a carriage return is inside a row; save the file with one kind of line ending",
}


@dataclass
class Lines:
    """Lines of a file, and which of them are rows.

    lines: without their ends. first: the first line's number, as in a spreadsheet. end: of each
    line, except the last one if it `is_open`.
    rows: the indices of rows. cells: of the rows, by column of the contract.
    refitted: the cells of lines with more or fewer cells than the header, by index.
    misfits: rows that cannot be read because of that.
    empty, headers: the indices of empty lines and of repeated headers.
    """

    lines: list[str]
    first: int
    end: str = "\n"
    is_open: bool = False
    rows: list[int] = field(default_factory=list)
    cells: dict[str, Sequence[str]] = field(default_factory=dict)
    refitted: dict[int, Row] = field(default_factory=dict)
    misfits: dict[int, int] = field(default_factory=dict)
    empty: list[int] = field(default_factory=list)
    headers: list[int] = field(default_factory=list)

    @property
    def numbers(self) -> list[int]:
        """The row numbers, as in a spreadsheet."""
        return [self.first + place for place in self.rows]


def found_out(
    name: str, beginning: bytes, params: Params, *, is_whole: bool
) -> tuple[Reading, dict[str, int], list[str]]:
    """Determine from the beginning of a file how to read it.

    Returns that, how often repeated columns occur, and a sentence for every leniency. Raises
    DatasetUnreadable, which names the cause.
    """
    if not is_whole:  # the last line is likely cut
        end = line_end(beginning.decode("latin-1")).encode()
        beginning = beginning[: beginning.rfind(end) + 1] or beginning
    mark, encoding = next(
        ((mark, codec) for mark, codec, _ in MARKS if beginning.startswith(mark)), (b"", "utf-8")
    )
    text, notes = decoded(name, beginning)
    if not text.strip():
        raise DatasetUnreadable(f"{name} is empty: it needs a header and at least one row")
    header = find_header(name, re.sub(r"\r+\n", "\n", text), params)
    reading = Reading(
        encoding=encoding,
        mark=mark.decode(encoding),
        end=line_end(text),
        separator=header.separator,
        header=tuple(header.cells),
        header_row=header.row,
        fewest=max(place for place, cell in enumerate(header.cells, 1) if cell.strip()),
        places=header.places,
    )
    looked_at = list(islice(lines_in(name, text, 1, reading), LOOKED_AT))
    if is_whole and not any(lines.rows for lines in looked_at):
        raise DatasetUnreadable(f"{name} is empty: there are no rows below the header")
    if header.separator != "," and has_decimal_commas(_numbers(looked_at, params)):
        reading = reading.model_copy(update={"decimal_commas": True})
        notes.append("Decimal commas read as decimal points; the answers have them too.")
    repeated = {column: len(places) for column, places in header.repeated.items()}
    return reading, repeated, [*notes, *told(header, params)]


def _numbers(found: Sequence[Lines], params: Params) -> Iterator[Column]:
    """Yield the numeric columns that are present."""
    for column in found[0].cells if found else ():
        if params.columns[column].is_number:
            yield Column.of(map(str.strip, chain(*(lines.cells[column] for lines in found))))


def is_wide(beginning: bytes) -> bool:
    """Whether a text's mark declares more than one byte per character."""
    return any(beginning.startswith(mark) for mark, codec, _ in MARKS if codec != "utf-8")


def line_end(text: str) -> str:
    """Return the line end: a line feed, or only a carriage return, as on old Macs."""
    return "\r" if "\n" not in text and "\r" in text else "\n"


def text_of(name: str, body: bytes, first: int, reading: Reading) -> str:
    """Return the text of lines, the first of which has this number, without the file's mark.

    Raises DatasetUnreadable if it is not text.
    """
    try:
        text = body.decode(reading.encoding)
    except UnicodeDecodeError as error:
        row = first + body[: error.start].decode(reading.encoding).count(reading.end)
        raise DatasetUnreadable(
            f"{name} cannot be read: row {row} is not valid {reading.encoding.upper()}; save it "
            "as CSV UTF-8"
        ) from error
    if "\x00" in text:
        row = first + text[: text.index("\x00")].count(reading.end)
        raise DatasetUnreadable(f"{name} is not a text file: row {row} contains a NUL byte")
    if first == 1:
        text = text.removeprefix(reading.mark)
    return text.rstrip(END_OF_FILE)


def lines_in(name: str, text: str, first: int, reading: Reading) -> Iterator[Lines]:
    """Split a text into lines, some at a time, and these into cells.

    first: the number of the first line. Raises DatasetUnreadable if a quote breaks a row.
    """
    separator, end = reading.separator, reading.end
    lines = text.split(end)
    as_read = lines if text.isascii() else INVISIBLE.sub("", text).split(end)
    is_open = bool(lines[-1])
    number = len(lines) if is_open else len(lines) - 1
    for start in range(0, number, ROWS_AT_ONCE):
        stop = min(start + ROWS_AT_ONCE, number)
        # A quote that a line leaves open does not affect other lines.
        each = [unpadded(line, separator) if '"' in line else line for line in as_read[start:stop]]
        parsed = _parsed(name, each, first + start, separator)
        found = Lines(lines[start:stop], first + start, end, is_open and stop == number)
        yield _sorted_out(found, parsed, reading)


def _parsed(name: str, lines: list[str], first: int, separator: str) -> list[Row]:
    """Split lines into cells, each by itself."""
    try:
        rows = list(csv.reader(lines, delimiter=separator, strict=True))
    except csv.Error:
        rows = []
    if len(rows) == len(lines):
        return rows
    return [
        _parsed_alone(name, line, number, separator) for number, line in enumerate(lines, first)
    ]


def _parsed_alone(name: str, line: str, number: int, separator: str) -> Row:
    try:
        return next(csv.reader([line], delimiter=separator, strict=True))
    except csv.Error as error:
        fault = next(fault for said, fault in FAULTS.items() if said in str(error))
        raise DatasetUnreadable(f"{name} cannot be read: in row {number}, {fault}") from error


def _sorted_out(found: Lines, parsed: list[Row], reading: Reading) -> Lines:
    """Separate rows from other lines, and rows that fit the header from those that do not."""
    header, width = list(reading.header), len(reading.header)
    kept: list[Row] = []
    if found.first > reading.header_row and _all_fit(parsed, header):
        found.rows, kept, parsed = list(range(len(parsed))), parsed, []
    for place, row in enumerate(parsed):
        if is_empty(row):
            found.empty.append(place)
            if len(row) > 1 and len(row) != width:
                found.refitted[place] = row[:width]
        elif found.first + place < reading.header_row:
            continue  # it says what separates cells
        elif row == header:
            found.headers.append(place)
        else:
            found.rows.append(place)
            kept.append(_fitted(found, place, len(kept), row, reading))
    found.cells = {
        column: list(map(itemgetter(place), kept)) for column, place in reading.places.items()
    }
    return found


def _fitted(found: Lines, place: int, number: int, row: Row, reading: Reading) -> Row:
    """Give a row at least as many cells as the header, and note what does not fit.

    place: the line's index. number: the row's index.
    """
    width = len(reading.header)
    if len(row) == width:
        return row
    if is_empty(row[width:]) and reading.fewest <= len(row):
        row = row[:width]
    else:
        found.misfits[number] = len(row)
    found.refitted[place] = row
    return row + [""] * (width - len(row))


def _all_fit(parsed: list[Row], header: Row) -> bool:
    """Whether all are surely rows as wide as the header, checked without looking at each."""
    return (
        set(map(len, parsed)) == {len(header)}
        and all(map(str.strip, map(itemgetter(0), parsed)))
        and header not in parsed
    )


class Writer:
    """Writes lines with their answers appended.

    columns: the names of the appended columns.
    """

    def __init__(self, reading: Reading, columns: Sequence[str]) -> None:
        self._reading = reading
        self._separator = reading.separator
        self._columns = columns
        # Quoted for readers that detect quotes in the first lines, because problems may come late.
        self._names = [*map(self._quoted, columns[:-1]), f'"{columns[-1]}"']

    def written(self, lines: Lines, answers: Answers) -> str:
        """Return lines with their ends and answers."""
        separator, out = self._separator, list(lines.lines)
        returned = {
            place: found[0]
            for place, line in enumerate(out)
            if line[-1:] == "\r" and (found := RETURNED.search(line))
        }
        for place, returns in returned.items():
            out[place] = out[place].removesuffix(returns)
        for place, row in lines.refitted.items():
            out[place] = self._refitted(row)
        for place in lines.headers:
            out[place] = separator.join([out[place], *self._names])
        for place in lines.empty:
            if separator in out[place]:  # a line without a single one stays as it is
                out[place] += separator * len(self._columns)
        for place, said in zip(lines.rows, self._answers(answers), strict=True):
            out[place] = f"{out[place]}{separator}{said}"
        for place, returns in returned.items():
            out[place] += returns
        return lines.end.join(out if lines.is_open else [*out, ""])

    def _answers(self, answers: Answers) -> Iterator[str]:
        """Yield what is appended to each row."""
        separator = self._separator
        averaged = {names: self._quoted(" + ".join(names)) for names in set(answers.averaged)}
        if self._reading.decimal_commas:
            scores, lows, highs = (
                [repr(one).replace(".", ",") for one in part]
                for part in (answers.scores, answers.lows, answers.highs)
            )
        else:
            scores, lows, highs = (
                list(map(repr, part)) for part in (answers.scores, answers.lows, answers.highs)
            )
        said = [
            f"{name}{separator}{score}{separator}{low}{separator}{high}{separator}{support}"
            f"{separator}{averaged[names]}{separator}"
            for name, score, low, high, support, names in zip(
                *(answers.ids, scores, lows, highs, answers.supports, answers.averaged),
                strict=True,
            )
        ]
        for row, faults in answers.faults.items():
            problem = self._quoted("; ".join(map(str, faults)))
            said[row] = separator * (len(self._columns) - 1) + problem
        return iter(said)

    def _refitted(self, row: Row) -> str:
        """Write a row with as many cells as the header; surplus cells are joined in the last."""
        width = len(self._reading.header)
        cells = row + [""] * (width - len(row))
        last = self._separator.join(cells[width - 1 :])
        return self._separator.join(map(self._quoted, [*cells[: width - 1], last]))

    def _quoted(self, cell: str) -> str:
        if not any(one in cell for one in (self._separator, '"', "\r", "\n")):
            return cell
        doubled = cell.replace('"', '""')
        return f'"{doubled}"'


def cut(pieces: Iterator[bytes], end: bytes) -> Iterator[bytes]:
    """Regroup pieces of bytes so that they end at line ends."""
    kept = b""
    for piece in pieces:
        place = piece.rfind(end) + 1
        if not place:
            kept += piece
            continue
        yield kept + piece[:place]
        kept = piece[place:]
    if kept:
        yield kept
