"""Say what each feature adds to a score: exact interventional Shapley values.

A coalition's worth is the mean score of the background rows once they take the coalition's
features from the row explained. With 7 features there are 128 coalitions, few enough to score
every one of them, against every background row, in one batch. Features vary independently of each
other, so some rows scored are treatments that nobody recorded: the values tell what the model
does, not what a drug does. Source: Lundberg and Lee, A Unified Approach to Interpreting Model
Predictions, 2017; Janzing et al., Feature relevance quantification in explainable AI, 2020.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import factorial

import numpy as np

from model.scorer import Columns, Row, Scorer

type Floats = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


@dataclass(frozen=True)
class Explanation:
    """A score is `base_value`, the mean score of the background, plus all contributions."""

    base_value: float
    contributions: dict[str, float]


class Explainer:
    """Explains scores of a model against background rows.

    background: rows with every feature; features: the order of the contributions.
    """

    def __init__(self, scorer: Scorer, background: Sequence[Row], features: Sequence[str]) -> None:
        self._scorer = scorer
        self._features = tuple(features)
        self._background = {
            name: np.array([row[name] for row in background]) for name in self._features
        }
        self._rows = np.arange(len(background))
        # A coalition is a number whose bits are its features.
        self._coalitions = np.arange(2 ** len(self._features))
        self._weights = shapley_weights(len(self._features))

    def explain(self, row: Mapping[str, object]) -> Explanation:
        """Explain the score of a row, by one call of ONNX Runtime."""
        worth = self._worth_of_coalitions(row)
        contributions = self._weights @ worth
        return Explanation(
            base_value=float(worth[0]),
            contributions=dict(zip(self._features, map(float, contributions), strict=True)),
        )

    def _worth_of_coalitions(self, row: Mapping[str, object]) -> Floats:
        differing = sum(
            (self._background[name] != row[name]).astype(np.int64) << bit
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
                coalition >> bit & 1, np.asarray(row[name]), self._background[name][background]
            )
            for bit, name in enumerate(self._features)
        }
        scores = self._scorer.score(columns)
        worth: Floats = scores[where.reshape(pairs.shape)].mean(axis=0)
        return worth


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
