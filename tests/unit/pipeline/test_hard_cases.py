"""What is legitimate and hard on the pipeline: odd words, new categories, lost champions."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import stage
from clinical.artefacts import Bucket
from clinical.errors import ParamsInvalid
from clinical.kinds import Category
from clinical.params import Params, params, parse_params
from clinical.reference import Conformal
from clinical.registry import MODEL
from retrain.stages.evaluate import covered, within

from data.generate import as_csv, patients
from tests.unit.clinical.test_params import with_value
from tests.unit.conftest import smaller, tuning_of
from tests.unit.pipeline.conftest import Retrained
from tests.unit.pipeline.test_evaluate import stumps
from tests.unit.pipeline.test_gate import ABOUT_EQUAL, champion, decided

type Retrain = Callable[..., dict[str, Any]]
type Upload = Callable[[bytes], str]


def knowing(value: str) -> Params:
    """Decisions on a small forest, with one more side effect."""
    column = params().columns["Side_Effects"]
    assert isinstance(column, Category)
    more = column.model_copy(update={"values": (*column.values, value)})
    columns = {**params().columns, "Side_Effects": more}
    return smaller(params(), trees=5).model_copy(update={"columns": columns})


@pytest.mark.parametrize("tune", [False, True])
@pytest.mark.parametrize("value", ["None", "NA", "null"])
def test_train_a_category_that_looks_like_nothing_is_trained_on(
    upload: Upload,
    retrain: Retrain,
    sample_bytes: bytes,
    monkeypatch: pytest.MonkeyPatch,
    value: str,
    tune: bool,
) -> None:
    decisions = tuning_of(knowing(value), n_estimators=(2,), max_depth=(5,), min_samples_leaf=(2,))
    monkeypatch.setattr(stage, "params", lambda: decisions)
    upload(sample_bytes.replace(b",Nausea,", f",{value},".encode()))

    came_to = retrain("one", {"tune": tune})

    assert came_to["promoted"]["decision"] == "promoted"


@pytest.mark.usefixtures("few_trees")
def test_evaluate_a_champion_that_lacks_a_new_category_is_compared_on_the_rows_that_it_knows(
    upload: Upload,
    retrain: Retrain,
    retrained: Retrained,
    sample_bytes: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    served = retrained(sample_bytes)["promoted"]["version"]
    monkeypatch.setattr(stage, "params", lambda: knowing("Hiccups"))
    upload(as_csv(patients(1000, seed=7)).encode().replace(b",Cough,", b",Hiccups,"))

    verdict = retrain("two")["evaluated"]["verdict"]

    assert verdict["champion"]["version"] == served
    assert verdict["champion"]["rmse_difference"] is not None
    assert 100 < verdict["champion"]["rows"] < 200  # those without the new category
    assert verdict["decision"] == "promoted"


@pytest.mark.usefixtures("few_trees")
def test_evaluate_a_corrupted_champion_does_not_stand_in_the_way_of_one_without_skill(
    upload: Upload,
    retrain: Retrain,
    retrained: Retrained,
    sample_bytes: bytes,
    bucket: Bucket,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    served = retrained(sample_bytes)["promoted"]["version"]
    bucket.put(f"models/{served}/{MODEL}", b"no model")
    monkeypatch.setattr(stage, "params", lambda: stumps(params()))
    upload(as_csv(patients(500, seed=7)).encode())

    verdict = retrain("two")["evaluated"]["verdict"]

    assert verdict["decision"] == "promoted_with_warning"


def test_gate_a_rejection_for_a_champion_that_was_not_compared_has_its_reason() -> None:
    verdict = decided(rmse_difference=ABOUT_EQUAL, champion=champion(None, beats=True))

    assert verdict.decision == "rejected"
    assert "The champion does beat the average baseline, so it stays." in verdict.reasons


@pytest.mark.parametrize("held", [170, 190])
def test_evaluate_coverage_may_be_off_by_just_what_the_gate_allows(held: int) -> None:
    interval = Conformal(coverage=0.9, half_width=1, residuals=800, folds=5)
    recorded = np.array([6.0] * held + [6.5] * (200 - held))

    inside = within(recorded, np.full(200, 5.0), interval.half_width, params())

    assert covered(inside, interval.coverage, params()).holds


@pytest.mark.parametrize("bands", [[35, 50], [18, 50, 35], [18, 18], [18, 90]])
def test_params_age_bands_must_hold_every_age(bands: list[int]) -> None:
    with pytest.raises(ParamsInvalid, match=r"roles\.subgroups\.Age"):
        parse_params(with_value("roles.subgroups.Age", bands))
