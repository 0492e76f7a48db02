"""A CSV, line by line: found out about from its beginning, and written back with answers behind.

A row is a line here, so that any part of a file can be read without those before it: no column of a
contract holds line breaks, and a quoted one is refused by name. Lines go out as they came in; what
is added stands behind them, in the file's own encoding and with its own separator.
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from operator import itemgetter

from cells import has_decimal_commas
from clinical.errors import DatasetUnreadable
from clinical.params import Params
from decoding import INVISIBLE, MARKS, decoded
from header import find_header, told
from records import Row, is_empty, unpadded
from tables import read

from score.scoring import Answers
from score.state import Reading

ROWS_AT_ONCE = 10_000  # that are scored in one call
END_OF_FILE = "\x1a"  # of DOS


@dataclass
class Lines:
    """Some lines of a file, and which of them are rows.

    lines: without their ends. first: the first one's number, as a spreadsheet counts. end: of each.
    rows: where rows stand among them. cells: of the rows, by the columns of the contract.
    refitted: rows that have more or fewer cells than the header, by where they stand: their cells.
    misfits: which of the rows cannot be read for that.
    empty, headers: where lines stand that say nothing, or repeat the header.
    """

    lines: list[str]
    first: int
    end: str = "\n"
    rows: list[int] = field(default_factory=list)
    cells: dict[str, Sequence[str]] = field(default_factory=dict)
    refitted: dict[int, Row] = field(default_factory=dict)
    misfits: dict[int, int] = field(default_factory=dict)
    empty: list[int] = field(default_factory=list)
    headers: list[int] = field(default_factory=list)

    @property
    def numbers(self) -> list[int]:
        """The rows' numbers, as a spreadsheet counts."""
        return [self.first + place for place in self.rows]


def found_out(
    name: str, beginning: bytes, params: Params
) -> tuple[Reading, dict[str, int], list[str]]:
    """Find out from the first lines of a file how it is to be read.

    Gives that, how often a column is there that is there more than once, and a sentence for every
    leniency. Raises DatasetUnreadable, which names the cause.
    """
    mark, encoding = next(
        ((mark, codec) for mark, codec, _ in MARKS if beginning.startswith(mark)), (b"", "utf-8")
    )
    text, notes = decoded(name, beginning)
    if not text.strip():
        raise DatasetUnreadable(f"{name} is empty: it needs a header and at least one row")
    header = find_header(name, text, params)
    table = read(name, beginning, params)
    numbers = [cells for column, cells in table.columns.items() if params.columns[column].is_number]
    commas = header.separator != "," and has_decimal_commas(numbers)
    reading = Reading(
        encoding=encoding,
        mark=mark.decode(encoding),
        separator=header.separator,
        header=tuple(header.cells),
        header_row=header.row,
        fewest=max(place for place, cell in enumerate(header.cells, 1) if cell.strip()),
        places=header.places,
        decimal_commas=commas,
    )
    if commas:
        notes.append("Decimal commas read as points, and written in the answers.")
    return reading, table.repeated, [*notes, *told(header, params)]


def is_wide(beginning: bytes) -> bool:
    """Whether a text has more than one byte a character, as its mark says."""
    return any(beginning.startswith(mark) for mark, codec, _ in MARKS if codec != "utf-8")


def line_end(beginning: bytes) -> bytes:
    """Tell what ends a line: a line feed, or alone a carriage return, as old Macs had it."""
    return b"\r" if b"\n" not in beginning and b"\r" in beginning else b"\n"


def text_of(name: str, body: bytes, first: int, reading: Reading) -> str:
    """Give the text of some lines, of which the first has this number; without the file's mark.

    Raises DatasetUnreadable where it is no text.
    """
    try:
        text = body.decode(reading.encoding)
    except UnicodeDecodeError as error:
        row = first + body[: error.start].count(b"\n")
        raise DatasetUnreadable(
            f"{name} cannot be read: row {row} is not valid {reading.encoding.upper()}; save it "
            "as CSV UTF-8"
        ) from error
    if "\x00" in text:
        row = first + text[: text.index("\x00")].count("\n")
        raise DatasetUnreadable(f"{name} is not text: row {row} holds a NUL byte")
    if first == 1:
        text = text.removeprefix(reading.mark)
    return text.rstrip(END_OF_FILE)


def lines_in(name: str, text: str, first: int, reading: Reading) -> Iterator[Lines]:
    """Take a text apart into lines, some at a time, and those into cells.

    first: the number of the first line. Raises DatasetUnreadable where a quote spoils a row.
    """
    end = line_end(text[:1_000_000].encode()).decode()
    plain = text if text.isascii() else INVISIBLE.sub("", text)
    if '"' in plain:
        plain = unpadded(plain, reading.separator)
    lines, as_read = text.split(end), plain.split(end)
    if not lines[-1]:
        lines.pop()
    for start in range(0, len(lines), ROWS_AT_ONCE):
        some = slice(start, min(start + ROWS_AT_ONCE, len(lines)))
        parsed = _parsed(name, as_read[some], first + start, reading.separator)
        yield _sorted_out(Lines(lines[some], first + start, end), parsed, reading)


def _parsed(name: str, lines: list[str], first: int, separator: str) -> list[Row]:
    """Take lines apart, each by itself."""
    fault = "a quoted cell goes on in the next line; scoring reads line by line, so take the "
    fault += "line break out of it"
    try:
        rows = list(csv.reader(lines, delimiter=separator, strict=True))
    except csv.Error:
        fault = "a quote opens that does not close before a separator or the line's end"
    else:
        if len(rows) == len(lines):
            return rows
    for number, line in enumerate(lines, first):
        try:
            list(csv.reader([line], delimiter=separator, strict=True))
        except csv.Error:
            raise DatasetUnreadable(f"{name} cannot be read: in row {number}, {fault}") from None
    raise DatasetUnreadable(f"{name} cannot be read: after row {first}, {fault}")


def _sorted_out(found: Lines, parsed: list[Row], reading: Reading) -> Lines:
    """Tell rows from what stands between them, and those that fit from those that do not."""
    first = found.first
    header, width, fewest = list(reading.header), len(reading.header), reading.fewest
    kept: list[Row] = []
    if first > reading.header_row and _all_fit(parsed, header):
        found.rows, kept, parsed = list(range(len(parsed))), parsed, []
    for place, row in enumerate(parsed):
        if row == header and first + place >= reading.header_row:
            found.headers.append(place)
            continue
        if first + place < reading.header_row:
            continue
        if is_empty(row):
            found.empty.append(place)
            continue
        if len(row) != width:
            if is_empty(row[width:]) and fewest <= len(row):
                row = row[:width] + [""] * (width - len(row))  # noqa: PLW2901
            else:
                found.misfits[len(kept)] = len(row)
            found.refitted[place] = row
            if len(row) < width:
                row = row + [""] * (width - len(row))  # noqa: PLW2901
        found.rows.append(place)
        kept.append(row)
    found.cells = {
        column: list(map(itemgetter(place), kept)) for column, place in reading.places.items()
    }
    return found


def _all_fit(parsed: list[Row], header: Row) -> bool:
    """Whether surely each is a row as wide as the header, told without looking at each."""
    return (
        set(map(len, parsed)) == {len(header)}
        and all(map(str.strip, map(itemgetter(0), parsed)))
        and header not in parsed
    )


class Writer:
    """Writes lines with what is added behind them.

    columns: the names of what is added.
    """

    def __init__(self, reading: Reading, columns: Sequence[str]) -> None:
        self._reading = reading
        self._separator = reading.separator
        self._columns = columns

    def written(self, lines: Lines, answers: Answers) -> str:
        """Give lines, each with its end, and their answers."""
        separator, out = self._separator, list(lines.lines)
        returned = {place for place, line in enumerate(out) if line[-1:] == "\r"}
        for place in returned:
            out[place] = out[place][:-1]
        for place in lines.headers:
            out[place] = separator.join([out[place], *map(self._quoted, self._columns)])
        for place in lines.empty:
            if out[place].strip():  # a line without a single separator stays as it is
                out[place] += separator * len(self._columns)
        for place, row in lines.refitted.items():
            out[place] = self._refitted(row)
        for place, said in zip(lines.rows, self._answers(answers), strict=True):
            out[place] = f"{out[place]}{separator}{said}"
        for place in returned:
            out[place] += "\r"
        return lines.end.join([*out, ""])

    def _answers(self, answers: Answers) -> Iterator[str]:
        """Give what is added to each row."""
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
            f"{score}{separator}{low}{separator}{high}{separator}{support}{separator}"
            f"{averaged[names]}{separator}"
            for score, low, high, support, names in zip(
                scores, lows, highs, answers.supports, answers.averaged, strict=True
            )
        ]
        for row, faults in answers.faults.items():
            problem = self._quoted("; ".join(map(str, faults)))
            said[row] = separator * (len(self._columns) - 1) + problem
        return iter(said)

    def _refitted(self, row: Row) -> str:
        """Write a row with as many cells as the header has; what is too much is in the last one."""
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
    """Cut bytes that come in pieces into pieces that end where lines end."""
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
