import numpy as np
import pytest
from bootstrap import Array, Bootstrap
from calibration import calibration, curve
from sklearn.linear_model import LinearRegression

BOOTSTRAP = Bootstrap(resamples=500, confidence=0.95, seed=42)


def scores(rows: int, seed: int = 1, slope: float = 0.8) -> tuple[Array, Array]:
    """Recorded and predicted scores (n,): 1 + slope x predicted, and noise."""
    draws = np.random.default_rng(seed)
    predicted = draws.normal(6, 1.5, rows)
    return 1 + slope * predicted + draws.normal(size=rows), predicted


def test_the_line_is_that_of_scikit_learn() -> None:
    recorded, predicted = scores(100)

    found = calibration(recorded, predicted, BOOTSTRAP)

    line = LinearRegression().fit(predicted[:, np.newaxis], recorded)
    assert found.slope.value == pytest.approx(line.coef_[0], abs=1e-6)
    assert found.intercept.value == pytest.approx(line.intercept_, abs=1e-6)
    assert found.in_the_large.value == pytest.approx((recorded - predicted).mean(), abs=1e-6)


@pytest.mark.parametrize("rows", [40, 200])
def test_its_intervals_hold_the_truth_about_as_often_as_they_promise(rows: int) -> None:
    """Of 100 intervals of 95%, a correct method misses more than 15 in one of 10,000."""
    missed = np.zeros(3)
    for seed in range(100):
        found = calibration(*scores(rows, seed), Bootstrap(300, 0.95, seed))
        missed += [
            not one.low <= truth <= one.high
            for one, truth in (
                (found.intercept, 1),
                (found.slope, 0.8),
                (found.in_the_large, -0.2),
            )
        ]

    assert missed.max() <= 15


@pytest.mark.parametrize(("rows", "bins"), [(10, 1), (40, 2), (199, 9), (200, 10), (2000, 10)])
def test_bins_are_as_many_as_rows_allow_and_hold_them_all(rows: int, bins: int) -> None:
    recorded, predicted = scores(rows)

    found = calibration(recorded, predicted, BOOTSTRAP).bins

    assert len(found) == bins
    assert sum(one.rows for one in found) == rows
    assert max(one.rows for one in found) - min(one.rows for one in found) <= 2
    assert [one.predicted for one in found] == sorted(one.predicted for one in found)
    mean = sum(one.rows * one.recorded.value for one in found) / rows
    assert mean == pytest.approx(recorded.mean(), abs=1e-5)
    for one in found:
        assert one.recorded.low < one.recorded.value < one.recorded.high


def test_the_same_predictions_are_in_the_same_bin() -> None:
    recorded, _ = scores(200)
    predicted = np.repeat([3.0, 5.0, 5.5, 9.0], [10, 150, 20, 20])

    found = calibration(recorded, predicted, BOOTSTRAP).bins

    assert sum(one.rows for one in found) == 200
    assert sum(one.recorded.low <= one.recorded.value for one in found) == len(found) <= 4


@pytest.mark.parametrize("recorded", [scores(50)[0], np.full(50, 5.0)])
def test_one_constant_has_one_bin_and_no_line(recorded: Array) -> None:
    predicted = np.full(50, 5.1)

    found = calibration(recorded, predicted, BOOTSTRAP)

    assert (found.slope.value, found.slope.low, found.slope.high) == (0, 0, 0)
    assert found.intercept.value == pytest.approx(recorded.mean(), abs=1e-6)
    assert [(one.predicted, one.rows) for one in found.bins] == [(5.1, 50)]
    assert curve(recorded, predicted, BOOTSTRAP) == ()


@pytest.mark.parametrize("values", [[4.0, 6.0], [4.0, 5.0, 6.0], [1.0, 2.0, 3.0, 4.0, 9.0]])
def test_few_values_have_a_line(values: list[float]) -> None:
    predicted = np.repeat(values, 40)
    recorded = 2 * predicted + np.random.default_rng(1).normal(scale=0.1, size=len(predicted))

    found = curve(recorded, predicted, BOOTSTRAP)

    assert len(found) == 21
    for one in found:
        assert one.recorded.low <= one.recorded.value <= one.recorded.high
        assert one.recorded.value == pytest.approx(2 * one.predicted, abs=0.2)


def test_the_line_bends_where_what_was_recorded_does() -> None:
    _, predicted = scores(1000)
    bent = (predicted - 6) ** 2 + np.random.default_rng(1).normal(scale=0.3, size=1000)

    found = curve(bent, predicted, BOOTSTRAP)

    lowest, highest = np.quantile(predicted, [0.01, 0.99])
    assert found[0].predicted == pytest.approx(lowest, abs=1e-6)
    assert found[-1].predicted == pytest.approx(highest, abs=1e-6)
    middle = min(found, key=lambda one: one.recorded.value)
    assert middle.predicted == pytest.approx(6, abs=0.5)
    assert found[0].recorded.low > 5
    assert found[-1].recorded.low > 5


def test_scores_on_another_scale_have_the_same_slope() -> None:
    recorded, predicted = scores(100)

    found = calibration(recorded, predicted, BOOTSTRAP)
    far = calibration(recorded * 1000 + 1e6, predicted * 1000 + 1e6, BOOTSTRAP)

    for end in ("value", "low", "high"):
        assert getattr(far.slope, end) == pytest.approx(getattr(found.slope, end), abs=1e-5)


def test_many_rows_take_no_more_memory_for_each_resample() -> None:
    recorded, predicted = scores(50_000)

    found = calibration(recorded, predicted, BOOTSTRAP)

    theory = 1.96 / (1.5 * np.sqrt(50_000))
    assert found.slope.high - found.slope.low == pytest.approx(2 * theory, rel=0.2)
    assert sum(one.rows for one in found.bins) == 50_000
