"""A line that names a prediction is read as the API wrote it, or told; others are passed over."""

import json
from typing import Any

import pytest
from clinical.params import params
from monitor.lines import LineUnreadable, captured_in

from tests.unit.pipeline.monitor.clouds import utc

AT = utc(2026, 11, 23, 12)
ONE, TWO = (digit * 32 for digit in "1a")  # the same in each process
PATIENT = {
    "Age": 56,
    "Dosage_mg": 50,
    "Treatment_Duration_days": 9,
    "Gender": "Male",
    "Condition": "Infection",
    "Drug_Name": "Ciprofloxacin",
    "Side_Effects": None,
}
SINGLE: dict[str, Any] = {
    "route": "POST /predict",
    "prediction_id": ONE,
    "prediction": {"Improvement_Score": 6.53},
    "interval": {"low": 4, "high": 8.25, "coverage": 0.9},
    "features": PATIENT,
    "model_version": "v-00000000",
}
BATCH: dict[str, Any] = {
    **SINGLE,
    "route": "POST /predict/batch",
    "prediction_id": [ONE, TWO],
    "prediction": {"Improvement_Score": [6.53, 7.0]},
    "interval": {"low": [4, 5.5], "high": [8.25, 10], "coverage": 0.9},
    "features": {name: [value, value] for name, value in PATIENT.items()}
    | {"Side_Effects": [None, "Nausea"]},
}
COMPARE: dict[str, Any] = {
    "route": "POST /compare",
    "model_version": "v-00000000",
    "features": {"Age": 56, "Gender": "Male", "Condition": "Pain Relief"},
    "compared": [
        {
            "prediction_id": one,
            "Drug_Name": drug,
            "Dosage_mg": 50,
            "Improvement_Score": 6.5,
            "interval": {"low": 4.0, "high": 9.0},
        }
        for one, drug in ((ONE, "Ibuprofen"), (TWO, "Tramadol"))
    ],
    "coverage": 0.9,
    "reference": {"Drug_Name": "Ibuprofen", "Dosage_mg": 50},
}


def test_a_request_is_one_prediction() -> None:
    (one,) = captured_in(json.dumps(SINGLE), AT, params())

    assert (one.prediction_id, one.source, one.predicted_at) == (ONE, "predict", AT)
    assert (one.score, one.low, one.high, one.coverage) == (6.53, 4.0, 8.25, 0.9)
    assert one.features == PATIENT
    assert one.averaged_over == ("Side_Effects",)
    assert not one.explained


def test_what_lambda_adds_to_a_line_in_its_json_format_changes_no_prediction() -> None:
    added = {"timestamp": "2026-11-23T12:00:00.000Z", "level": "INFO", "requestId": "1"}

    assert captured_in(json.dumps({**SINGLE, **added}), AT, params()) == captured_in(
        json.dumps(SINGLE), AT, params()
    )


def test_what_was_asked_with_an_explanation_says_so() -> None:
    (one,) = captured_in(json.dumps(SINGLE | {"explained": True}), AT, params())

    assert one.explained


def test_a_batch_is_a_prediction_a_row() -> None:
    first, second = captured_in(json.dumps(BATCH), AT, params())

    assert (first.prediction_id, first.score, first.low) == (ONE, 6.53, 4.0)
    assert (second.prediction_id, second.high, second.source) == (TWO, 10.0, "batch")
    assert first.averaged_over == ("Side_Effects",)
    assert second.averaged_over == ()
    assert second.features == PATIENT | {"Side_Effects": "Nausea"}


def test_a_batch_of_which_no_row_was_scored_is_no_prediction() -> None:
    empty = BATCH | {
        "prediction_id": [],
        "prediction": {"Improvement_Score": []},
        "interval": {"low": [], "high": [], "coverage": 0.9},
        "features": {name: [] for name in PATIENT},
    }

    assert captured_in(json.dumps(empty), AT, params()) == []


def test_a_comparison_is_a_prediction_a_treatment() -> None:
    first, second = captured_in(json.dumps(COMPARE), AT, params())

    assert list(first.features) == list(params().features)
    assert first.features["Drug_Name"] == "Ibuprofen"
    assert second.features["Drug_Name"] == "Tramadol"
    assert second.features["Condition"] == "Pain Relief"
    assert first.averaged_over == ("Side_Effects",)
    assert (first.source, first.low, first.high, first.coverage) == ("compare", 4.0, 9.0, 0.9)


@pytest.mark.parametrize("line", [SINGLE, BATCH, COMPARE], ids=["one", "batch", "comparison"])
@pytest.mark.parametrize(("status", "kept"), [(200, True), (500, False), (503, False)])
def test_what_was_predicted_and_answered_to_nobody_is_none(
    line: dict[str, Any], status: int, *, kept: bool
) -> None:
    found = captured_in(json.dumps({**line, "status": status}), AT, params())

    assert bool(found) is kept


def test_features_of_another_release_are_kept_as_they_were_said() -> None:
    other = SINGLE | {"features": {"Größe": 1.85, "Raucher": True, "Medikament": "Парацетамол"}}

    (one,) = captured_in(json.dumps(other, ensure_ascii=False), AT, params())

    assert one.features == other["features"]
    assert one.averaged_over == ()


@pytest.mark.parametrize("escaped", [False, True])
def test_words_are_read_however_they_are_written(*, escaped: bool) -> None:
    features = {"Größe": "\N{SNOWMAN}\N{GRINNING FACE}"}

    (one,) = captured_in(
        json.dumps(SINGLE | {"features": features}, ensure_ascii=escaped), AT, params()
    )

    assert one.features == features
    assert one.of_line(one.line().encode()) == one


@pytest.mark.parametrize(
    "message",
    [
        "",
        "START RequestId: 11111111-2222-3333-4444-555555555555 Version: $LATEST\n",
        "END RequestId: 11111111-2222-3333-4444-555555555555\n",
        "REPORT RequestId: 1 Duration: 1.23 ms Billed Duration: 2 ms Memory Size: 1769 MB",
        '{"time":"2026-11-23T12:00:00Z","type":"platform.report","record":{"status":"success"}}',
        '{"level":"ERROR","message":"A request failed.","service":"api"}',
        '{"_aws":{},"route":"GET /health","Health":1,"model_version":"v-00000000"}',
        '{"_aws":{},"route":"POST /predict","status":422,"error":"RequestInvalid"}',
        json.dumps({name: value for name, value in SINGLE.items() if name != "prediction_id"}),
        "[1, 2]",
        "Traceback (most recent call last):",
    ],
)
def test_lines_about_something_else_are_passed_over(message: str) -> None:
    assert captured_in(message, AT, params()) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"prediction_id": ONE[:-1]},
        {"prediction_id": TWO.upper()},
        {"prediction_id": "\N{FULLWIDTH DIGIT ONE}" * 32},
        {"prediction_id": 7},
        {"prediction_id": None},
        {"prediction_id": [ONE]},
        {"prediction": {}},
        {"prediction": {"a": 1, "b": 2}},
        {"prediction": {"Improvement_Score": "6.53"}},
        {"prediction": {"Improvement_Score": True}},
        {"prediction": {"Improvement_Score": float("nan")}},
        {"prediction": 6.53},
        {"interval": {"low": 1, "coverage": 0.9}},
        {"interval": {"low": None, "high": 8, "coverage": 0.9}},
        {"interval": {"low": 10**400, "high": 8, "coverage": 0.9}},
        {"features": None},
        {"features": [1]},
        {"features": {"Age": [56]}},
        {"features": {"Age": {"a": 1}}},
        {"features": {"Age": float("inf")}},
        {"features": {"Drug_Name": "\ud800"}},
        {"features": {"\udfff": 1}},
        {"model_version": "\ud800"},
        {"model_version": None},
        {"model_version": ""},
        {"route": "POST /predicted"},
        {"route": None},
        {"compared": [{}]},
        {"compared": 1},
    ],
)
def test_a_line_that_names_a_prediction_and_does_not_say_all_of_it_is_told(
    wrong: dict[str, Any],
) -> None:
    with pytest.raises(LineUnreadable):
        captured_in(json.dumps(SINGLE | wrong), AT, params())


@pytest.mark.parametrize(
    "message",
    [
        json.dumps(SINGLE)[:-20],
        json.dumps([SINGLE]),
        '"' + '\\"prediction_id\\"' + '" "prediction_id"',
        '{"prediction_id":' + "[" * 100_000,
        json.dumps(BATCH | {"prediction": {"Improvement_Score": [6.53]}}),
        json.dumps(BATCH | {"features": {"Age": [56]}}),
        json.dumps(BATCH | {"interval": {"low": [4], "high": [8.25, 10], "coverage": 0.9}}),
        json.dumps(COMPARE | {"features": None}),
        json.dumps({**COMPARE, "compared": [{**COMPARE["compared"][0], "interval": None}]}),
    ],
)
def test_what_is_cut_off_or_of_another_shape_is_told(message: str) -> None:
    with pytest.raises(LineUnreadable):
        captured_in(message, AT, params())
