"""Describe a version's data, for later comparison with requests and outcomes.

The result has counts, and pairs of a predicted and a recorded score, but no patient's row.
"""

from collections.abc import Mapping

import numpy as np
from clinical.params import Params
from clinical.population import LeftOut, Levels, Population
from clinical.recorded import Names
from levels import levels_of, levels_of_scores
from rows import Rows

from retrain.intervals import LeftOut as Predicted

MOST_PAIRS = 5_000  # of left-out rows: more would say the same of a few hundred outcomes
MOST_SCORED = 10_000  # held-out rows whose scores are averaged: each is a score of every choice
DECIMALS = 6  # of a score or a mean: what comes after them depends on the machine

type Array = np.ndarray[tuple[int], np.dtype[np.float64]]


def population_of(
    training: Rows,
    held_out: Rows,
    scores: Mapping[Names, Array],
    left_out: Predicted,
    params: Params,
) -> Population:
    """Count the data set by levels, and keep the predictions that live errors are compared with.

    scores: of held-out rows by the final model, not clamped, by the columns that they are averaged
    over. left_out: out-of-fold predictions of training rows.
    """
    target, decimals = training.target(), params.target.decimals
    served = {
        over: np.round(np.clip(found, *params.scale), decimals) + 0.0
        for over, found in scores.items()
    }
    return Population(
        rows=training.number + held_out.number,
        average=round(float(target.mean()), DECIMALS),
        features=tuple(
            feature_levels(name, (training, held_out), params) for name in params.features
        ),
        scores=tuple(
            levels_of_scores(params.target.column, found, decimals, over)
            for over, found in served.items()
        ),
        score_mean=round(float(served[()].mean()), DECIMALS),
        score_variance=round(float(served[()].var()), DECIMALS),
        left_out=tuple(left_out_pairs(left_out, target, params)),
    )


def feature_levels(name: str, parts: tuple[Rows, ...], params: Params) -> Levels:
    """Count the rows in all parts of a data set by the levels of a feature."""
    kind = params.columns[name]
    names = (name, kind.since_column) if kind.since_column else (name,)
    coded = [part.coded(names) for part in parts]
    distinct = [values for found, _ in coded for values in found]
    counts = np.concatenate([np.bincount(codes, minlength=len(found)) for found, codes in coded])
    return levels_of(name, kind, distinct, counts)


def left_out_pairs(left_out: Predicted, target: Array, params: Params) -> list[LeftOut]:
    """Keep predicted and recorded scores of out-of-fold rows: all, or a sample of many."""
    number = len(left_out.rows)
    drawn = np.random.default_rng(params.seed).permutation(number)[:MOST_PAIRS]
    some = np.sort(drawn)
    recorded = tuple(target[left_out.rows[some]].tolist())
    return [
        LeftOut(
            over=over,
            predicted=tuple(np.round(scores[some], DECIMALS).tolist()),
            recorded=recorded,
        )
        for over, scores in left_out.scores.items()
    ]
