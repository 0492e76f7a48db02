"""Intervals hold what they promise: 20 data sets with as many seeds, trained and served.

With everything known, and with what nobody knows before the treatment left out.
"""

import sys
from typing import Any

import numpy as np
import pytest
from clinical.params import Params, params
from clinical.recorded import Names
from model.scored import interval_around
from retrain.averaging import Averaging, counting
from retrain.encoding import encoded, fitted_encoder, table_of
from retrain.families import family_of, model_of
from retrain.intervals import by_table, conformal, predicted_when_left_out
from retrain.stages.extract_combinations import valid_combinations
from rows import Rows
from sklearn.model_selection import train_test_split

from data.generate import as_csv, patients
from tests.pipeline import rows_of
from tests.unit.conftest import smaller

SEEDS = range(20)
TREES = 10  # the method is the same with 200, and takes twenty times as long
LEAST, MOST = 165, 192  # of 200: what 99.9% of binomials of 0.9 lie between


type Held = dict[Names, int]


def coverage(seed: int, decisions: Params) -> Held:
    """How many of the 200 held-out scores of a data set lie within their intervals.

    By the columns that were left out of the request.
    """
    decisions = decisions.model_copy(update={"seed": seed})
    drawn = patients(1000, seed)
    parts = train_test_split(drawn, test_size=decisions.split.test_fraction, random_state=seed)
    training, held_out = (rows_with(part, decisions) for part in parts)
    table, target = table_of(training), training.target()
    encoder = fitted_encoder(table, decisions)
    features = encoded(encoder, table)
    model = model_of(family_of(decisions.model, decisions), encoder)
    recorded = valid_combinations(rows_with(drawn, decisions), decisions)
    counted = counting(recorded, training, decisions)
    left_out = predicted_when_left_out(model, features, training, counted, decisions)
    model[-1].fit(features, target)
    averaged = Averaging(held_out, counted(np.arange(training.number)), decisions)
    every = np.arange(held_out.number)
    held = {}
    for over, scores in left_out.scores.items():
        interval = conformal(target - scores, decisions, over)
        predicted = averaged.predict(by_table(model), over, every)
        low, high = interval_around(predicted, interval.half_width, decisions)
        outcomes = held_out.target()
        held[over] = int(((low <= outcomes) & (outcomes <= high)).sum())
    return held


def rows_with(drawn: list[dict[str, Any]], decisions: Params) -> Rows:
    return rows_of(as_csv(drawn), decisions)


@pytest.fixture(scope="module")
def found() -> list[Held]:
    return [coverage(seed, smaller(params(), trees=TREES)) for seed in SEEDS]


@pytest.mark.slow
@pytest.mark.parametrize("over", [(), *params().left_out])
def test_intervals_of_20_data_sets_hold_90_of_100_scores(found: list[Held], over: Names) -> None:
    held = [one[over] for one in found]

    measured = sum(held) / (200 * len(held))
    sys.stdout.write(f"{measured:.2%} of {200 * len(held):,} held-out scores, without {over}\n")
    assert abs(measured - 0.9) <= 0.03
    assert all(LEAST <= one <= MOST for one in held), held
