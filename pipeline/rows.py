"""The canonical rows that `validate` wrote, for the later stages."""

import csv
import hashlib
import io
from collections.abc import Iterable, Sequence

import numpy as np
from clinical.kinds import Value
from clinical.params import Params
from columns import Codes, loaded

# The numpy type of each tensor type, for ONNX Runtime.
DTYPES = {"int64": "int64", "float": "float64", "string": "object"}
WRITTEN_AT_ONCE = 50_000  # rows, as text
MOST_CODES = 2**62  # that an integer tells one from another

type Array = np.ndarray[tuple[int], np.dtype[np.float64]]
type Feature = np.ndarray[tuple[int], np.dtype[np.generic]]
type Values = tuple[Value, ...]


def digests_of(rows: Iterable[Sequence[str]]) -> list[str]:
    """Digest rows of cells, as `Rows.digests` does."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    return [hashlib.sha256(row).hexdigest()[:16] for row in buffer.getvalue().encode().splitlines()]


class Rows:
    """Rows by column: as features, as JSON values, or as canonical cells.

    body: canonical cells, serialised by `columns.dumped`.
    """

    def __init__(self, body: bytes, params: Params) -> None:
        self.columns = loaded(body)
        self.number = min(map(len, self.columns.values()), default=0)
        self._params = params

    def form(self, name: str) -> str | None:
        """Return the canonical form of a column; None if there is no such column."""
        return self._params.columns[name].form if name in self.columns else None

    def values(self, name: str) -> list[Value]:
        """Return a column as JSON values."""
        known = self._known(name)
        return [known[code] for code in self.columns[name].codes.tolist()]

    def features(self) -> dict[str, Feature]:
        """Return the model's features: columns (n,), in its order."""
        return {name: self.feature(name) for name in self._params.features}

    def feature(self, name: str) -> Feature:
        """Return one of the model's features: a column (n,)."""
        kind = self._params.columns[name]
        names = (name, kind.since_column) if kind.since_column else (name,)
        distinct, codes = self.coded(names)
        taken = np.array([kind.feature(*values) for values in distinct], DTYPES[kind.tensor])
        return np.asarray(taken[codes])

    def target(self) -> Array:
        """Return the recorded outcomes (n,), in units of the target."""
        name = self._params.target.column
        return np.asarray(np.array(self._known(name), np.float64)[self.columns[name].codes])

    def together(self, names: Sequence[str]) -> list[Values]:
        """Return each row's values in some columns."""
        distinct, codes = self.coded(names)
        return [distinct[code] for code in codes.tolist()]

    def coded(self, names: Sequence[str]) -> tuple[list[Values], Codes]:
        """Return the distinct combinations of values in some columns, and each row's index (n,).

        The index refers to the list of combinations.
        """
        columns = [self.columns[name] for name in names]
        if len(columns) == 1:
            return [(value,) for value in self._known(names[0])], columns[0].codes
        codes, number = np.zeros(self.number, np.int64), 1
        for column in columns:
            if number * len(column.cells) > MOST_CODES:  # then those that there are, are counted
                there, codes = np.unique(codes, return_inverse=True)
                number = len(there)
            codes = codes * len(column.cells) + column.codes
            number *= len(column.cells)
        _, first, codes = np.unique(codes, return_index=True, return_inverse=True)
        known = [self._known(name) for name in names]
        distinct = [
            tuple(of[column.codes[row]] for of, column in zip(known, columns, strict=True))
            for row in first.tolist()
        ]
        return distinct, codes

    def digests(self, names: Iterable[str]) -> list[str]:
        """Digest every row by its values in some columns, to find rows a model was trained on.

        Digests contain no identifier and have 64 bits: rows with equal values are the same row.
        """
        columns = [self.columns[name] for name in names]
        digests = []
        for start in range(0, self.number, WRITTEN_AT_ONCE):
            some = np.arange(start, min(start + WRITTEN_AT_ONCE, self.number))
            digests += digests_of(zip(*(column.at(some).rows for column in columns), strict=True))
        return digests

    def _known(self, name: str) -> list[Value]:
        """Return the values of a column's distinct cells."""
        kind = self._params.columns[name]
        return [kind.value(cell) for cell in self.columns[name].cells]
