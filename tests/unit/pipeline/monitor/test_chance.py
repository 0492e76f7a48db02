import numpy as np
import pytest
from monitor.chance import (
    ENOUGH,
    Array,
    deals_for,
    joint,
    mean_p_value,
    p_value_of,
    shares_p_value,
    standardised,
)
from scipy import stats


def test_a_difference_of_shares_is_told_in_standard_errors() -> None:
    found = standardised(np.array([700, 300]), np.array([60, 40]))

    error = np.sqrt(760 / 1100 * 340 / 1100 * (1 / 1000 + 1 / 100))
    assert found == pytest.approx([-0.1 / error, 0.1 / error])


def test_equal_shares_are_no_difference() -> None:
    assert standardised(np.array([30, 10, 0]), np.array([3, 1, 0])).tolist() == [0, 0, 0]


def test_of_two_levels_the_probability_is_fishers() -> None:
    reference, window = np.array([180, 20]), np.array([80, 20])

    found = shares_p_value(reference, window, np.random.default_rng(1), 20_000)

    # The deals as far from what is expected, on either side: of 40 of 300, 13.3 in the window.
    outside = stats.hypergeom(300, 40, 100)
    exact = outside.sf(19) + outside.cdf(6)
    assert found == pytest.approx(exact, rel=0.25)


def test_a_level_that_the_data_never_had_is_as_rare_as_it_is() -> None:
    """One request of two hundred, beside a million rows: it would be one deal of five thousand."""
    generator = np.random.default_rng(1)

    found = shares_p_value(np.array([10**6, 0]), np.array([199, 1]), generator, 200_000)

    assert found == pytest.approx(200 / 1_000_200, rel=0.35)


@pytest.mark.parametrize("window", [[5, 0], [50, 0]])
def test_one_level_tells_nothing(window: list[int]) -> None:
    generator = np.random.default_rng(1)

    assert shares_p_value(np.array([100, 0]), np.array(window), generator, 1000) == 1


def test_the_mean_of_a_window_is_tested_on_one_side() -> None:
    generator = np.random.default_rng(1)
    before, now = generator.normal(0, 1, 300), generator.normal(0.4, 1, 80)

    above = mean_p_value(before, now, generator, 20_000)
    below = mean_p_value(-before, -now, generator, 20_000)

    assert above == pytest.approx(
        stats.ttest_ind(now, before, alternative="greater").pvalue, rel=0.5, abs=1e-4
    )
    assert below > 0.99


def test_values_that_are_all_the_same_differ_by_nothing() -> None:
    generator = np.random.default_rng(1)

    assert mean_p_value(np.zeros(9), np.zeros(5), generator, 1000) == 1
    assert mean_p_value(np.full(9, 0.1), np.full(5, 0.1), generator, 1000) == 1


def test_dealing_stops_where_it_told_enough() -> None:
    dealt: list[int] = []

    def deal(number: int) -> Array:
        dealt.append(number)
        return np.asarray(np.arange(number) % 2.0, np.float64)

    assert p_value_of(1.0, deal, 10**9) == ENOUGH / (2 * ENOUGH)
    assert sum(dealt) < 1000


def test_no_deal_as_large_is_a_probability_of_one_more_than_were_dealt() -> None:
    assert p_value_of(1.0, np.zeros, 999) == 1 / 1000


def test_probabilities_are_joined_as_of_independent_tests() -> None:
    assert joint([0.5, 0.01, 0.9]) == pytest.approx(1 - 0.99**3)
    assert joint([1.0, 1.0]) == pytest.approx(1)
    assert joint([0.0]) == 0
    assert joint([]) is None


def test_deals_are_enough_for_one_of_all_tests_to_alarm() -> None:
    for tests in (1, 8, 60):
        most = deals_for(1000, tests, 0.001)
        smallest = joint([1 / (1 + most), *[1.0] * (tests - 1)])
        assert smallest is not None
        assert smallest < 0.001 / 4


def test_a_probability_under_one_in_a_hundred_comes_once_in_a_hundred_clean_windows() -> None:
    """Of rare levels and a small reference, where a normal distribution would be far off."""
    generator = np.random.default_rng(5)
    shares = np.array([0.9, 0.05, 0.03, 0.015, 0.004, 0.001])

    told = [
        shares_p_value(
            generator.multinomial(200, shares), generator.multinomial(60, shares), generator, 2000
        )
        for _ in range(2000)
    ]

    assert np.mean(np.array(told) < 0.01) < 0.015
    assert np.mean(np.array(told) < 0.1) == pytest.approx(0.08, abs=0.03)
