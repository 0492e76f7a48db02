import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from model.interval import interval_around


def test_an_interval_lies_around_its_score() -> None:
    low, high = interval_around(np.array([6.0, 7.5]), 1.25)

    assert low.tolist() == [4.75, 6.25]
    assert high.tolist() == [7.25, 8.75]


def test_an_interval_ends_where_the_scale_does() -> None:
    low, high = interval_around(np.array([0.5, 9.5]), 2.0)

    assert low.tolist() == [0.0, 7.5]
    assert high.tolist() == [2.5, 10.0]


def test_ends_are_rounded_outwards() -> None:
    low, high = interval_around(np.array([5.0]), 1.0049)

    assert (low[0], high[0]) == (3.99, 6.01)


@given(st.floats(0, 10), st.floats(0, 10))
def test_every_interval_holds_its_score_and_stays_on_the_scale(
    score: float, half_width: float
) -> None:
    low, high = interval_around(np.array([score]), half_width)

    assert 0 <= low[0] <= score <= high[0] <= 10
    assert high[0] - low[0] <= 2 * half_width + 0.02 + 1e-9
