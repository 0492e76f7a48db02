"""Read an upload as people write them, row by row: one reader for all who do.

What can be understood in one way only is read, and every leniency is told in a sentence; what
cannot is refused with its cause. No sentence repeats a cell, for rows are patients; a column that
is not the contract's is named only where its header is surely one.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from clinical.errors import DatasetUnreadable
from clinical.params import Params
from decoding import decoded
from header import find_header, told
from records import Row, is_empty, records, unpadded


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
