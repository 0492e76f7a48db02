import numpy as np
import pytest
from bootstrap import Array, Bootstrap
from clinical.params import params
from retrain.wins import Probability, check, wins_of

BOOTSTRAP = Bootstrap(resamples=500, confidence=0.99, seed=42)


def probability_of(residuals: Array) -> Probability:
    """How often one residual (n,) exceeds another by less than a difference of scores."""
    apart = (residuals[:, np.newaxis] - residuals)[~np.eye(len(residuals), dtype=np.bool_)]
    levels = np.linspace(0, 1, 401)
    quantiles = np.quantile(apart, levels)
    return lambda difference: np.interp(difference, quantiles, levels)


PROBABILITY = probability_of(np.random.default_rng(0).normal(size=400))


def patients(rows: int, seed: int, noise: float = 1.0) -> tuple[Array, Array]:
    """Recorded and predicted scores (n,), more of which is better."""
    draws = np.random.default_rng(seed)
    predicted = draws.normal(scale=1.2, size=rows)
    return predicted + noise * draws.normal(size=rows), predicted


@pytest.mark.parametrize("rows", [40, 200])
def test_what_is_right_is_hardly_ever_said_to_be_off(rows: int) -> None:
    """Of 60 sets at 1%, more than 5 alarms come in one of 20,000."""
    alarms = sum(
        not check(*patients(rows, seed), PROBABILITY, Bootstrap(300, 0.99, seed)).holds
        for seed in range(60)
    )

    assert alarms <= 5


def test_differences_of_scores_that_are_twice_too_large_are_told() -> None:
    outcome, predicted = patients(300, 1)

    found = check(outcome, 2 * predicted, PROBABILITY, BOOTSTRAP)

    assert not found.holds
    sure = found.bins[9]
    assert sure.won is not None
    assert sure.won.high < sure.predicted


def test_noise_that_is_twice_as_large_is_told() -> None:
    outcome, predicted = patients(300, 1, noise=2)

    assert not check(outcome, predicted, PROBABILITY, BOOTSTRAP).holds


def test_every_pair_is_in_the_bin_of_its_probability() -> None:
    outcome, predicted = patients(60, 1)

    found = check(outcome, predicted, PROBABILITY, BOOTSTRAP)

    assert found.rows == 60
    assert len(found.bins) == 10
    assert sum(one.pairs for one in found.bins) == 60 * 59 / 2
    for number, one in enumerate(found.bins):
        assert number / 10 <= one.predicted <= (number + 1) / 10
        if one.won is not None:
            assert 0 <= one.won.low <= one.won.value <= one.won.high <= 1


def test_how_often_it_was_so_is_counted_pair_by_pair_and_ties_are_half() -> None:
    draws = np.random.default_rng(1)
    outcome, predicted = draws.integers(0, 3, 60).astype(float), draws.normal(size=60)

    found = check(outcome, predicted, lambda apart: np.full(len(apart), 0.55), BOOTSTRAP)

    won = [
        float(outcome[i] > outcome[j]) + (outcome[i] == outcome[j]) / 2
        for i in range(60)
        for j in range(i + 1, 60)
    ]
    (one,) = [one for one in found.bins if one.pairs]
    assert one.won is not None
    assert one.won.value == pytest.approx(np.mean(won), abs=1e-6)
    assert one.predicted == pytest.approx(0.55)


def test_bins_of_too_few_rows_say_nothing() -> None:
    found = check(*patients(12, 1), PROBABILITY, BOOTSTRAP)

    assert all(one.won is None for one in found.bins)
    assert found.holds


@pytest.mark.parametrize("outcomes", [np.zeros(50), np.arange(50.0), -np.arange(50.0)])
def test_outcomes_that_leave_nothing_to_chance_have_intervals_that_are_numbers(
    outcomes: Array,
) -> None:
    for predicted in (np.zeros(50), np.arange(50.0)):
        found = check(outcomes, predicted, PROBABILITY, BOOTSTRAP)

        for one in found.bins:
            assert one.won is None or np.isfinite([one.won.low, one.won.high]).all()


def test_all_pairs_won_where_nearly_all_should_be_are_no_alarm() -> None:
    predicted = np.linspace(0, 4, 40)[::-1].copy()
    outcome = predicted

    found = check(outcome, predicted, lambda _: np.full(780, 0.99), BOOTSTRAP)

    assert found.holds


def test_many_rows_are_drawn_from_by_seed() -> None:
    outcome, predicted = patients(3000, 1)

    found, again = (check(outcome, predicted, PROBABILITY, BOOTSTRAP) for _ in range(2))

    assert found == again
    assert found.rows == 500
    assert found.holds


def test_where_less_is_better_the_first_wins_with_the_lower_outcome() -> None:
    worse = params().model_copy(
        update={"target": params().target.model_copy(update={"higher_is": "worse"})}
    )
    outcome, predicted = patients(300, 1)

    alike = np.ones(300)

    better = wins_of(outcome, predicted, alike, PROBABILITY, params())
    turned = wins_of(outcome, predicted, alike, lambda apart: 1 - PROBABILITY(apart), worse)
    wrong = wins_of(outcome, predicted, alike, PROBABILITY, worse)

    assert better.holds
    assert turned.holds
    assert not wrong.holds


def test_rows_with_wide_intervals_are_compared_as_wide_as_they_are() -> None:
    """Half of the patients have three times the noise: probabilities that ignore it are off."""
    outcome, predicted = patients(500, 1)
    wide = np.where(np.arange(500) % 2, 3.0, 1.0)
    outcome = predicted + wide * (outcome - predicted)

    known = check(outcome, predicted, PROBABILITY, BOOTSTRAP, wide)
    ignored = check(outcome, predicted, PROBABILITY, BOOTSTRAP)

    assert known.holds
    assert not ignored.holds
