"""Explain a score by each feature's contribution: interventional Shapley values.

A coalition's worth is the mean score of the background rows after they take the coalition's
features from the explained row. With up to ten features, every coalition is scored against every
background row in one batch, and the values are exact. With more, features join in random orders,
and a feature's value is the mean of what it adds: an estimate, given with its standard error.
Either way, the contributions add up to the score. Features vary independently of each other, so
some scored rows are treatments that were never recorded: the values describe what the model does,
not what a treatment does. Source: Lundberg and Lee, A Unified Approach to Interpreting
Model Predictions, 2017; Janzing et al., Feature relevance quantification in explainable AI, 2020;
Štrumbelj and Kononenko, Explaining prediction models and individual predictions with feature
contributions, 2014 (sampling); Mitchell et al., Sampling permutations for Shapley value
estimation, 2022 (each order with its reverse).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import factorial

import numpy as np

from model.scorer import Columns, Row, Scorer

EXACT_FEATURES = 10  # 1,024 coalitions; 14 features took a second
ORDERS = 512  # in which features join, at least
ORDERS_SEED = 0

type Floats = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


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
            # A coalition is a number; its bits are features.
            self._coalitions = np.arange(2 ** len(self._features))
            self._weights = shapley_weights(len(self._features))

    def explain(self, row: Mapping[str, object]) -> Explanation:
        """Explain the score of a row, with one call of ONNX Runtime."""
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
        worth = self._scorer.score(columns).reshape(len(rows), features + 1)
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
        worth = self._worth_of_coalitions(row)
        contributions = self._weights @ worth
        return Explanation(
            base_value=float(worth[0]),
            contributions=self._named(contributions),
        )

    def _worth_of_coalitions(self, row: Mapping[str, object]) -> Floats:
        differing = sum(
            differs(self._background[name], row[name]).astype(np.int64) << bit
            for bit, name in enumerate(self._features)
        )
        # Where a background row says the same as the row explained, taking the feature changes
        # nothing: about half of all rows need not be scored twice.
        taken = self._coalitions & np.asarray(differing)[:, np.newaxis]
        pairs = self._rows[:, np.newaxis] * len(self._coalitions) + taken
        distinct, where = np.unique(pairs, return_inverse=True)
        background, coalition = np.divmod(distinct, len(self._coalitions))
        columns: Columns = {
            name: np.where(
                coalition >> bit & 1,
                as_column(row[name], self._background[name]),
                self._background[name][background],
            )
            for bit, name in enumerate(self._features)
        }
        scores = self._scorer.score(columns)
        worth: Floats = scores[where.reshape(pairs.shape)].mean(axis=0)
        return worth


type Column = np.ndarray[tuple[int], np.dtype[np.generic]]


def column_of(values: Sequence[object]) -> Column:
    """Make a column of features: words as objects, which np.where never cuts short."""
    return np.array(values, np.object_ if isinstance(values[0], str) else None)


def as_column(value: object, like: Column) -> np.ndarray[tuple[()], np.dtype[np.generic]]:
    return np.asarray(value, np.object_ if like.dtype == np.object_ else None)


def differs(column: Column, value: object) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Tell which values are not the same; what is missing is the same as what is missing."""
    unlike: np.ndarray[tuple[int], np.dtype[np.bool_]] = column != value
    if isinstance(value, float) and math.isnan(value):
        return ~np.isnan(column.astype(np.float64))
    return unlike


def shapley_weights(features: int) -> Floats:
    """Give the matrix (features, coalitions) that makes contributions of the coalitions' worth.

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
