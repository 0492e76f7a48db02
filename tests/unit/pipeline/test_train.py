import io
import json
from collections.abc import Callable
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pandas as pd
import pytest
import stage
from clinical.artefacts import Artefact, Bucket, read_verified
from clinical.params import params
from clinical.reference import read_reference
from clinical.registry import REFERENCE_PROPERTY
from hypothesis import given
from hypothesis import strategies as st
from retrain.averaging import counting
from retrain.folds import folds
from retrain.intervals import conformal, interval_half_width, predicted_when_left_out
from retrain.stages.extract_combinations import valid_combinations
from retrain.stages.train import with_support
from sklearn.dummy import DummyRegressor
from sklearn.pipeline import Pipeline

from data.generate import as_csv, patients
from tests.pipeline import lines_of, rows_of
from tests.unit.conftest import smaller

if TYPE_CHECKING:
    from clinical.kinds import Value

from tests.unit.pipeline.conftest import Retrained

type Retrain = Callable[[str], dict[str, Any]]
type Upload = Callable[[bytes], str]


@given(
    st.lists(st.floats(-10, 10), min_size=10, max_size=200),
    st.floats(0.5, 0.9),
)
def test_an_interval_holds_as_many_residuals_as_it_promises(
    residuals: list[float], coverage: float
) -> None:
    half_width = interval_half_width(np.array(residuals), coverage, widest=10)

    held = sum(abs(residual) <= half_width for residual in residuals)
    assert held >= min(len(residuals), ceil((len(residuals) + 1) * coverage))


def test_too_few_residuals_promise_nothing_but_the_whole_scale() -> None:
    assert interval_half_width(np.array([0.1] * 8), 0.9, widest=160) == 160
    assert interval_half_width(np.array([0.1] * 9), 0.9, widest=160) == 0.1


def test_the_half_width_is_a_residual_and_no_interpolation() -> None:
    residuals = np.arange(1.0, 20.0)  # 19 of them

    assert conformal(residuals, params()).half_width == ceil(20 * 0.9)


def test_every_row_is_predicted_by_a_model_that_was_not_fitted_on_it() -> None:
    """The average of the other folds, which is what a model that knows nothing else answers."""
    rows = rows_of(as_csv(patients(10, seed=1)), params())
    target = rows.target()
    counted = counting(valid_combinations(rows, params()), rows, params())

    predicted = predicted_when_left_out(
        Pipeline([("forest", DummyRegressor())]), np.zeros((10, 1)), rows, counted, params()
    )

    assert predicted.rows.tolist() == list(range(10))
    assert set(predicted.scores) == {(), *params().left_out}
    for scores in predicted.scores.values():
        for _, left_out in folds(params().intervals.folds, params()).split(target):
            expected = (target.sum() - target[left_out].sum()) / (10 - len(left_out))
            assert scores[left_out].tolist() == pytest.approx([expected] * len(left_out))


def test_support_counts_training_rows() -> None:
    columns = params().roles.recorded_together
    one: dict[str, Value] = dict(
        zip(columns, ("Infection", "Ciprofloxacin", 50, "Nausea"), strict=True)
    )
    other: dict[str, Value] = {**one, "Dosage_mg": 850}
    row = ",".join(str(value) for value in one.values())
    training = rows_of("\n".join([",".join(columns), row, row, row]), params())

    found = with_support([one, other], training, params())

    assert [combination.training_rows for combination in found] == [3, 0]


@pytest.mark.usefixtures("few_trees")
def test_the_graph_says_what_it_was_made_of(
    bucket: Bucket, retrained: Retrained, sample_bytes: bytes
) -> None:
    decisions = smaller(params(), trees=5)  # as the fixture has it

    came_to = retrained(sample_bytes)

    graph = onnx.load_from_string(read_verified(bucket, Artefact(**came_to["trained"]["onnx"])))
    assert {one.key: one.value for one in graph.metadata_props} == {
        "dataset_sha256": came_to["validated"]["dataset"]["sha256"],
        "params_sha256": decisions.pipeline_digest,
        REFERENCE_PROPERTY: came_to["trained"]["reference"]["sha256"],
    }


def test_other_decisions_make_another_version(
    upload: Upload, retrain: Retrain, sample_bytes: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(sample_bytes)
    decisions = smaller(params(), trees=5)
    names = []
    for coverage in (0.9, 0.8):
        intervals = decisions.intervals.model_copy(update={"coverage": coverage})
        other = decisions.model_copy(update={"intervals": intervals})
        monkeypatch.setattr(stage, "params", lambda other=other: other)
        names.append(retrain(f"coverage-{coverage}")["nominated"]["version"])

    assert len(set(names)) == 2


@pytest.mark.usefixtures("few_trees")
def test_explanations_compare_with_training_rows(
    bucket: Bucket, retrained: Retrained, sample_bytes: bytes
) -> None:
    came_to = retrained(sample_bytes)

    def read(artefact: dict[str, str]) -> bytes:
        return read_verified(bucket, Artefact(**artefact))

    background = json.loads(read(came_to["trained"]["reference"]))["background"]
    training = pd.read_csv(
        io.StringIO("\n".join(lines_of(read(came_to["preprocessed"]["training"]))))
    )
    recorded = training[list(params().features)].to_dict("records")
    assert len(background) == params().explanations.background_rows
    assert all(row in recorded for row in background)


@pytest.mark.usefixtures("few_trees")
def test_the_plain_average_is_that_of_the_training_rows(
    bucket: Bucket, retrained: Retrained, sample_bytes: bytes
) -> None:
    came_to = retrained(sample_bytes)

    training = pd.read_csv(
        io.StringIO(
            "\n".join(lines_of(bucket.get(came_to["preprocessed"]["training"]["key"]).body))
        )
    )

    assert came_to["trained"]["average"] == pytest.approx(training["Improvement_Score"].mean())


@pytest.mark.usefixtures("few_trees")
def test_the_interval_is_made_of_a_residual_of_every_training_row(
    bucket: Bucket, retrained: Retrained, sample_bytes: bytes
) -> None:
    trained = retrained(sample_bytes)["trained"]

    interval = read_reference(bucket, Artefact(**trained["reference"])).interval
    assert (interval.coverage, interval.residuals, interval.folds) == (0.9, 800, 5)
    # Errors of a normal distribution lie within 1.645 of their RMSE in 90 of 100 cases.
    assert interval.half_width == pytest.approx(
        1.645 * trained["cross_validation"]["rmse"], rel=0.1
    )
