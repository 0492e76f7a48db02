"""Permutation importance of features."""

from collections.abc import Iterator

import numpy as np
from bootstrap import DECIMALS, rmse
from clinical.params import Params
from clinical.verdict import Importance
from figures import clamped
from model.scorer import Scorer

IMPORTANCE_ROWS = 2_000  # of the held-out rows; more say the same and take longer

type Columns = dict[str, np.ndarray[tuple[int], np.dtype[np.generic]]]
type Array = np.ndarray[tuple[int], np.dtype[np.float64]]


def importances(
    scorer: Scorer, columns: Columns, recorded: Array, params: Params
) -> Iterator[Importance]:
    """Measure the increase in RMSE when a feature is shuffled and the others are unchanged.

    Source: Breiman, Random Forests, Machine Learning 45, 2001.
    """
    generator = np.random.default_rng(params.seed)
    rows = generator.permutation(len(recorded))[:IMPORTANCE_ROWS]
    columns = {name: column[rows] for name, column in columns.items()}
    recorded = recorded[rows]

    def error(columns: Columns) -> float:
        return float(rmse(clamped(scorer.score(columns), params) - recorded))

    whole = error(columns)
    for name in params.features:
        growth = [
            error({**columns, name: generator.permutation(columns[name])}) - whole
            for _ in range(params.evaluation.importance_repeats)
        ]
        yield Importance(
            feature=name,
            mean=round(float(np.mean(growth)), DECIMALS),
            std=round(float(np.std(growth)), DECIMALS),
        )
