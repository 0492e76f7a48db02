"""Columns of cells: the distinct cells, and a code for each row.

Every question is asked once per distinct cell, because a column has few of them and may have a
million rows. Between stages, columns are stored in one file, which is the same for the same rows.
"""

import io
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

type Codes = np.ndarray[tuple[int], np.dtype[np.integer]]
type Which = np.ndarray[tuple[int], np.dtype[np.bool_]]

HEADER = "header"  # in the file: the names of the columns, and the cells of each


class Coder(dict[str, int]):
    """Numbers distinct cells in their order of appearance."""

    def __missing__(self, cell: str) -> int:
        self[cell] = code = len(self)
        return code


@dataclass(frozen=True)
class Column:
    """The cells of a column.

    cells: the distinct cells. codes: the index of each row's cell (n,).
    """

    cells: list[str]
    codes: Codes

    @classmethod
    def of(cls, rows: Iterable[str]) -> Self:
        """Build a column from the cell of every row."""
        coder = Coder()
        codes = np.fromiter(map(coder.__getitem__, rows), np.int32)
        return cls(list(coder), codes)

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def rows(self) -> list[str]:
        """The cell of every row."""
        cells = self.cells
        return [cells[code] for code in self.codes.tolist()]

    @property
    def counts(self) -> dict[str, int]:
        """The number of rows with each cell."""
        counted = np.bincount(self.codes, minlength=len(self.cells)).tolist()
        return dict(zip(self.cells, counted, strict=True))

    def rows_with(self, cells: Collection[str]) -> Which:
        """Return which rows have one of these cells: bool array (n,)."""
        among = np.array([cell in cells for cell in self.cells], np.bool_)
        return np.asarray(among[self.codes])

    def rewritten(self, otherwise: Mapping[str, str]) -> "Column":
        """Replace some cells; cells that become equal are merged."""
        others = [otherwise.get(cell, cell) for cell in self.cells]
        if others == self.cells:
            return self
        places = {cell: place for place, cell in enumerate(dict.fromkeys(others))}
        moved = np.array([places[cell] for cell in others], np.int32)
        return Column(list(places), np.asarray(moved[self.codes]))

    def followed_by(self, other: "Column") -> "Column":
        """Append another column's rows."""
        coder = Coder(zip(self.cells, range(len(self.cells)), strict=True))
        moved = np.array([coder[cell] for cell in other.cells], np.int32)
        codes = moved[other.codes] if len(other) else np.zeros(0, np.int32)
        return Column(list(coder), np.concatenate([self.codes, codes]))

    def at(self, rows: Codes) -> "Column":
        """Select rows by index."""
        return Column(self.cells, np.asarray(self.codes[rows]))

    def in_order(self) -> "Column":
        """Drop unused cells and sort the others, so that equal rows give equal columns."""
        there = np.unique(self.codes).tolist()
        cells = sorted(self.cells[code] for code in there)
        places = {cell: place for place, cell in enumerate(cells)}
        moved = np.zeros(len(self.cells), np.min_scalar_type(max(len(cells) - 1, 0)))
        moved[there] = [places[self.cells[code]] for code in there]
        return Column(cells, np.asarray(moved[self.codes]))


def dumped(columns: Mapping[str, Column]) -> bytes:
    """Serialise columns of equal length: the same bytes for the same rows."""
    in_order = {name: column.in_order() for name, column in columns.items()}
    header = json.dumps({name: column.cells for name, column in in_order.items()})
    arrays: dict[str, Any] = {
        HEADER: np.frombuffer(header.encode(), np.uint8),
        **{str(place): column.codes for place, column in enumerate(in_order.values())},
    }
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def loaded(body: bytes) -> dict[str, Column]:
    """Parse what `dumped` wrote."""
    with np.load(io.BytesIO(body), allow_pickle=False) as arrays:
        header = json.loads(arrays[HEADER].tobytes())
        return {
            name: Column(cells, arrays[str(place)])
            for place, (name, cells) in enumerate(header.items())
        }
