from math import sqrt

import bootstrap as module
import numpy as np
import pytest
from bootstrap import Bootstrap, mae, mean, r2, rmse, rmse_difference, skill
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

BOOTSTRAP = Bootstrap(resamples=2000, confidence=0.95, seed=42)
SCORE = st.integers(0, 100)  # tenths of a point


def test_figures_are_those_of_scikit_learn() -> None:
    recorded, predicted = np.array([1.0, 2.0, 3.0, 7.0]), np.array([1.5, 2.0, 5.0, 6.0])
    errors = predicted - recorded

    assert rmse(errors) == pytest.approx(root_mean_squared_error(recorded, predicted))
    assert mae(errors) == pytest.approx(mean_absolute_error(recorded, predicted))
    assert r2(errors, recorded) == pytest.approx(r2_score(recorded, predicted))


@given(
    st.lists(st.tuples(SCORE, SCORE), min_size=2, max_size=50).filter(
        lambda rows: len({recorded for recorded, _ in rows}) > 1
    )
)
def test_figures_of_whatever_rows_are_those_of_scikit_learn(rows: list[tuple[int, int]]) -> None:
    recorded, predicted = np.array(rows).T / 10
    errors = predicted - recorded

    assert rmse(errors) == pytest.approx(root_mean_squared_error(recorded, predicted))
    assert mae(errors) == pytest.approx(mean_absolute_error(recorded, predicted))
    assert r2(errors, recorded) == pytest.approx(r2_score(recorded, predicted))


@pytest.mark.parametrize("errors", [np.zeros(3), np.ones(3)])
def test_scores_that_are_all_equal_have_an_r2_as_in_scikit_learn(
    errors: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> None:
    recorded = np.full(3, 5.0)

    assert r2(errors, recorded) == r2_score(recorded, recorded + errors)


@pytest.mark.parametrize(("error", "expected"), [(0.0, 1), (1.0, 0)])
def test_scores_that_are_all_equal_have_intervals_that_are_numbers(
    error: float, expected: float
) -> None:
    errors, recorded = np.full(20, error), np.full(20, 5.0)

    found = BOOTSTRAP.estimate(r2, errors, recorded)
    of_skill = BOOTSTRAP.estimate(skill, errors, np.zeros(20))

    assert (found.value, found.low, found.high) == (expected, expected, expected)
    assert (of_skill.value, of_skill.low, of_skill.high) == (expected, expected, expected)


def test_skill_is_0_for_the_average_and_1_without_an_error() -> None:
    average = np.array([1.0, -1.0])

    assert skill(average, average) == 0
    assert skill(np.zeros(2), average) == 1
    assert skill(2 * average, average) == -1


def test_a_model_is_no_better_than_itself_however_rows_are_drawn() -> None:
    errors = np.random.default_rng(1).normal(size=200)

    difference = BOOTSTRAP.estimate(rmse_difference, errors, errors)

    assert (difference.value, difference.low, difference.high) == (0, 0, 0)


def test_columns_are_drawn_by_the_same_rows() -> None:
    """Were they drawn apart, a model that is always 0.1 closer would be so only on average."""
    errors = np.random.default_rng(1).uniform(1, 2, size=200)

    difference = BOOTSTRAP.estimate(lambda one, other: mean(one - other), errors - 0.1, errors)

    assert difference.low == pytest.approx(difference.high) == pytest.approx(-0.1)


def test_more_confidence_takes_a_wider_interval() -> None:
    values = np.random.default_rng(1).normal(size=100)

    narrow, wide = (Bootstrap(2000, level, 42).estimate(mean, values) for level in (0.5, 0.99))

    assert wide.low < narrow.low < narrow.value < narrow.high < wide.high


def test_the_same_seed_draws_the_same_interval() -> None:
    values = np.random.default_rng(1).normal(size=50)

    assert BOOTSTRAP.estimate(mean, values) == BOOTSTRAP.estimate(mean, values)
    assert BOOTSTRAP.estimate(mean, values) != Bootstrap(2000, 0.95, 43).estimate(mean, values)


def test_the_interval_of_a_mean_is_that_of_the_normal_theory() -> None:
    values = np.random.default_rng(1).normal(size=1000)
    theory = 1.96 * values.std() / sqrt(len(values))

    found = BOOTSTRAP.estimate(mean, values)

    assert found.value == pytest.approx(values.mean(), abs=1e-6)
    assert found.low == pytest.approx(values.mean() - theory, abs=0.1 * theory)
    assert found.high == pytest.approx(values.mean() + theory, abs=0.1 * theory)


def test_intervals_of_as_many_data_sets_hold_the_truth_as_they_promise() -> None:
    """Of 300 intervals of 95%, a correct method misses between 4 and 30: 99.9% of binomials.

    The percentile interval of 100 rows is known to be a little too narrow.
    """
    draws = np.random.default_rng(1)
    missed = 0
    for _ in range(300):
        found = Bootstrap(500, 0.95, 42).estimate(mean, draws.normal(size=100))
        missed += not found.low <= 0 <= found.high

    assert 4 <= missed <= 30


def test_drawing_in_parts_changes_nothing_but_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(1).normal(size=100)
    whole = BOOTSTRAP.estimate(mean, values)
    seen: list[int] = []

    def watched(drawn: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> object:
        seen.append(drawn.size)
        return mean(drawn)

    monkeypatch.setattr(module, "DRAWN_AT_ONCE", 1000)
    in_parts = BOOTSTRAP.estimate(watched, values)  # type: ignore[arg-type]

    assert in_parts == whole
    assert max(seen) == 1000


@pytest.mark.parametrize(
    ("figure", "columns"),
    [(rmse, 1), (mae, 1), (mean, 1), (r2, 2), (skill, 2), (rmse_difference, 2)],
)
def test_resamples_of_many_rows_by_blocks_vary_as_those_of_the_rows_do(
    figure: module.Figure, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Either width is uncertain: to 2.5% by so many resamples, to 3.5% by so many blocks."""
    generator = np.random.default_rng(1)
    rows = [generator.normal(one, one + 1, 1_250) for one in range(columns)]
    by_rows = BOOTSTRAP.estimate(figure, *rows)
    monkeypatch.setattr(module, "MANY", 400)
    monkeypatch.setattr(module, "BLOCKS", 400)

    by_blocks = BOOTSTRAP.estimate(figure, *rows)

    assert by_blocks.value == by_rows.value
    width = by_rows.high - by_rows.low
    assert by_blocks.high - by_blocks.low == pytest.approx(width, rel=0.15)
    assert by_blocks.low == pytest.approx(by_rows.low, abs=0.15 * width)
    assert by_blocks != by_rows


def test_up_to_a_number_the_rows_themselves_are_drawn() -> None:
    rows = np.random.default_rng(1).normal(size=module.MANY)
    few = Bootstrap(100, 0.95, 42)

    assert few.estimate(rmse, rows) == few.estimate(rmse.of_rows, rows)
    more = np.append(rows, 0.0)
    assert few.estimate(rmse, more) != few.estimate(rmse.of_rows, more)
