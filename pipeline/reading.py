"""Read an upload as people write them: one reader, for `ingest` and `validate`, without pandas.

What can be understood in one way only is read, and every leniency is told in a sentence; what
cannot is refused with its cause. No sentence repeats a cell, for rows are patients; a column that
is not the contract's is named only where its header is surely one.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from operator import itemgetter

from clinical.errors import DatasetUnreadable
from clinical.params import Params
from decoding import decoded
from header import find_header, told
from records import Row, is_empty, records, unpadded
from wording import counted, listed, quoted


@dataclass(frozen=True)
class Table:
    """What was read: the contract's columns that are there, as strings without blanks around them.

    columns: cells, in the contract's order. numbers: of the cells' rows, as a spreadsheet counts.
    ragged: numbers of the rows of another width, which are not among them. repeated: how often a
    column is there that is there more than once. notes: a sentence for every leniency.
    """

    columns: dict[str, list[str]]
    numbers: list[int]
    ragged: list[int]
    repeated: dict[str, int]
    separator: str
    notes: tuple[str, ...]

    @property
    def rows(self) -> int:
        return len(self.numbers) + len(self.ragged)


@dataclass
class Skipped:
    """What the rows of an upload were read without: how many, or which."""

    empty: int = 0
    widened: int = 0
    headers: list[int] = field(default_factory=list)
    ragged: list[int] = field(default_factory=list)


class Upload:
    """An upload whose header was found. Raises DatasetUnreadable, which names the cause."""

    def __init__(self, name: str, body: bytes, params: Params) -> None:
        self.name = name
        text, notes = decoded(name, body)
        if not text.strip():
            raise DatasetUnreadable(f"{name} is empty: it needs a header and at least one row")
        self.header = find_header(name, text, params)
        self.text = unpadded(text, self.header.separator)
        self.notes = [*notes, *told(self.header, params)]
        if self.text != text:
            self.notes.append("Blanks around quoted cells ignored.")

    def rows(self, skipped: Skipped) -> Iterator[tuple[int, Row]]:
        """Give the rows below the header with their numbers; the others go to `skipped`.

        Raises DatasetUnreadable where a quote spoils a row, or there is none.
        """
        header, found = self.header, False
        width = len(header.cells)
        least = max(place for place, cell in enumerate(header.cells, 1) if cell.strip())
        skipped.empty = header.row - 1 - header.declared
        for number, row in records(self.name, self.text, header.separator, width):
            if number <= header.row:
                continue
            if is_empty(row):
                skipped.empty += 1
                continue
            if row == header.cells:
                skipped.headers.append(number)
                continue
            found = True
            if len(row) > width and is_empty(row[width:]):
                skipped.widened += 1
                del row[width:]
            if least <= len(row) <= width:
                yield number, row
            else:
                skipped.ragged.append(number)
        if not found:
            raise DatasetUnreadable(f"{self.name} is empty: there is no row below its header")


def check_readable(name: str, body: bytes, params: Params) -> None:
    """Raise DatasetUnreadable, which names the cause, unless an upload can be read to its end."""
    for _ in Upload(name, body, params).rows(Skipped()):
        pass


def read(name: str, body: bytes, params: Params) -> Table:
    """Read an upload whole.

    name: its key, for the sentence. Raises DatasetUnreadable, which names the cause.
    """
    upload, skipped = Upload(name, body, params), Skipped()
    found = list(upload.rows(skipped))
    rows = list(map(itemgetter(1), found))
    columns, padded = {}, []
    for column, place in upload.header.places.items():
        cells = list(map(itemgetter(place), rows))
        columns[column] = list(map(str.strip, cells))
        if columns[column] != cells:
            padded.append(column)
    return Table(
        columns=columns,
        numbers=list(map(itemgetter(0), found)),
        ragged=skipped.ragged,
        repeated={name: len(places) for name, places in upload.header.repeated.items()},
        separator=upload.header.separator,
        notes=(*upload.notes, *_told(skipped, padded)),
    )


def _told(skipped: Skipped, padded: list[str]) -> Iterator[str]:
    if skipped.empty:
        yield f"{counted(skipped.empty, 'empty row')} ignored."
    if skipped.headers:
        rows = listed(map(str, skipped.headers))
        yield f"{counted(len(skipped.headers), 'repeated header')} ignored: row {rows}."
    if skipped.widened:
        yield f"Empty cells beyond the last column ignored in {counted(skipped.widened, 'row')}."
    if padded:
        yield f"Blanks around cells ignored in {listed(map(quoted, padded))}."
