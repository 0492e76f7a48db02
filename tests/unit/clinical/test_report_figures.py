"""The plots' scales."""

import pytest
from clinical.report.figures import Axis, Strip, around

from tests.unit.clinical.reports import around as estimated


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (2.7, 9.6, [4, 6, 8]),
        (-3, 2, [-3, -2, -1, 0, 1, 2]),
        (0.798, 0.802, [0.798, 0.799, 0.8, 0.801, 0.802]),
        (120, 2100, [500, 1000, 1500, 2000]),
    ],
)
def test_ticks_are_round_numbers_within_the_axis(
    low: float, high: float, ticks: list[float]
) -> None:
    assert Axis(low, high, 0, 100).ticks == ticks


def test_an_axis_maps_its_ends_and_clamps_what_is_beyond() -> None:
    axis = Axis(0, 10, 300, 20)

    assert (axis(0), axis(5), axis(10)) == (300, 160, 20)
    assert (axis(-3), axis(12)) == (300, 20)


def test_a_range_is_never_empty() -> None:
    assert around([5, 5]) == (4.8, 5.2)
    assert around([0]) == (-0.04, 0.04)
    assert around([1, 2]) == (0.96, 2.04)


def test_a_strip_holds_its_reference_and_draws_nothing_where_there_is_nothing() -> None:
    strip = Strip.of([estimated(5), None], 0)

    assert strip.low < 0
    assert strip.high > 5.05
    assert "circle" in strip(estimated(5))
    assert "circle" not in strip(None)
    assert Strip.of([None], 0.9).low < 0.9
