"""Intervals hold what they promise: 20 data sets with as many seeds, trained and served."""

import sys

import numpy as np
from clinical.params import Params, params
from forest import forest_of
from model.interval import interval_around
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline
from stages.preprocess import one_hot, read_table
from stages.train import conformal, predicted_when_left_out

from data.generate import as_csv, patients
from tests.unit.conftest import smaller

SEEDS = range(20)
TREES = 25  # the method is the same with 200, and takes eight times as long
LEAST, MOST = 165, 192  # of 200: what 99.9 % of binomials of 0.9 lie between


def coverage(seed: int, decisions: Params) -> tuple[int, int]:
    """How many held-out scores of a data set lie within their intervals, and of how many."""
    decisions = decisions.model_copy(update={"seed": seed})
    table = read_table(as_csv(patients(1000, seed)).encode(), decisions)
    training, held_out = train_test_split(
        table, test_size=decisions.split.test_fraction, random_state=seed
    )
    features, target = list(decisions.features.names), decisions.features.target
    model = Pipeline(
        [("encoder", one_hot(decisions)), ("forest", forest_of(decisions.model, decisions))]
    )
    left_out = predicted_when_left_out(model, training[features], training[target], decisions)
    interval = conformal(training[target].to_numpy() - left_out, decisions)
    predicted = model.fit(training[features], training[target]).predict(held_out[features])
    low, high = interval_around(predicted, interval.half_width)
    recorded = held_out[target].to_numpy()
    return int(((low <= recorded) & (recorded <= high)).sum()), len(recorded)


def test_intervals_of_20_data_sets_hold_90_of_100_scores() -> None:
    decisions = smaller(params(), trees=TREES)

    found = [coverage(seed, decisions) for seed in SEEDS]

    held, rows = np.sum(found, axis=0)
    sys.stdout.write(f"{held / rows:.2%} of {rows:,} held-out scores\n")
    assert abs(held / rows - 0.9) <= 0.03
    assert all(LEAST <= one <= MOST for one, _ in found), found
