from collections.abc import Callable
from typing import Any

import pytest
import stage
from clinical.params import Params, params

type Retrain = Callable[..., dict[str, Any]]
type Upload = Callable[[bytes], str]


@pytest.fixture
def two_candidates(monkeypatch: pytest.MonkeyPatch) -> Params:
    """A grid of a stump and a small forest."""
    decisions = params()
    grid = decisions.tuning.grids["small"].model_copy(
        update={"n_estimators": (5,), "max_depth": (1, 10), "min_samples_leaf": (2,)}
    )
    tuning = decisions.tuning.model_copy(update={"grids": {"small": grid}})
    two = decisions.model_copy(update={"tuning": tuning})
    monkeypatch.setattr(stage, "params", lambda: two)
    return two


def test_tuning_takes_what_predicts_and_says_so_in_the_card(
    upload: Upload, retrain: Retrain, sample_bytes: bytes, two_candidates: Params
) -> None:
    upload(sample_bytes)

    came_to = retrain("tuned", tune=True)

    stump, forest = came_to["tried"]["candidates"]
    assert len(stump["rmse"]) == len(forest["rmse"]) == two_candidates.tuning.folds
    assert stump["leaves"] == 5 * 2
    assert max(forest["rmse"]) < min(stump["rmse"])
    assert came_to["trained"]["hyperparameters"] == forest["hyperparameters"]
    assert came_to["chosen"]["hyperparameters"]["max_depth"] == 10


def test_every_candidate_gets_the_same_folds(
    upload: Upload, retrain: Retrain, sample_bytes: bytes, two_candidates: Params
) -> None:
    upload(sample_bytes)

    first = retrain("one", tune=True)["tried"]
    second = retrain("two", tune=True)["tried"]

    assert first == second
