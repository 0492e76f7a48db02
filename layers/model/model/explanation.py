"""Explain a score by each feature's contribution: interventional Shapley values.

A coalition's worth is the mean score of the background rows after they take the coalition's
features from the explained row. With up to ten features, every coalition is scored against every
background row in one batch, and the values are exact. Equal rows are scored once, and a
coalition's worth is kept for later rows with the same values of its features. With more features,
features join in random orders, and a feature's value is the mean of what it adds: an
estimate, given with its standard error. Either way, the contributions add up to the score. Features
vary independently of each other, so some scored rows are treatments that were never recorded: the
values describe what the model does, not what a treatment does.

Source: Lundberg and Lee, A Unified Approach to Interpreting Model Predictions, 2017; Janzing et
al., Feature relevance quantification in explainable AI, 2020; Štrumbelj and Kononenko, Explaining
prediction models and individual predictions with feature contributions, 2014 (sampling); Mitchell
et al., Sampling permutations for Shapley value estimation, 2022 (each order with its reverse).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from math import factorial

import numpy as np

from model.scorer import Columns, Row, Scorer

EXACT_FEATURES = 10  # 1,024 coalitions; 14 features took a second
MOST_KEPT = 2**15  # coalitions whose worth is kept, in 5 to 10 MB
ORDERS = 512  # in which features join, at least
ORDERS_SEED = 0

type Floats = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
type Numbers = np.ndarray[tuple[int, ...], np.dtype[np.int64]]


@dataclass(frozen=True)
class Explanation:
    """A score is `base_value`, the mean score of the background, plus all contributions.

    standard_errors: of the contributions if they are estimates; None if they are exact.
    """

    base_value: float
    contributions: dict[str, float]
    standard_errors: dict[str, float] | None = None


class Explainer:
    """Explains scores of a model against background rows.

    background: rows with every feature; features: the order of the contributions.
    """

    def __init__(self, scorer: Scorer, background: Sequence[Row], features: Sequence[str]) -> None:
        self._scorer = scorer
        self._features = tuple(features)
        self._background = {
            name: column_of([row[name] for row in background]) for name in self._features
        }
        self._rows = np.arange(len(background))
        self._is_exact = len(self._features) <= EXACT_FEATURES
        if self._is_exact:
            # A coalition is a number whose bits are its features.
            coalitions = range(2 ** len(self._features))
            self._members = [
                [bool(one >> bit & 1) for bit in range(len(self._features))] for one in coalitions
            ]
            self._weights = shapley_weights(len(self._features))
            self._first_alike = first_alike([*self._background.values()])
            self._kept: dict[tuple[object, ...], float] = {}

    def explain(self, row: Mapping[str, object]) -> Explanation:
        """Explain the score of a row, by at most one call of ONNX Runtime."""
        return self._exactly(row) if self._is_exact else self._by_permutations(row)

    def _by_permutations(self, row: Mapping[str, object]) -> Explanation:
        """Let the features join each background row in a random order, and in its reverse.

        The two together are one draw, for what one counts too high the other tends to count too
        low. The same row always gets the same orders, and so the same answer.
        """
        features, background = len(self._features), len(self._rows)
        generator = np.random.default_rng(ORDERS_SEED)
        draws = max(2, math.ceil(ORDERS / (2 * background))) * background
        orders = generator.permuted(np.tile(np.arange(features), (draws, 1)), axis=1)
        both = np.stack([orders, orders[:, ::-1]], axis=1).reshape(-1, features)  # (2 draws, m)
        rows = np.repeat(np.tile(self._rows, draws // background), 2)
        # When each feature joins its row: after step s, those that joined at s or before are in.
        joins = np.argsort(both, axis=1)
        steps = np.arange(-1, features)
        joined = joins[:, np.newaxis, :] <= steps[:, np.newaxis]  # (2 draws, m + 1, m)
        columns: Columns = {
            name: np.where(
                joined[:, :, number],
                as_column(row[name], self._background[name]),
                self._background[name][rows][:, np.newaxis],
            ).reshape(-1)
            for number, name in enumerate(self._features)
        }
        worth = self._scorer.score_in_order(columns).reshape(len(rows), features + 1)
        added = np.take_along_axis(np.diff(worth, axis=1), joins, axis=1)
        drawn = added.reshape(draws, 2, features).mean(axis=1)
        # Every background row is drawn equally often: they are strata, and add no error.
        within = drawn.reshape(draws // background, background, features)
        variance = within.var(axis=0, ddof=1).mean(axis=0)
        return Explanation(
            base_value=float(worth[:, 0].mean()),
            contributions=self._named(drawn.mean(axis=0)),
            standard_errors=self._named(np.sqrt(variance / draws)),
        )

    def _named(self, values: Floats) -> dict[str, float]:
        return dict(zip(self._features, values.tolist(), strict=True))

    def _exactly(self, row: Mapping[str, object]) -> Explanation:
        values = [row[name] for name in self._features]
        keys = [(one, *compress(values, has)) for one, has in enumerate(self._members)]
        if len(self._kept) + len(keys) > MOST_KEPT:
            self._kept.clear()
        new = [coalition for coalition, key in enumerate(keys) if key not in self._kept]
        if new:
            worth = self._worth_of(np.array(new), row)
            self._kept |= zip((keys[coalition] for coalition in new), worth.tolist(), strict=True)
        worth = np.array([self._kept[key] for key in keys])
        return Explanation(
            base_value=float(worth[0]),
            contributions=self._named(self._weights @ worth),
        )

    def _worth_of(self, coalitions: Numbers, row: Mapping[str, object]) -> Floats:
        """Average the scores of the background with the features of coalitions (k,) from a row."""
        number = len(self._members)
        # Where a background row already has the explained row's value, taking the feature changes
        # nothing, so the coalition may as well include it.
        same = sum(
            is_same(self._background[name], row[name]).astype(np.int64) << bit
            for bit, name in enumerate(self._features)
        )
        with_same = coalitions[:, np.newaxis] | np.asarray(same)
        # Mixed rows are numbered so that those of one background row are neighbours: they take
        # many of the same branches, and are scored in half the time that a random order takes.
        rows = self._first_alike[with_same, self._rows] * number + with_same
        is_needed = np.zeros(len(self._rows) * number, np.bool_)
        is_needed[rows] = True
        background, coalition = np.divmod(np.flatnonzero(is_needed), number)
        columns: Columns = {
            name: np.where(
                coalition >> bit & 1,
                as_column(row[name], self._background[name]),
                self._background[name][background],
            )
            for bit, name in enumerate(self._features)
        }
        places = np.cumsum(is_needed) - 1
        worth: Floats = self._scorer.score_in_order(columns)[places[rows]].mean(axis=1)
        return worth


type Column = np.ndarray[tuple[int], np.dtype[np.generic]]


def column_of(values: Sequence[object]) -> Column:
    """Make a column of features: words as objects, which np.where never cuts short."""
    return np.array(values, np.object_ if isinstance(values[0], str) else None)


def as_column(value: object, like: Column) -> np.ndarray[tuple[()], np.dtype[np.generic]]:
    return np.asarray(value, np.object_ if like.dtype == np.object_ else None)


def is_same(column: Column, value: object) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Compare each value (n,) with one; two missing values are the same."""
    if isinstance(value, float) and math.isnan(value):
        return np.isnan(column.astype(np.float64))
    alike: np.ndarray[tuple[int], np.dtype[np.bool_]] = column == value
    return alike


def first_alike(columns: Sequence[Column]) -> Numbers:
    """Find, for each row, the first that equals it outside a coalition's features.

    columns: m columns (n,). Returns row numbers (2**m, n), by coalition.
    """
    number = len(columns[0])
    codes = [np.unique(column, return_inverse=True)[1] for column in columns]
    everything = 2 ** len(columns) - 1
    first = np.zeros((everything + 1, number), np.int64)  # outside all features, all rows are equal
    for coalition in reversed(range(everything)):
        bit = next(bit for bit in range(len(columns)) if not coalition >> bit & 1)
        _, firsts, which = np.unique(
            first[coalition | 1 << bit] * number + codes[bit],
            return_index=True,
            return_inverse=True,
        )
        first[coalition] = firsts[which]
    return first


def shapley_weights(features: int) -> Floats:
    """Return the matrix (features, coalitions) from the coalitions' worth to contributions.

    A feature is worth what it adds to each coalition without it, weighed by how many orders of
    joining put just that coalition before it.
    """
    coalitions = np.arange(2**features)
    sizes = np.array([coalition.bit_count() for coalition in coalitions.tolist()])
    joined = np.array(
        [
            factorial(size - 1) * factorial(features - size) / factorial(features) if size else 0
            for size in range(features + 1)
        ]
    )
    left_out = np.append(joined[1:], 0)
    has = (coalitions >> np.arange(features)[:, np.newaxis] & 1).astype(bool)
    weights: Floats = np.where(has, joined[sizes], -left_out[sizes])
    return weights
