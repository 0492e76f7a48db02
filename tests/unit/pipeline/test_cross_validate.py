import io
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
import stage
from clinical.artefacts import Bucket
from clinical.params import Params, params
from retrain.encoding import encoder_of
from retrain.families import family_of, model_of
from retrain.stages.cross_validate import cross_validate
from sklearn.model_selection import KFold, cross_val_score

from tests.pipeline import Context, lines_of
from tests.unit.conftest import tuning_of
from tests.unit.pipeline.conftest import Retrained

type Retrain = Callable[..., dict[str, Any]]
type Upload = Callable[[bytes], str]


@pytest.fixture
def two_candidates(monkeypatch: pytest.MonkeyPatch) -> Params:
    """A grid of a stump and a small forest."""
    two = tuning_of(params(), n_estimators=(5,), max_depth=(1, 10), min_samples_leaf=(2,))
    monkeypatch.setattr(stage, "params", lambda: two)
    return two


def test_tuning_takes_what_predicts_and_says_so_in_the_card(
    upload: Upload, retrain: Retrain, sample_bytes: bytes, two_candidates: Params
) -> None:
    upload(sample_bytes)

    came_to = retrain("tuned", {"tune": True})

    stump, forest = came_to["tried"]["candidates"]
    assert len(stump["rmse"]) == len(forest["rmse"]) == two_candidates.tuning.folds
    assert stump["leaves"] == 5 * 2
    assert max(forest["rmse"]) < min(stump["rmse"])
    assert came_to["trained"]["hyperparameters"] == forest["hyperparameters"]
    assert came_to["chosen"]["hyperparameters"]["max_depth"] == 10


@pytest.mark.usefixtures("few_trees")
def test_scores_are_those_of_scikit_learns_own_cross_validation(
    bucket: Bucket, retrained: Retrained, sample_bytes: bytes
) -> None:
    preprocessed = retrained(sample_bytes)["preprocessed"]
    training = pd.read_csv(
        io.StringIO("\n".join(lines_of(bucket.get(preprocessed["training"]["key"]).body)))
    )
    hyperparameters = params().model.model_copy(update={"n_estimators": 3})
    handler: Callable[..., dict[str, Any]] = cross_validate
    event = {
        "execution": "one",
        "candidate": {"hyperparameters": hyperparameters.model_dump()},
        "preprocessed": preprocessed,
    }

    found = handler(event, Context())

    expected = cross_val_score(
        model_of(family_of(hyperparameters, params()), encoder_of(params())),
        training[list(params().features)],
        training[params().target.column],
        scoring="neg_root_mean_squared_error",
        cv=KFold(params().tuning.folds, shuffle=True, random_state=params().seed),
    )
    assert found["rmse"] == pytest.approx((-expected).tolist())


def test_every_candidate_gets_the_same_folds(
    upload: Upload, retrain: Retrain, sample_bytes: bytes, two_candidates: Params
) -> None:
    upload(sample_bytes)

    first = retrain("one", {"tune": True})["tried"]
    second = retrain("two", {"tune": True})["tried"]

    assert first == second
