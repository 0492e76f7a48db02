"""The rows that validate wrote in their canonical form, as later stages read them."""

import csv
import hashlib
import io
from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import TYPE_CHECKING

from clinical.kinds import Value
from clinical.params import Params

if TYPE_CHECKING:
    import numpy as np

    type Array = np.ndarray[tuple[int], np.dtype[np.float64]]
    type Column = np.ndarray[tuple[int], np.dtype[np.generic]]

# What numpy makes of each tensor that a kind may have, before ONNX Runtime takes it.
DTYPES = {"int64": "int64", "float": "float64", "string": "object"}


class Rows:
    """Rows as cells, column by column: as a model takes them, as JSON has them, or as they are."""

    def __init__(self, body: bytes, params: Params) -> None:
        header, *rows = csv.reader(io.StringIO(body.decode(), newline=""))
        self.cells = dict(zip(header, zip(*rows, strict=True), strict=True))
        self.number = len(rows)
        self._params = params

    def form(self, name: str) -> str | None:
        """Name the form in which a column is written; None where there is no such column."""
        return self._params.columns[name].form if name in self.cells else None

    def values(self, name: str) -> list[Value]:
        """Give a column as JSON has it."""
        kind = self._params.columns[name]
        known = {cell: kind.value(cell) for cell in set(self.cells[name])}
        return [known[cell] for cell in self.cells[name]]

    def features(self) -> "dict[str, Column]":
        """Give every feature as the model takes it: columns (n,), in its order."""
        return {name: self.feature(name) for name in self._params.features}

    def feature(self, name: str) -> "Column":
        """Give a feature as the model takes it: a column (n,)."""
        import numpy as np  # noqa: PLC0415 - not every stage that reads rows has it

        kind = self._params.columns[name]
        values = self.values(name)
        since: Iterable[Value] = (
            self.values(kind.since_column) if kind.since_column else repeat(None, len(values))
        )
        pairs = list(zip(values, since, strict=True))
        known = {pair: kind.feature(*pair) for pair in set(pairs)}
        return np.array([known[pair] for pair in pairs], DTYPES[kind.tensor])

    def target(self) -> "Array":
        """Give the recorded outcomes (n,), in units of the target."""
        import numpy as np  # noqa: PLC0415

        return np.array(self.values(self._params.target.column), np.float64)

    def together(self, names: Sequence[str]) -> list[tuple[Value, ...]]:
        """Give what each row says in some columns."""
        if not names:
            return [()] * self.number
        return list(zip(*(self.values(name) for name in names), strict=True))

    def digests(self, names: Iterable[str]) -> list[str]:
        """Name every row by what it says in some columns, to tell if a model was trained on it.

        No identifier is in it, and the digest is cut to 64 bits: two rows that say the same are the
        same row.
        """
        buffer = io.StringIO()
        csv.writer(buffer, lineterminator="\n").writerows(
            zip(*(self.cells[name] for name in names), strict=True)
        )
        rows = buffer.getvalue().encode().splitlines()
        return [hashlib.sha256(row).hexdigest()[:16] for row in rows]
