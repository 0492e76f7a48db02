"""Read a complete upload into columns."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import batched
from operator import itemgetter

import numpy as np
from clinical.params import Params
from columns import Coder, Codes, Column
from reading import Skipped, Upload
from wording import counted, listed, quoted

ROWS_AT_ONCE = 10_000  # as lists of cells, which weigh several times what the file does


@dataclass(frozen=True)
class Table:
    """The contract's columns that are present, without blanks around cells.

    columns: in the contract's order. numbers: row numbers (n,), as in a spreadsheet. ragged: the
    numbers of rows with a different width, which are not included. repeated: how often repeated
    columns occur. notes: a sentence for every leniency.
    """

    columns: dict[str, Column]
    numbers: Codes
    ragged: list[int]
    repeated: dict[str, int]
    separator: str
    notes: tuple[str, ...]

    @property
    def rows(self) -> int:
        return len(self.numbers) + len(self.ragged)


def read(name: str, body: bytes, params: Params) -> Table:
    """Read a complete upload.

    name: its key, for messages. Raises DatasetUnreadable, which names the cause.
    """
    upload, skipped = Upload(name, body, params), Skipped()
    places = upload.header.places
    coders = {column: Coder() for column in places}
    codes: dict[str, list[Codes]] = {column: [] for column in places}
    numbers: list[Codes] = []
    for batch in batched(upload.rows(skipped), ROWS_AT_ONCE, strict=False):
        rows = [row for _, row in batch]
        numbers.append(np.fromiter((number for number, _ in batch), np.int64, len(batch)))
        for column, place in places.items():
            coded = map(coders[column].__getitem__, map(itemgetter(place), rows))
            codes[column].append(np.fromiter(coded, np.int32, len(rows)))
    columns, padded = {}, []
    for column in places:
        cells = list(coders.pop(column))
        found = Column(cells, joined(codes.pop(column)))
        columns[column] = found.rewritten({cell: cell.strip() for cell in cells})
        if columns[column] is not found:
            padded.append(column)
    return Table(
        columns=columns,
        numbers=joined(numbers),
        ragged=skipped.ragged,
        repeated={name: len(places) for name, places in upload.header.repeated.items()},
        separator=upload.header.separator,
        notes=(*upload.notes, *told(skipped, padded)),
    )


def joined(parts: list[Codes]) -> Codes:
    return np.concatenate(parts) if parts else np.zeros(0, np.int32)


def told(skipped: Skipped, padded: list[str]) -> Iterator[str]:
    """Describe what was ignored.

    padded: columns with blanks around cells.
    """
    if skipped.empty:
        yield f"{counted(skipped.empty, 'empty row')} ignored."
    if skipped.headers:
        rows = listed(map(str, skipped.headers))
        yield f"{counted(len(skipped.headers), 'repeated header')} ignored: row {rows}."
    if skipped.widened:
        yield f"Empty cells beyond the last column ignored in {counted(skipped.widened, 'row')}."
    if padded:
        yield f"Blanks around cells ignored in {listed(map(quoted, padded))}."
