"""A ridge regression is fitted beside every candidate, whatever the rows are, and compared."""

import io
import json
from collections.abc import Callable
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import stage
from clinical.artefacts import Artefact, Bucket, read_verified
from clinical.card import Card
from clinical.hyperparameters import GradientBoosting, Grid, Model, Ridge
from clinical.params import Params, params, parse_params
from figures import clamped
from retrain.baseline import DIGITS, PENALTIES, ridge_predictions
from retrain.card import markdown
from retrain.encoding import table_of
from retrain.families import standardized
from rows import Rows
from sklearn.linear_model import Ridge as Regression
from sklearn.linear_model import RidgeCV
from sklearn.metrics import root_mean_squared_error
from sklearn.model_selection import LeaveOneOut, cross_val_predict
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from tests.studies import Json, study
from tests.unit.conftest import smaller

type Retrain = Callable[..., Json]
type Upload = Callable[[bytes], str]
type Floats = np.ndarray[tuple[int, ...], np.dtype[np.float64]]

RIDGE = Ridge(alpha=30)
BOOSTING = GradientBoosting(
    learning_rate=0.05, max_iter=100, max_leaf_nodes=3, min_samples_leaf=20, l2_regularization=0
)
RANDOM = np.random.default_rng(6)
NOISE = RANDOM.normal(size=(60, 3))
GAPS = np.where(RANDOM.random((60, 3)) < 0.3, np.nan, NOISE)


def predictions(training: Floats, target: Floats, held_out: Floats) -> Floats:
    encoder = FunctionTransformer(pd.DataFrame.to_numpy)
    known, asked = (pd.DataFrame(rows) for rows in (training, held_out))
    found = ridge_predictions(encoder, known, target, asked, params())
    assert found is not None
    return np.array(found)


def test_its_penalty_is_the_best_by_leaving_each_row_out() -> None:
    features = NOISE[:40]
    target = 5 + features[:, 0] + RANDOM.normal(size=40)
    prepared = Pipeline(standardized()).fit(features)
    known, asked = prepared.transform(features), prepared.transform(NOISE[40:])
    errors = [
        root_mean_squared_error(
            target, cross_val_predict(Regression(alpha), known, target, cv=LeaveOneOut())
        )
        for alpha in PENALTIES
    ]
    best = Regression(PENALTIES[int(np.argmin(errors))]).fit(known, target)

    found = predictions(features, target, NOISE[40:])

    assert 0 < np.argmin(errors) < len(PENALTIES) - 1
    assert found == pytest.approx(best.predict(asked), abs=1e-6)


def test_where_there_is_nothing_to_learn_it_answers_about_the_average() -> None:
    features = np.random.default_rng(1).normal(size=(5000, 3))
    target = np.random.default_rng(2).uniform(0, 10, 5000)

    found = predictions(features, target, features)

    assert found == pytest.approx(target.mean(), abs=0.2)


@pytest.mark.parametrize(
    ("training", "held_out"),
    [
        (NOISE[:, :1], NOISE[:5, :1]),
        (np.ones((60, 2)), np.zeros((5, 2))),
        (np.full((60, 2), np.nan), np.full((5, 2), np.nan)),
        (np.full((60, 1), np.nan), np.ones((5, 1))),
        (np.column_stack([GAPS, np.full(60, np.nan), np.full(60, 1e12)]), np.ones((5, 5))),
        (NOISE, GAPS),  # what is missing was not in training
        (np.repeat(NOISE, 40, axis=1), np.repeat(GAPS, 40, axis=1)),  # more columns than rows
        (np.column_stack([NOISE, NOISE]) * 1e12, np.zeros((5, 6))),
        (NOISE * 1e-30, NOISE),
    ],
    ids=[
        "one feature",
        "constant",
        "nothing",
        "nothing but on one row",
        "all of it",
        "new gaps",
        "wide",
        "huge and twice",
        "tiny",
    ],
)
@pytest.mark.parametrize("constant", [False, True])
def test_rows_that_say_little_break_nothing(
    training: Floats, held_out: Floats, constant: bool
) -> None:
    target = np.full(60, 7.0) if constant else np.linspace(0, 10, 60)

    found = predictions(training, target, held_out)

    assert np.isfinite(found).all()
    assert len(found) == len(held_out)
    if constant:
        assert found == pytest.approx(7)


def test_digits_that_depend_on_the_machine_are_left_out() -> None:
    target = np.linspace(0, 10, 60)

    found = predictions(NOISE, target, NOISE) / params().width * 10**DIGITS

    assert found == pytest.approx(np.round(found), abs=1e-5)


def test_linear_algebra_that_fails_is_logged_and_told_and_stops_nobody(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    upload: Upload,
    retrain: Retrain,
    sample_bytes: bytes,
) -> None:
    def failing(*_: object) -> None:
        raise np.linalg.LinAlgError("SVD did not converge")

    monkeypatch.setattr(RidgeCV, "fit", failing)
    monkeypatch.setattr(stage, "params", lambda: smaller(params(), trees=5))
    upload(sample_bytes)

    came_to = retrain("one")

    verdict = came_to["evaluated"]["verdict"]
    assert came_to["trained"]["baseline"] is verdict["baseline"] is None
    assert came_to["promoted"]["decision"] == "promoted"
    assert any("No ridge regression could be fitted" in one for one in verdict["reasons"])
    assert "SVD did not converge" in capsys.readouterr().out


# ---- Beside a candidate of any family ----


def of_model(model: Model) -> Params:
    return params().model_copy(update={"model": model})


@pytest.fixture(params=[None, RIDGE, BOOSTING], ids=lambda one: one.family if one else "forest")
def decisions(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Params:
    found = of_model(request.param) if request.param else smaller(params(), trees=10)
    monkeypatch.setattr(stage, "params", lambda: found)
    return found


def test_every_family_is_trained_judged_beside_a_ridge_and_told_in_the_card(
    decisions: Params, bucket: Bucket, upload: Upload, retrain: Retrain, sample_bytes: bytes
) -> None:
    upload(sample_bytes)

    came_to = retrain("one")

    def read(artefact: Json) -> bytes:
        return read_verified(bucket, Artefact(**artefact))

    verdict, trained = came_to["evaluated"]["verdict"], came_to["trained"]
    held_out = Rows(read(came_to["preprocessed"]["held_out"]), decisions)
    recorded, predicted = held_out.target(), np.array(json.loads(read(trained["baseline"])))
    ridge = root_mean_squared_error(recorded, clamped(predicted, decisions))
    candidate = verdict["candidate"]["rmse"]["value"]
    baseline = verdict["baseline"]
    assert came_to["promoted"]["decision"] == "promoted"
    assert verdict["parity"]["holds"]
    assert verdict["coverage"]["holds"]
    assert baseline["scores"]["rmse"]["value"] == pytest.approx(ridge, abs=1e-5)
    assert baseline["rmse_difference"]["value"] == pytest.approx(candidate - ridge, abs=1e-5)
    assert baseline["average_difference"]["high"] < 0  # the sample has a signal, which is additive
    (said,) = [one for one in verdict["reasons"] if one.startswith("Ridge regression, on the same")]
    assert f"has an RMSE of {ridge:.3f}" in said

    model = joblib.load(io.BytesIO(read(trained["model"])))
    assert model.predict(table_of(held_out)).tolist() == json.loads(read(trained["predictions"]))
    version = came_to["promoted"]["version"]
    card = Card.model_validate_json(bucket.get(f"models/{version}/one/card.json").body)
    assert card.training.hyperparameters == decisions.model
    assert card.overview.algorithm == f"{decisions.model.ALGORITHM}, served as ONNX"
    assert f"| Ridge regression | {ridge:.3f} (" in markdown(card)
    assert f"family {decisions.model.family}, " in markdown(card)


def test_tuning_takes_the_simplest_of_all_families_within_a_standard_error(
    upload: Upload, retrain: Retrain, sample_bytes: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid = Grid.model_validate(
        {
            "random_forest": {
                "n_estimators": [5],
                "max_depth": [10],
                "min_samples_split": [5],
                "min_samples_leaf": [2],
            },
            "gradient_boosting": {name: [value] for name, value in BOOSTING if name != "family"},
            "ridge": {"alpha": [1e9, 30, 10]},
        }
    )
    families = ("random_forest", "gradient_boosting", "ridge")
    tuning = params().tuning.model_copy(update={"families": families, "grids": {"small": grid}})
    tuned = params().model_copy(update={"tuning": tuning})
    monkeypatch.setattr(stage, "params", lambda: tuned)
    upload(sample_bytes)

    came_to = retrain("tuned", {"tune": True})

    tried = came_to["tried"]["candidates"]
    assert [one["hyperparameters"]["family"] for one in tried] == [*families, "ridge", "ridge"]
    forest, boosting, shrunk, *ridges = (one["leaves"] for one in tried)
    assert forest > boosting > shrunk
    assert {shrunk, *ridges} == {shrunk}  # a penalty makes no coefficient fewer
    # The one penalized most is as simple, and as bad as the average.
    assert came_to["trained"]["hyperparameters"] == {"family": "ridge", "alpha": 30}
    assert came_to["evaluated"]["verdict"]["parity"]["holds"]


# ---- Beyond the target's range ----


def test_scores_beyond_the_scale_are_judged_as_they_are_served(
    bucket: Bucket, upload: Upload, retrain: Retrain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line through what is cut off at both ends goes beyond them, and serving does not."""
    text = study(
        {
            "dose": {"kind": "number", "min": -9, "max": 9, "decimals": 2},
            "score": {"kind": "whole_number", "min": 0, "max": 100},
        },
        {"column": "score", "decimals": 0, "higher_is": "better", "bands": {"all": 0}},
        model={"family": "ridge", "alpha": 1},
    )
    decisions = parse_params(text)
    monkeypatch.setattr(stage, "params", lambda: decisions)
    dose = np.round(np.random.default_rng(8).uniform(-9, 9, 300), 2)
    score = np.clip(np.round(50 + 40 * dose), 0, 100).astype(int)
    upload(pd.DataFrame({"dose": dose, "score": score}).to_csv(index=False).encode())

    came_to = retrain("one")

    def read(artefact: Json) -> Any:
        return read_verified(bucket, Artefact(**artefact))

    verdict = came_to["evaluated"]["verdict"]
    recorded = Rows(read(came_to["preprocessed"]["held_out"]), decisions).target()
    predicted = np.array(json.loads(read(came_to["trained"]["predictions"])))
    assert (predicted < 0).any()
    assert (predicted > 100).any()
    served = root_mean_squared_error(recorded, np.clip(predicted, 0, 100))
    assert verdict["candidate"]["rmse"]["value"] == pytest.approx(served, abs=1e-5)
    assert served < root_mean_squared_error(recorded, predicted) - 1
    assert verdict["parity"]["holds"]
    assert verdict["parity"]["max_error"] < 1e-9  # of what was not clamped
    assert verdict["coverage"]["holds"]
