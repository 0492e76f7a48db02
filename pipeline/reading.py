"""Read uploads row by row, leniently; every stage uses this reader.

Whatever has only one interpretation is read, and every leniency is reported; anything else is
refused with its cause. No message repeats a cell, because rows are patients; a column that is not
in the contract is named only if the header is surely a header.
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
    """What was skipped while reading an upload's rows: how many, or which."""

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
        """Yield the rows below the header with their numbers; add the others to `skipped`.

        Raises DatasetUnreadable if a quote breaks a row, or if there are no rows.
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
            raise DatasetUnreadable(f"{self.name} is empty: there are no rows below the header")


def check_readable(name: str, body: bytes, params: Params) -> None:
    """Raise DatasetUnreadable, which names the cause, unless an upload can be read to its end."""
    for _ in Upload(name, body, params).rows(Skipped()):
        pass
