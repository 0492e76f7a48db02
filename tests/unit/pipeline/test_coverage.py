"""Intervals hold what they promise: 20 data sets with as many seeds, trained and served."""

import sys

import numpy as np
from clinical.params import Params, params
from encoding import encoder_of, table_of
from families import family_of, model_of
from intervals import conformal, predicted_when_left_out
from model.scored import interval_around
from rows import Rows
from sklearn.model_selection import train_test_split

from data.generate import as_csv, patients
from tests.unit.conftest import smaller

SEEDS = range(20)
TREES = 25  # the method is the same with 200, and takes eight times as long
LEAST, MOST = 165, 192  # of 200: what 99.9 % of binomials of 0.9 lie between


def coverage(seed: int, decisions: Params) -> tuple[int, int]:
    """How many held-out scores of a data set lie within their intervals, and of how many."""
    decisions = decisions.model_copy(update={"seed": seed})
    rows = Rows(as_csv(patients(1000, seed)).encode(), decisions)
    table, scores = table_of(rows), rows.target()
    training, held_out = train_test_split(
        range(rows.number), test_size=decisions.split.test_fraction, random_state=seed
    )
    model = model_of(family_of(decisions.model, decisions), encoder_of(decisions))
    left_out = predicted_when_left_out(model, table.iloc[training], scores[training], decisions)
    interval = conformal(scores[training] - left_out, decisions)
    predicted = model.fit(table.iloc[training], scores[training]).predict(table.iloc[held_out])
    low, high = interval_around(predicted, interval.half_width, decisions)
    recorded = scores[held_out]
    return int(((low <= recorded) & (recorded <= high)).sum()), len(recorded)


def test_intervals_of_20_data_sets_hold_90_of_100_scores() -> None:
    decisions = smaller(params(), trees=TREES)

    found = [coverage(seed, decisions) for seed in SEEDS]

    held, rows = np.sum(found, axis=0)
    sys.stdout.write(f"{held / rows:.2%} of {rows:,} held-out scores\n")
    assert abs(held / rows - 0.9) <= 0.03
    assert all(LEAST <= one <= MOST for one, _ in found), found
