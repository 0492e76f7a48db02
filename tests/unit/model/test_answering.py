"""What cannot be asked for, or answered, is neither published nor served."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from clinical.errors import ModelUnanswerable
from clinical.kinds import Value
from clinical.params import Params, params
from clinical.reference import Conformal, Reference, example_request
from model.answering import check_answers
from model.scorer import Row, Scorer, Scores
from onnxruntime.capi.onnxruntime_pybind11_state import InvalidArgument

from tests.unit.conftest import with_column

ROW: dict[str, Value] = {
    "Age": 56,
    "Dosage_mg": 50,
    "Treatment_Duration_days": 9,
    "Gender": "Male",
    "Condition": "Infection",
    "Drug_Name": "Ciprofloxacin",
    "Side_Effects": "Nausea",
}


class Answers(Scorer):
    """A model that answers always the same, or fails."""

    def __init__(self, score: float | Exception = 5.0) -> None:
        """Need no graph."""
        self.asked: list[Row] = []
        self._score = score

    def predict(self, rows: Sequence[Row]) -> Scores:
        self.asked.extend(rows)
        if isinstance(self._score, Exception):
            raise self._score
        return np.array([self._score])


def knowing(**changed: Value) -> Reference:
    interval = Conformal(coverage=0.9, half_width=1, residuals=9, folds=5)
    return Reference(combinations=(), interval=interval, background=({**ROW, **changed},))


def test_a_recorded_row_is_asked_for_as_a_request_would() -> None:
    scorer = Answers()

    check_answers(scorer, knowing(), params())

    assert scorer.asked == [ROW]
    assert example_request(knowing(), params()) == {"Patient_ID": "P0001", **ROW}


@pytest.fixture
def nullable() -> Params:
    return with_column(params(), "Age", nullable=True)


def test_a_recorded_row_may_lack_what_may_be_missing(nullable: Params) -> None:
    scorer = Answers()

    check_answers(scorer, knowing(Age=None), nullable)

    assert math.isnan(scorer.asked[0]["Age"])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("reference", "fields"),
    [
        (knowing(Age=17), "Age"),
        (knowing(Age=None), "Age"),
        (knowing(Condition="Flu", Dosage_mg=51), "Condition, Dosage_mg"),
    ],
)
def test_what_the_contract_refuses_cannot_be_asked_for(reference: Reference, fields: str) -> None:
    with pytest.raises(ModelUnanswerable, match=f"refuses {fields} of a recorded row"):
        check_answers(Answers(), reference, params())


@pytest.mark.parametrize("score", [math.nan, math.inf])
def test_a_score_that_is_no_number_is_no_answer(score: float) -> None:
    with pytest.raises(ModelUnanswerable, match="the score of a recorded row is"):
        check_answers(Answers(score), knowing(), params())


@pytest.mark.parametrize("error", [KeyError("BMI"), InvalidArgument("a category is unknown")])
def test_a_graph_that_asks_for_other_columns_cannot_answer(error: Exception) -> None:
    with pytest.raises(ModelUnanswerable, match=f"cannot be scored: {type(error).__name__}"):
        check_answers(Answers(error), knowing(), params())


def test_without_a_recorded_row_nothing_can_be_asked() -> None:
    empty = knowing().model_copy(update={"background": ()})

    with pytest.raises(ModelUnanswerable):
        check_answers(Answers(), empty, params())
