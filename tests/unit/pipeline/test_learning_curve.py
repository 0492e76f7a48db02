import warnings
from collections.abc import Callable
from typing import Any
from unittest import mock

import numpy as np
import pytest
import stage
from clinical.artefacts import Artefact, Bucket, read_verified
from clinical.card import LearningCurve
from clinical.hyperparameters import Ridge
from clinical.params import Params, params
from retrain.stages.learning_curve import (
    FEWEST_HELD_OUT_ROWS,
    FEWEST_TRAINING_ROWS,
    Resampled,
    cheaper,
    measured,
    squared_errors,
)
from retrain.state import Chosen

from tests.pipeline import measure
from tests.unit.conftest import smaller
from tests.unit.pipeline.conftest import Retrained

type Retrain = Callable[..., dict[str, Any]]
type Upload = Callable[[bytes], str]
type Rows = tuple[Any, Any]


@pytest.fixture
def few() -> Params:
    return smaller(params(), trees=5)


def rows(number: int, held_out: int, slope: float, seed: int = 1) -> tuple[Rows, Rows]:
    """Training rows and held-out rows of four features that each count for as much."""
    random = np.random.default_rng(seed)
    features = random.normal(size=(number + held_out, 4))
    target = slope * features.sum(axis=1) + random.normal(size=number + held_out)
    return (features[:number], target[:number]), (features[number:], target[number:])


def read(bucket: Bucket, came_to: dict[str, Any]) -> LearningCurve:
    curve = Artefact.model_validate(came_to["measured"]["curve"])
    return LearningCurve.model_validate_json(read_verified(bucket, curve))


@pytest.mark.usefixtures("few_trees")
def test_the_curve_of_a_data_set_is_of_its_training_and_its_held_out_rows(
    bucket: Bucket, retrained: Retrained, sample_bytes: bytes
) -> None:
    came_to = retrained(sample_bytes)

    curve = read(bucket, measure("one", came_to))

    assert [(one.fraction, one.rows) for one in curve.points] == [
        (0.25, 200),
        (0.5, 400),
        (0.75, 600),
        (1.0, 800),
    ]
    assert curve.held_out_rows == 200
    for one in curve.points:
        assert len(set(one.draws)) == params().learning_curve.draws
        assert min(one.draws) <= one.rmse.value <= max(one.draws)
        assert one.rmse.low < one.rmse.value < one.rmse.high
    assert curve.points[0].rmse.value > curve.points[-1].rmse.value
    first, second = (measure(name, came_to)["measured"]["curve"] for name in ("one", "two"))
    assert first["sha256"] == second["sha256"]


def test_the_curve_is_of_the_hyperparameters_that_were_chosen(few: Params) -> None:
    training, held_out = rows(200, 50, slope=1.0)
    stump = few.model.model_copy(update={"max_depth": 1})

    curves = [measured(training, held_out, chosen, few) for chosen in chosen_of(stump)]

    assert curves[0].points[-1].rmse.value < curves[1].points[-1].rmse.value


def chosen_of(hyperparameters: Any) -> tuple[Chosen, Chosen]:
    return Chosen(), Chosen(hyperparameters=hyperparameters)


def test_where_the_last_rows_helped_it_says_by_how_much_and_that_more_would() -> None:
    curve = measured(*rows(300, 2000, slope=3.0), Chosen(), smaller(params(), trees=50))

    assert curve.more_rows_help
    assert curve.change is not None
    assert curve.change.high < 0
    before, last = curve.points[-2:]
    assert curve.change.value == pytest.approx(last.rmse.value - before.rmse.value, abs=2e-6)
    estimate = (curve.change.high, curve.change.value, curve.change.low)
    low, value, high = (f"{-one:.3f}" for one in estimate)
    assert curve.says == (
        f"From 75% to 100% of the training rows, the RMSE fell by {value} points ({low} to {high}):"
        " more rows would probably help."
    )


def test_where_the_curve_is_flat_it_sees_no_sign(few: Params) -> None:
    features = np.zeros((1000, 1))  # nothing to learn but the mean
    target = np.random.default_rng(3).normal(size=1000)

    curve = measured((features[:800], target[:800]), (features[800:], target[800:]), Chosen(), few)

    assert not curve.more_rows_help
    assert curve.change is not None
    assert curve.says.startswith("From 75% to 100% of the training rows, the RMSE changed by ")
    assert curve.says.endswith(": no evidence that more rows would help.")


def test_warning_filters_outlive_the_threads_that_fit(few: Params) -> None:
    before = list(warnings.filters)

    def losing(*_: object) -> mock.Mock:
        """A model in two threads, of which one resets what the other has not yet set aside."""
        warnings.resetwarnings()
        return mock.Mock(**{"fit.return_value.predict.return_value": np.zeros(50)})

    with mock.patch("retrain.stages.learning_curve.regressor_of", losing):
        squared_errors(*rows(40, 50, slope=1.0), [40], Chosen(), few)

    assert list(warnings.filters) == before != []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("training", "features", "at_least", "at_most"),
    [(800, 1, 0, 4), (400, 100, 60, 100)],  # as steep as 800 rows of 200: there by 0.07 of 1
    ids=["flat", "falling"],
)
def test_it_rarely_rings_for_nothing(
    training: int, features: int, at_least: int, at_most: int
) -> None:
    """Of 100 made-up data sets, how many are told that more rows would help.

    `make bench-curve` has the rates. Of 400 data sets of 800 training and 200 held-out rows: 2.0%
    where the curve is flat (0.7 to 2.0% with 120 to 4,000 rows); 47% where the last quarter of
    the rows brings the RMSE down by 0.02 of 1, 97% where it does by 0.07.
    """
    two = params().learning_curve.model_copy(update={"fractions": (0.75, 1.0)})
    decisions = params().model_copy(update={"learning_curve": two})
    of_its_own = mock.patch(  # to each draw, for those are fitted at the same time
        f"{measured.__module__}.regressor_of", side_effect=lambda *_: LeastSquares()
    )
    with of_its_own:
        told = [
            measured(*linear(training, 200, features, seed), Chosen(), decisions).more_rows_help
            for seed in range(100)
        ]

    assert at_least <= sum(told) <= at_most


class LeastSquares:
    """What scikit-learn's LinearRegression finds, by normal equations: in a seventh of the time."""

    def fit(self, features: Any, target: Any) -> "LeastSquares":
        self._means, self._average = features.mean(axis=0), target.mean()
        centred = features - self._means
        self._slopes = np.linalg.solve(centred.T @ centred, centred.T @ (target - self._average))
        return self

    def predict(self, asked: Any) -> Any:
        return self._average + (asked - self._means) @ self._slopes


def linear(number: int, held_out: int, features: int, seed: int) -> tuple[Rows, Rows]:
    random = np.random.default_rng([seed, features])
    columns = random.normal(size=(number + held_out, features))
    target = columns.sum(axis=1) + random.normal(size=number + held_out)
    return (columns[:number], target[:number]), (columns[number:], target[number:])


def test_fractions_that_leave_too_few_rows_are_left_out_and_told(few: Params) -> None:
    curve = measured(
        *rows(2 * FEWEST_TRAINING_ROWS, FEWEST_HELD_OUT_ROWS, slope=1.0), Chosen(), few
    )

    assert curve.left_out == (0.25,)
    assert [one.rows for one in curve.points] == [10, 15, 20]
    assert curve.change is not None


@pytest.mark.parametrize(
    ("training", "held_out", "points"),
    [
        (FEWEST_TRAINING_ROWS, FEWEST_HELD_OUT_ROWS, 1),
        (FEWEST_TRAINING_ROWS - 1, FEWEST_HELD_OUT_ROWS, 0),
        (200, FEWEST_HELD_OUT_ROWS - 1, 4),
    ],
)
def test_of_too_few_rows_nothing_is_said(
    few: Params, training: int, held_out: int, points: int
) -> None:
    curve = measured(*rows(training, held_out, slope=3.0), Chosen(), few)

    assert len(curve.points) == points
    assert curve.change is None
    assert not curve.more_rows_help
    assert curve.says == "There are too few rows to tell whether more would help."


def test_a_draw_adds_rows_to_those_that_it_had(
    few: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    training, held_out = rows(100, 50, slope=1.0)
    whole = (np.arange(100.0)[:, None], training[1])
    fitted: list[set[float]] = []

    class Model:
        def fit(self, features: Any, _: Any) -> "Model":
            fitted.append(set(features[:, 0].tolist()))
            return self

        def predict(self, asked: Any) -> Any:
            return np.zeros(len(asked))

    monkeypatch.setattr("retrain.stages.learning_curve.regressor_of", lambda *_: Model())
    monkeypatch.setattr("os.process_cpu_count", lambda: 1)  # one draw after the other

    squared_errors(whole, held_out, [25, 50, 75, 100], Chosen(), few)

    draws = [fitted[first : first + 4] for first in range(0, len(fitted), 4)]
    assert len(draws) == params().learning_curve.draws
    for draw in draws:
        assert [len(one) for one in draw] == [25, 50, 75, 100]
        assert draw[0] < draw[1] < draw[2] < draw[3]
    assert len({frozenset(draw[0]) for draw in draws}) == len(draws)


def test_equal_errors_are_no_change_and_a_shift_of_all_is_one_without_doubt(few: Params) -> None:
    errors = np.random.default_rng(5).normal(size=(5, 200))

    same = Resampled(np.stack([errors**2, errors**2]), few).change()
    better = Resampled(np.stack([errors**2, errors**2 / 4]), few).change()

    assert (same.value, same.low, same.high) == (0, 0, 0)
    assert better.value == pytest.approx(-np.sqrt((errors**2).mean()) / 2, abs=1e-6)
    assert better.low < better.value < better.high < 0


def test_an_interval_is_the_bootstraps_of_rows_and_draws(few: Params) -> None:
    """As if rows and draws were picked one by one."""
    random = np.random.default_rng(6)
    squared = random.normal(size=(2, 5, 60)) ** 2
    settings = few.evaluation.model_copy(update={"resamples": 20_000})
    many = few.model_copy(update={"evaluation": settings})

    found = Resampled(squared, many).change()

    picked = []
    for _ in range(20_000):
        of_rows, of_draws = random.integers(0, 60, 60), random.integers(0, 5, 5)
        before, last = np.sqrt(squared[:, of_draws][:, :, of_rows].mean(axis=(1, 2)))
        picked.append(last - before)
    low, high = np.quantile(picked, [0.025, 0.975])
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.02)


def test_resamples_of_many_rows_by_blocks_vary_as_those_of_the_rows_do(
    few: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Either width is uncertain: to 2.5% by so many resamples, to 3.5% by so many blocks."""
    squared = np.random.default_rng(6).normal(size=(2, 5, 1_250)) ** 2
    of_rows = Resampled(squared, few)
    monkeypatch.setattr(f"{measured.__module__}.MANY", 400)
    monkeypatch.setattr("bootstrap.BLOCKS", 400)

    of_blocks = Resampled(squared, few)

    for rows, blocks in [
        (of_rows.change(), of_blocks.change()),
        (of_rows.rmse(1), of_blocks.rmse(1)),
    ]:
        assert blocks.value == rows.value
        width = rows.high - rows.low
        assert (blocks.low, blocks.high) == pytest.approx((rows.low, rows.high), abs=0.15 * width)
    assert of_blocks.change() != of_rows.change()


def test_what_the_curve_is_of_is_a_decision(
    bucket: Bucket,
    retrained: Retrained,
    sample_bytes: bytes,
    few: Params,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    decided = few.learning_curve.model_copy(update={"fractions": (0.1, 1.0), "draws": 2})
    monkeypatch.setattr(stage, "params", lambda: few.model_copy(update={"learning_curve": decided}))

    curve = read(bucket, measure("one", retrained(sample_bytes)))

    assert [(one.rows, len(one.draws)) for one in curve.points] == [(80, 2), (800, 2)]
    assert "From 10% to 100%" in curve.says


def test_forests_have_no_more_trees_than_the_curve_needs() -> None:
    many = params().model.model_copy(update={"n_estimators": 300})
    few = params().model.model_copy(update={"n_estimators": 20})

    assert cheaper(Chosen(hyperparameters=many), params()).model_dump() == {
        **many.model_dump(),
        "n_estimators": params().learning_curve.max_trees,
    }
    assert cheaper(Chosen(hyperparameters=few), params()) == few
    ridge = Ridge(alpha=10)
    assert cheaper(Chosen(hyperparameters=ridge), params()) == ridge
