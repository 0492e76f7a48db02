import numpy as np
import pytest
from clinical.params import Params, params
from hypothesis import given
from hypothesis import strategies as st
from model.scored import interval_around, served

from tests.unit.conftest import with_target


def test_an_interval_lies_around_its_score() -> None:
    low, high = interval_around(np.array([6.0, 7.5]), 1.25, params())

    assert low.tolist() == [4.75, 6.25]
    assert high.tolist() == [7.25, 8.75]


def test_an_interval_ends_where_the_scale_does() -> None:
    low, high = interval_around(np.array([0.5, 9.5]), 2.0, params())

    assert low.tolist() == [0.0, 7.5]
    assert high.tolist() == [2.5, 10.0]


def test_a_score_off_the_scale_has_an_interval_on_it() -> None:
    low, high = interval_around(np.array([-3.0, 13.0]), 2.0, params())

    assert low.tolist() == [0.0, 10.0]
    assert high.tolist() == [0.0, 10.0]


@pytest.mark.parametrize(
    ("half_width", "ends"),
    [(1.0001, (3.99, 6.01)), (1.0049, (3.99, 6.01)), (1.0099, (3.99, 6.01)), (1.25, (3.75, 6.25))],
)
def test_ends_are_rounded_outwards(half_width: float, ends: tuple[float, float]) -> None:
    low, high = interval_around(np.array([5.0]), half_width, params())

    assert (low[0], high[0]) == ends


# ONNX Runtime's scores are float32.
@given(st.floats(0, 10, width=32), st.floats(0, 10))
def test_every_interval_holds_its_score_and_all_that_was_measured(
    score: float, half_width: float
) -> None:
    (low,), (high,) = interval_around(np.array([score]), half_width, params())

    assert 0 <= low <= score <= high <= 10
    assert low <= max(0, score - half_width) + 1e-9
    assert high >= min(10, score + half_width) - 1e-9
    assert high - low <= 2 * half_width + 0.02 + 1e-9


@pytest.mark.parametrize(
    ("raw", "as_served"), [(-1.0, 0.0), (10.001, 10.0), (7.126, 7.13), (7.0, 7.0)]
)
def test_a_served_score_is_within_its_scale(raw: float, as_served: float) -> None:
    assert served(np.array([raw]), params()) == [as_served]


@pytest.fixture
def change() -> Params:
    """A study of a change from -120 to 40, which is told in whole numbers."""
    return with_target(params(), lowest=-120, highest=40, decimals=0)


@pytest.mark.parametrize(
    ("raw", "as_served"), [(-130.0, -120.0), (-119.6, -120.0), (-3.4, -3.0), (51.0, 40.0)]
)
def test_a_score_below_0_is_served_on_its_own_scale(
    change: Params, raw: float, as_served: float
) -> None:
    assert served(np.array([raw]), change) == [as_served]


def test_an_interval_below_0_is_rounded_outwards_to_the_targets_decimals(change: Params) -> None:
    low, high = interval_around(np.array([-118.0, -3.4, 39.0]), 4.2, change)

    assert low.tolist() == [-120.0, -8.0, 34.0]
    assert high.tolist() == [-113.0, 1.0, 40.0]
