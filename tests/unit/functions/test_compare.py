"""Before a treatment: what is known only afterwards is left out, and treatments are compared."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from clinical.obstore_bucket import ObstoreBucket
from clinical.params import params
from clinical.reference import Reference, read_reference
from clinical.registry import Champion
from model.scorer import Scorer

from tests.unit.conftest import Answer, Api, Candidate, emf_lines
from tests.unit.functions.test_predict import fields

type Patient = dict[str, Any]

TREATMENT = ("Drug_Name", "Dosage_mg")


@pytest.fixture
def champion(candidate: Candidate, promote: Callable[[Candidate], Champion]) -> Champion:
    return promote(candidate)


@pytest.fixture
def api(predict_api: Api, champion: Champion) -> Api:
    return predict_api


@pytest.fixture
def reference(bucket: ObstoreBucket, champion: Champion) -> Reference:
    return read_reference(bucket, champion.reference)


@pytest.fixture
def before(patient: Patient) -> Patient:
    """The patient before the treatment: nobody knows a side effect."""
    return {name: value for name, value in patient.items() if name != "Side_Effects"}


@pytest.fixture
def untreated(before: Patient) -> Patient:
    return {name: value for name, value in before.items() if name not in TREATMENT}


def compare(api: Api, patient: Patient, **asked: Any) -> Answer:
    return api("POST", "/compare", {"patient": patient, **asked})


# ---- What is known only afterwards ----


def test_a_score_is_the_mean_over_what_was_recorded_of_what_is_left_out(
    api: Api, before: Patient, reference: Reference
) -> None:
    answer = api("POST", "/predict", before)

    choices = {
        one.values["Side_Effects"]: one.training_rows
        for one in reference.combinations
        if all(one.values[name] == before[name] for name in one.values if name in before)
    }
    scores = {
        effect: api("POST", "/predict", {**before, "Side_Effects": effect}).body
        for effect in choices
    }
    expected = np.average(
        [one["Improvement_Score"] for one in scores.values()], weights=list(choices.values())
    )
    assert answer.status == 200
    assert answer.body["averaged_over"] == ["Side_Effects"]
    assert answer.body["Improvement_Score"] == pytest.approx(expected, abs=0.011)
    assert answer.body["support"] == sum(choices.values())
    assert [one["support"] for one in scores.values()] == list(choices.values())


def test_its_interval_is_of_the_residuals_of_that_very_prediction(
    api: Api, before: Patient, reference: Reference
) -> None:
    (averaged,) = reference.averaged
    body = api("POST", "/predict", before).body

    assert averaged.over == ("Side_Effects",)
    assert averaged.half_width != reference.interval.half_width
    width = body["interval"]["high"] - body["interval"]["low"]
    assert width == pytest.approx(2 * averaged.half_width, abs=0.021)


def test_null_and_nothing_are_not_known_alike(api: Api, before: Patient) -> None:
    null = api("POST", "/predict", {**before, "Side_Effects": None})

    assert null.said == api("POST", "/predict", before).said


def test_with_the_value_given_an_answer_is_what_it_was(api: Api, patient: Patient) -> None:
    assert "averaged_over" not in api("POST", "/predict", patient).body


def test_contributions_add_up_to_a_mean_of_scores(api: Api, before: Patient) -> None:
    answer = api(
        "POST", "/predict", before, multiValueQueryStringParameters={"explain": ["true"]}
    ).body

    total = answer["base_value"] + sum(answer["contributions"].values())
    assert set(answer["contributions"]) == set(params().features)
    assert total == pytest.approx(answer["Improvement_Score"], abs=0.006)


def test_a_batch_holds_both(api: Api, before: Patient, patient: Patient) -> None:
    alone = [api("POST", "/predict", one).said for one in (before, patient)]

    batch = api("POST", "/predict/batch", {"patients": [before, patient, before]}).said

    for one, expected in zip(batch["predictions"], [*alone, alone[0]], strict=True):
        assert one == {name: expected[name] for name in one}
    assert "averaged_over" in batch["predictions"][0]


def test_what_was_never_recorded_is_refused_without_the_rest_too(api: Api, before: Patient) -> None:
    answer = api("POST", "/predict", {**before, "Drug_Name": "Sertraline"})

    assert answer.status == 422
    assert (
        "Condition, Drug_Name and Dosage_mg were never recorded together" in answer.body["detail"]
    )


def test_the_log_tells_what_was_not_known(
    api: Api, before: Patient, capsys: pytest.CaptureFixture[str]
) -> None:
    api("POST", "/predict", before)

    (line,) = [one for one in emf_lines(capsys.readouterr().out) if one.get("route")]
    assert line["features"]["Side_Effects"] is None


def test_a_model_of_an_earlier_release_says_that_it_needs_the_rest(
    api: Api,
    before: Patient,
    patient: Patient,
    untreated: Patient,
    monkeypatch: pytest.MonkeyPatch,
    reference: Reference,
) -> None:
    """It serves as it did: whoever says everything is answered."""
    earlier = reference.model_copy(update={"averaged": (), "differences": None})
    monkeypatch.setattr("model.loader.read_reference", lambda *_: earlier)

    assert api("POST", "/predict", patient).status == 200
    answer = api("POST", "/predict", before)
    assert answer.status == 422
    assert fields(answer) == {"Side_Effects"}
    assert "trained before this field became optional" in answer.body["detail"]
    batch = api("POST", "/predict/batch", {"patients": [before]}).body["predictions"][0]
    assert batch["errors"][0]["loc"] == ["body", "patients", 0, "Side_Effects"]
    comparison = compare(api, untreated)
    assert comparison.status == 503
    assert "could not compare treatments" in comparison.body["detail"]


# ---- Comparing ----


def test_every_treatment_recorded_with_the_condition_is_compared(
    api: Api, untreated: Patient, reference: Reference
) -> None:
    answer = compare(api, untreated)

    assert answer.status == 200
    recorded = {
        tuple(one.values[name] for name in TREATMENT)
        for one in reference.combinations
        if one.values["Condition"] == untreated["Condition"]
    }
    treatments = [tuple(one["treatment"].values()) for one in answer.body["treatments"]]
    assert set(treatments) == recorded
    assert len(treatments) == len(recorded)  # one row each, whatever side effects there are
    drugs, dosages = (list(params().columns[name].listed) for name in TREATMENT)
    in_order = sorted(treatments, key=lambda one: (drugs.index(one[0]), dosages.index(one[1])))
    assert treatments == in_order  # of the contract: no ranking
    assert answer.body["averaged_over"] == ["Side_Effects"]
    assert answer.body["assignment"] == "observed"
    assert answer.body["Patient_ID"] == untreated["Patient_ID"]


def test_each_is_scored_as_a_prediction_is(api: Api, untreated: Patient) -> None:
    for one in compare(api, untreated).body["treatments"]:
        alone = api("POST", "/predict", {**untreated, **one["treatment"]}).body
        shared = ("Improvement_Score", "interval", "support")
        assert {name: one[name] for name in shared} == {name: alone[name] for name in shared}


def test_win_probabilities_are_against_the_most_recorded_treatment(
    api: Api, untreated: Patient
) -> None:
    body = compare(api, untreated).body

    own = next(one for one in body["treatments"] if one["treatment"] == body["reference"])
    assert own["win_probability"] == 0.5
    assert own["support"] == max(one["support"] for one in body["treatments"])
    by_score = sorted(body["treatments"], key=lambda one: one["Improvement_Score"])
    probabilities = [one["win_probability"] for one in by_score]
    assert probabilities == sorted(probabilities)
    assert 0 < probabilities[0] < 0.5 < probabilities[-1] < 1


def test_a_caller_may_name_the_reference(api: Api, untreated: Patient) -> None:
    first, *_, last = compare(api, untreated).body["treatments"]

    against = [
        compare(api, untreated, reference=one["treatment"]).body["treatments"]
        for one in (first, last)
    ]

    assert against[0][0]["win_probability"] == against[1][-1]["win_probability"] == 0.5
    assert against[0][-1]["win_probability"] == pytest.approx(
        1 - against[1][0]["win_probability"], abs=1e-4
    )


@pytest.mark.parametrize(
    ("asked", "wrong"),
    [
        ({"reference": {"Drug_Name": "Sertraline", "Dosage_mg": 50}}, {"reference"}),
        ({"reference": {"Drug_Name": "Ciprofloxacin"}}, {"Dosage_mg"}),
        ({"reference": {"Drug_Name": "Ciprofloxacin", "Dosage_mg": 51}}, {"Dosage_mg"}),
        ({"reference": []}, {"reference"}),
        ({"patient": {}}, set(params().asked) - {*TREATMENT, "Side_Effects"}),
        ({"patient": None}, {"patient"}),
        ({"best": True}, {"best"}),
    ],
)
def test_what_is_wrong_with_a_comparison_is_named(
    api: Api, untreated: Patient, asked: Any, wrong: set[str]
) -> None:
    answer = api("POST", "/compare", {"patient": untreated, **asked})

    assert answer.status == 422
    assert fields(answer) == wrong


def test_a_treatment_is_no_part_of_the_patient(api: Api, patient: Patient) -> None:
    answer = compare(api, patient)

    assert answer.status == 422
    assert fields(answer) == {*TREATMENT, "Side_Effects"}


def test_a_condition_without_recorded_treatments_has_none_to_compare(
    api: Api, untreated: Patient, monkeypatch: pytest.MonkeyPatch, reference: Reference
) -> None:
    without = reference.model_copy(
        update={
            "combinations": tuple(
                one
                for one in reference.combinations
                if one.values["Condition"] != untreated["Condition"]
            )
        }
    )
    monkeypatch.setattr("model.loader.read_reference", lambda *_: without)

    answer = compare(api, untreated)

    assert answer.status == 422
    assert "No treatment was ever recorded for such a patient" in answer.body["detail"]


def test_a_comparison_logs_what_it_compared_and_nobody(
    api: Api, untreated: Patient, capsys: pytest.CaptureFixture[str]
) -> None:
    body = compare(api, {**untreated, "Patient_ID": "CANARY-7"}).body

    out = capsys.readouterr().out
    (line,) = [one for one in emf_lines(out) if one.get("route") == "POST /compare"]
    assert "CANARY" not in out
    assert line["reference"] == body["reference"]
    assert len(line["compared"]) == len(body["treatments"])
    assert set(line["features"]) == set(params().features) - {*TREATMENT, "Side_Effects"}


def test_a_refused_comparison_logs_the_column_and_no_value(
    api: Api, untreated: Patient, capsys: pytest.CaptureFixture[str]
) -> None:
    compare(api, {**untreated, "Gender": "CANARY"})

    out = capsys.readouterr().out
    (line,) = [one for one in emf_lines(out) if one.get("route") == "POST /compare"]
    assert line["violations"] == [{"field": "Gender", "type": "literal_error"}]
    assert "CANARY" not in out


def test_it_is_one_call_of_onnx_runtime(
    api: Api, untreated: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    predict = Scorer.predict

    def counted(scorer: Scorer, rows: Any) -> Any:
        calls.append(len(rows))
        return predict(scorer, rows)

    compare(api, untreated)
    monkeypatch.setattr(Scorer, "predict", counted)
    compare(api, untreated)

    assert len(calls) == 1
