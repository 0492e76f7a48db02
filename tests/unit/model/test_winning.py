import math
from statistics import NormalDist

import numpy as np
import pytest
from clinical.reference import Differences
from hypothesis import given
from hypothesis import strategies as st
from model.winning import win_probability
from retrain.intervals import differences

RESIDUALS = np.random.default_rng(1).normal(0, 0.7, 800)
OF_THE_NORMAL = differences(RESIDUALS, np.ones(800), 1.0)


@pytest.mark.parametrize("apart", [-3.0, -1.0, -0.2, 0.0, 0.1, 0.5, 1.5, 4.0])
def test_it_is_what_two_normal_residuals_make_of_a_difference(apart: float) -> None:
    expected = NormalDist(0, 0.7 * math.sqrt(2)).cdf(apart)

    assert win_probability(OF_THE_NORMAL, "better")(np.array([apart]))[0] == pytest.approx(
        expected, abs=0.02
    )


def test_two_treatments_alike_are_even() -> None:
    assert win_probability(OF_THE_NORMAL, "better")(np.zeros(1)).tolist() == [0.5]
    assert win_probability(OF_THE_NORMAL, "worse")(np.zeros(1)).tolist() == [0.5]


def test_where_higher_is_worse_the_lower_score_wins() -> None:
    better = win_probability(OF_THE_NORMAL, "better")(np.array([1.0]))
    worse = win_probability(OF_THE_NORMAL, "worse")(np.array([1.0]))

    assert better[0] > 0.8
    assert (better + worse).tolist() == [1.0]


def test_800_residuals_are_sure_of_nothing() -> None:
    (sure,) = win_probability(OF_THE_NORMAL, "better")(np.array([1e9]))

    assert sure == pytest.approx(1 - 0.5 / 801)


def test_a_model_without_residuals_tells_any_two_scores_apart() -> None:
    exact = differences(np.zeros(40), np.zeros(40), 0.0)

    probability = win_probability(exact, "better")(np.array([-1e-6, 0.0, 1e-6]))
    assert probability.tolist() == pytest.approx([0.5 / 41, 0.5, 1 - 0.5 / 41])


@given(
    st.lists(st.floats(-100, 100), min_size=8, max_size=60),
    st.lists(st.floats(-300, 300), min_size=2, max_size=20),
)
def test_a_larger_difference_never_wins_less(residuals: list[float], apart: list[float]) -> None:
    found = differences(np.array(residuals), np.ones(len(residuals)), 1.0)

    won = win_probability(found, "better")(np.array(sorted(apart)))
    assert (np.diff(won) >= 0).all()
    assert ((won > 0) & (won < 1)).all()


def test_many_residuals_say_what_few_of_the_same_say() -> None:
    many = differences(np.repeat(RESIDUALS, 50), np.ones(40_000), 1.0)

    assert np.allclose(many.quantiles, OF_THE_NORMAL.quantiles, atol=0.05)
    assert many.residuals == 40_000


def test_what_a_group_with_wide_intervals_leaves_is_made_as_wide_as_all() -> None:
    wide = np.concatenate([RESIDUALS, 3 * RESIDUALS])
    widths = np.concatenate([np.full(800, 1.0), np.full(800, 3.0)])

    found = differences(wide, widths, 1.0)

    assert np.allclose(found.quantiles[:-10], OF_THE_NORMAL.quantiles[:-10], atol=0.05)


def test_a_reference_of_differences_is_read_as_written() -> None:
    assert Differences.model_validate_json(OF_THE_NORMAL.model_dump_json()) == OF_THE_NORMAL
