"""Score many rows at once, with exactly the answers of `/predict`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from clinical.contract import Violation
from clinical.kinds import Value
from clinical.recorded import Choice, Names
from clinical.reference import example_request
from columns import Codes
from model.loader import Model
from model.scored import interval_around, served
from rows import DTYPES

from score.patients import Fault, Judged

type Array = np.ndarray[tuple[int], np.dtype[np.float64]]
type Columns = dict[str, np.ndarray[tuple[int], np.dtype[np.generic]]]


@dataclass(frozen=True)
class Answers:
    """The answers to rows (n,), in order; `faults` has the rows that are not scored.

    scores, lows, highs: as served, NaN if there is none. supports: training rows with the row's
    combination. averaged: the columns that the score is averaged over. codes: by feature, the index
    of each row's value among the distinct ones. ids: of the predictions, if they have any.
    """

    scores: list[float]
    lows: list[float]
    highs: list[float]
    supports: list[int]
    averaged: list[Names]
    faults: dict[int, tuple[Fault, ...]] = field(default_factory=dict)
    codes: dict[str, Codes] = field(default_factory=dict, compare=False)
    ids: list[str] = field(default_factory=list)


class Combined(NamedTuple):
    """A combination's fault, or what is needed to score it."""

    wrong: Fault | None
    unknown: Names
    support: int


class Scoring:
    """A model that answers rows of cells, by column of the contract."""

    def __init__(self, model: Model, *, decimal_commas: bool = False) -> None:
        self._model = model
        self._params = params = model.params
        self._example = example_request(model.reference, params)
        self._identifier = params.identifier
        self._judged = {
            name: Judged(name, params, decimal_commas=decimal_commas) for name in params.asked
        }
        together, later = params.roles.recorded_together, params.roles.known_after_treatment
        self._combining = tuple(dict.fromkeys((*together, *later)))
        self._known: dict[tuple[tuple[Value, ...], bool], Combined] = {}

    def answers(self, cells: Mapping[str, Sequence[str]], rows: int) -> Answers:
        """Answer rows of cells, by column; absent columns are left out."""
        faults: dict[int, list[Fault]] = {}
        codes: dict[str, Codes] = {}
        others, combining = np.zeros(rows, np.bool_), np.zeros(rows, np.bool_)
        for name, judged in self._judged.items():
            column = cells.get(name) or [""] * rows
            if name == self._identifier:  # each cell is another one, and nothing is made of it
                wrong = judged.faults_in(column, self._example)
            else:
                codes[name] = judged.codes(column, self._example)
                wrong = judged.faults_of(codes[name])
            for row, fault in wrong.items():
                faults.setdefault(row, []).append(fault)
            is_combined = name in self._params.roles.recorded_together
            (combining if is_combined else others)[list(wrong)] = True
        which, combined = self._combinations(codes, others, combining)
        for place, one in enumerate(combined):
            if one.wrong is not None:
                for row in np.flatnonzero((which == place) & ~combining).tolist():
                    faults.setdefault(row, []).append(one.wrong)
        answers = Answers(
            scores=[np.nan] * rows,
            lows=[np.nan] * rows,
            highs=[np.nan] * rows,
            supports=np.array([one.support for one in combined], np.int64)[which].tolist(),
            averaged=[combined[place].unknown for place in which.tolist()],
            faults={row: tuple(found) for row, found in sorted(faults.items())},
            codes={name: codes[name] for name in self._params.features},
        )
        fine = np.ones(rows, np.bool_)
        fine[list(answers.faults)] = False
        for unknown in {one.unknown for one in combined}:
            is_so = np.array([one.unknown == unknown for one in combined], np.bool_)[which]
            self._score(answers, codes, np.flatnonzero(fine & is_so), unknown)
        return answers

    def values(self, name: str) -> list[Value]:
        """Return the distinct values of a column so far, as in requests."""
        return self._judged[name].values

    def _combinations(
        self, codes: Mapping[str, Codes], others: np.ndarray, combining: np.ndarray
    ) -> tuple[Codes, list[Combined]]:
        """Find each row's combination, and what the model knows about each of them.

        others, combining: rows (n,) with faults elsewhere, or within their combination.
        """
        judged = [self._judged[name] for name in self._combining]
        which = others.astype(np.int64)
        for one in judged:
            _, which = np.unique(which * one.number + codes[one.name], return_inverse=True)
        _, first = np.unique(which, return_index=True)
        found = []
        for row in first.tolist():
            values = tuple(one.values[codes[one.name][row]] for one in judged)
            if combining[row]:
                found.append(Combined(None, (), 0))
            else:
                found.append(self._combined(values, aside=bool(others[row])))
        return which, found

    def _combined(self, values: tuple[Value, ...], *, aside: bool) -> Combined:
        """Check a combination.

        aside: whether the row has other faults; then columns known after treatment that are not
        part of the combination are ignored, as in the API.
        """
        key = (values, aside)
        if key not in self._known:
            patient = dict(zip(self._combining, values, strict=True))
            if aside:
                together = self._params.roles.recorded_together
                patient = {**self._example, **{name: patient[name] for name in together}}
            unknown = self._model.unknown(patient)
            wrong = self._model.unrecorded(patient)
            support = 0 if wrong else self._model.support(patient, unknown) or 0
            self._known[key] = Combined(as_fault(wrong) if wrong else None, unknown, support)
        return self._known[key]

    def _score(
        self, answers: Answers, codes: Mapping[str, Codes], rows: Codes, unknown: Names
    ) -> None:
        """Score rows with the same unknown columns, and add the scores as served."""
        if not len(rows):
            return
        of_rows = {name: column[rows] for name, column in codes.items()}
        columns = self._features(of_rows)
        if unknown:
            scores = self._averaged(columns, of_rows, unknown)
        else:
            scores = self._model.scorer.score(columns)
        lows, highs = interval_around(scores, self._half_widths(of_rows, unknown), self._params)
        found = (served(scores, self._params), lows.tolist(), highs.tolist())
        for part, said in zip((answers.scores, answers.lows, answers.highs), found, strict=True):
            if len(rows) == len(part):
                part[:] = said
            else:
                for row, one in zip(rows.tolist(), said, strict=True):
                    part[row] = one

    def _features(self, codes: Mapping[str, Codes]) -> Columns:
        columns: Columns = {}
        for name, kind in self._params.features.items():
            if not kind.since_column:
                columns[name] = self._judged[name].features(codes[name])
                continue
            values, since = (self._judged[one].values for one in (name, kind.since_column))
            pairs = zip(codes[name].tolist(), codes[kind.since_column].tolist(), strict=True)
            columns[name] = np.array(
                [kind.feature(values[one], since[other]) for one, other in pairs],
                DTYPES[kind.tensor],
            )
        return columns

    def _averaged(self, columns: Columns, codes: Mapping[str, Codes], unknown: Names) -> Array:
        """Score rows by the mean over recorded values, as for requests."""
        later = self._model.reference.later
        which, first = self._distinct([*later.rest(unknown)], codes)
        choices: list[Choice] = []
        starts, sizes = [], []
        for row in first.tolist():
            patient = {
                name: self._judged[name].values[codes[name][row]] for name in later.rest(unknown)
            }
            found = later.choices(patient, unknown)
            starts.append(len(choices))
            sizes.append(len(found))
            choices += found
        each = np.array(sizes, np.int64)[which]
        ends = np.cumsum(each)
        within = np.arange(int(ends[-1])) - np.repeat(ends - each, each)
        taken = np.repeat(np.array(starts, np.int64)[which], each) + within
        repeated = {name: np.repeat(column, each) for name, column in columns.items()}
        for place, name in enumerate(unknown):
            kind = self._params.columns[name]
            features = [kind.feature(choice.values[place]) for choice in choices]
            repeated[name] = np.array(features, DTYPES[kind.tensor])[taken]
        weights = np.array([choice.weight for choice in choices])[taken]
        scores: Array = np.add.reduceat(self._model.scorer.score(repeated) * weights, ends - each)
        return scores

    def _half_widths(self, codes: Mapping[str, Codes], unknown: Names) -> float | Array:
        interval = self._model.reference.intervals[unknown]
        if not interval.by:
            return interval.half_width
        which, first = self._distinct(interval.by, codes)
        widths = [
            interval.half_width_of(
                self._model.group_of(
                    {name: self._judged[name].values[codes[name][row]] for name in interval.by}
                )
            )
            for row in first.tolist()
        ]
        return np.array(widths)[which]

    def _distinct(self, names: Sequence[str], codes: Mapping[str, Codes]) -> tuple[Codes, Codes]:
        """Return the index of each row's (n,) combination of columns, and each one's first row."""
        which = np.zeros(len(next(iter(codes.values()))), np.int64)
        for name in names:
            _, which = np.unique(
                which * self._judged[name].number + codes[name], return_inverse=True
            )
        _, first = np.unique(which, return_index=True)
        return which, first


def as_fault(wrong: Violation) -> Fault:
    """Convert a request's violation to a fault."""
    column = str(wrong.loc[1]) if len(wrong.loc) > 1 else None
    return Fault(wrong.type, column, wrong.msg)
