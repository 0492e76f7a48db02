"""Validate a file's cells against the same contract as requests.

A valid cell gives the value that a request would have; an invalid one is described in the API's
words, which come from the request model. Each distinct cell is checked once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from cells import MISSING, SWAPPED, listed
from clinical import api
from clinical.contract import Patient
from clinical.kinds import DECIMAL, Feature, Kind, Value, broken_rule
from clinical.params import Params
from columns import Coder, Codes
from pydantic import ValidationError
from rows import DTYPES

LONGEST_NUMBER = 300  # characters: what is longer is no number that a request could hold


@dataclass(frozen=True)
class Fault:
    """What is wrong with a row: the broken rule, and the API's message.

    column: None if it is the row as a whole.
    """

    rule: str
    column: str | None
    message: str

    def __str__(self) -> str:
        return self.message if self.column is None else f"{self.column}: {self.message}"


class Judged:
    """The distinct cells of a column with their results, in order of appearance."""

    def __init__(self, name: str, params: Params, *, decimal_commas: bool) -> None:
        self.name = name
        self.kind: Kind = params.columns[name]
        self._rules = self.kind.rules()
        self._may_be_empty = name in params.roles.known_after_treatment
        self._missing = MISSING - {value.casefold() for value in listed(self.kind)}
        self._swaps = decimal_commas and self.kind.is_number
        self._coder = Coder()
        self.values: list[Value] = []
        self.faults: list[Fault | None] = []
        self._is_faulty = np.zeros(0, np.bool_)
        self._features: list[Feature] = []

    def codes(self, cells: Sequence[str], example: Mapping[str, Value]) -> Codes:
        """Return the index of each cell (n,) among the distinct ones.

        example: a valid patient.
        """
        codes = np.fromiter(map(self._coder.__getitem__, cells), np.int64, len(cells))
        known = len(self.values)
        if len(self._coder) > known:
            for cell in islice(self._coder, known, None):
                value, fault = self.judged(cell, example)
                self.values.append(value)
                self.faults.append(fault)
            self._is_faulty = np.array([fault is not None for fault in self.faults], np.bool_)
        return codes

    def faults_in(self, cells: Sequence[str], example: Mapping[str, Value]) -> dict[int, Fault]:
        """Find the faults of cells (n,) that are not cached, by row."""
        said = [cell.strip() for cell in cells]
        if self._missing.isdisjoint(map(str.casefold, said)) and all(
            all(map(rule.keeps, said)) for rule in self._rules
        ):
            return {}
        judged = (self.judged(cell, example)[1] for cell in cells)
        return {row: fault for row, fault in enumerate(judged) if fault is not None}

    @property
    def number(self) -> int:
        """The number of distinct cells."""
        return len(self.values)

    def faults_of(self, codes: Codes) -> dict[int, Fault]:
        """Return the faults of rows (n,), by row."""
        if not self._is_faulty.any():
            return {}
        rows = np.flatnonzero(self._is_faulty[codes])
        found = ((row, self.faults[codes[row]]) for row in rows.tolist())
        return {row: fault for row, fault in found if fault is not None}

    def features(self, codes: Codes) -> np.ndarray[tuple[int], np.dtype[np.generic]]:
        """Return the features of valid rows (n,), for kinds that depend on no other column."""
        whole = self.kind.tensor == "int64"  # which has nothing for what is not said
        for value in self.values[len(self._features) :]:
            self._features.append(0 if whole and value is None else self.kind.feature(value))
        return np.array(self._features, DTYPES[self.kind.tensor])[codes]

    def judged(self, cell: str, example: Mapping[str, Value]) -> tuple[Value, Fault | None]:
        """Return the value that a request would have for a cell, or its fault."""
        said = cell.strip()
        if said.casefold() in self._missing:
            said = ""
        elif self._swaps:
            said = said.translate(SWAPPED)
        if not said and self._may_be_empty:
            return None, None
        rule = broken_rule(said, self._rules)
        if rule is None:
            return self.kind.value(self.kind.canonical(said)), None
        return None, Fault(rule, self.name, self._message(said, example))

    def _message(self, said: str, example: Mapping[str, Value]) -> str:
        """Return the API's message for a request with this value."""
        request = {**example, self.name: as_json(said, self.kind)}
        if not said:
            del request[self.name]
        try:
            Patient.model_validate(request)
        except ValidationError as error:
            wrong = (one.msg for one in api.violations(error) if self.name in one.loc)
            return next(wrong, "The value is not allowed")
        return "The value is not allowed"


def as_json(cell: str, kind: Kind) -> Value:
    """Return the JSON value of a raw cell, valid or not."""
    if kind.is_number and len(cell) < LONGEST_NUMBER and DECIMAL.fullmatch(cell):
        return float(cell) if "." in cell else int(cell)
    return cell
