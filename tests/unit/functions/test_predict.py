import base64
import json
import os
import string
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import jsonschema
import numpy as np
import pytest
from clinical import contract
from clinical.obstore_bucket import ObstoreBucket
from clinical.params import params
from clinical.registry import CARD, MODEL, REFERENCE, Champion, Registry, Version
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from model.scored import interval_around
from model.scorer import Columns, Scorer, Scores

from local.emulator.insights import fields_of
from tests.conftest import ROOT
from tests.unit.conftest import NOW, PROMOTION, Answer, Api, Candidate, emf_lines

type Promote = Callable[[Candidate], Champion]

FEATURES = tuple(params().features)
MOST_REPORT_BYTES = 300_000
REQUIRED = {"Patient_ID", *FEATURES} - set(params().roles.known_after_treatment)


@pytest.fixture
def api(predict_api: Api, candidate: Candidate, promote: Promote) -> Api:
    """The predict function with a champion to serve."""
    promote(candidate)
    return predict_api


def fields(answer: Any) -> set[str]:
    """The fields that a problem names."""
    return {error["loc"][-1] for error in answer.body["errors"]}


def counted(metric: str, capsys: pytest.CaptureFixture[str]) -> list[float]:
    """The values of a metric in what was printed since the last time that this was asked."""
    lines = emf_lines(capsys.readouterr().out)
    return [line[metric] for line in lines if metric in line]


def test_a_patient_gets_a_score(api: Api, patient: dict[str, object]) -> None:
    answer = api("POST", "/predict", patient)

    assert answer.status == 200
    assert set(answer.body) == {
        "Patient_ID",
        "prediction_id",
        "Improvement_Score",
        "interval",
        "support",
        "model_version",
        "skill",
        "disclaimer",
    }
    assert answer.body["Patient_ID"] == patient["Patient_ID"]
    assert 0 <= answer.body["Improvement_Score"] <= 10
    assert round(answer.body["Improvement_Score"], 2) == answer.body["Improvement_Score"]
    assert "not a diagnosis and not treatment advice" in answer.body["disclaimer"]


@pytest.mark.parametrize(("raw", "served"), [(-3.2, 0.0), (11.7, 10.0), (6.4567, 6.46)])
def test_a_score_is_clamped_and_rounded(
    api: Api,
    patient: dict[str, object],
    monkeypatch: pytest.MonkeyPatch,
    raw: float,
    served: float,
) -> None:
    model = api.module.follower.current()
    monkeypatch.setattr(model.scorer, "predict", lambda _: np.array([raw]))

    assert api("POST", "/predict", patient).body["Improvement_Score"] == served


@pytest.mark.parametrize(
    ("field", "number", "as_written"),
    [
        ("Age", "56", "56.0"),
        ("Age", "56", "5.6e1"),
        ("Age", "50", "5E+1"),
        ("Age", "56", "560e-1"),
        ("Treatment_Duration_days", "9", "9.000"),
        ("Dosage_mg", "50", "50.0"),
        ("Dosage_mg", "100", "1e2"),
    ],
)
def test_a_whole_number_is_one_however_it_is_written(
    api: Api, patient: dict[str, object], field: str, number: str, as_written: str
) -> None:
    def answered(written: str) -> Answer:
        body = json.dumps(patient | {field: 0}).replace(f'"{field}": 0', f'"{field}": {written}')
        assert written in body
        return api("POST", "/predict", body)

    assert answered(as_written).status == 200
    assert answered(as_written).said == answered(number).said


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("Patient_ID", ""),
        ("Patient_ID", "x" * 65),
        ("Patient_ID", 7),
        ("Patient_ID", None),
        ("Age", 17),
        ("Age", 80),
        ("Age", "56"),
        ("Age", 56.5),
        ("Age", -0.0),
        ("Age", 1e300),
        ("Age", 10**400),
        ("Age", True),
        ("Age", float("nan")),
        ("Gender", "male"),
        ("Gender", 1),
        ("Condition", "Flu"),
        ("Drug_Name", "Aspirin"),
        ("Drug_Name", ["Ciprofloxacin"]),
        ("Dosage_mg", 60),
        ("Dosage_mg", "50"),
        ("Dosage_mg", True),
        ("Dosage_mg", 50.5),
        ("Dosage_mg", 10**400),
        ("Dosage_mg", float("inf")),
        ("Treatment_Duration_days", 4),
        ("Treatment_Duration_days", 60),
        ("Treatment_Duration_days", 1e300),
        ("Side_Effects", "Hiccups"),
        ("Side_Effects", {}),
    ],
)
def test_a_wrong_field_is_named(
    api: Api, patient: dict[str, object], field: str, wrong: object
) -> None:
    answer = api("POST", "/predict", patient | {field: wrong})

    assert answer.status == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert fields(answer) == {field}
    assert field in answer.body["detail"]


@pytest.mark.parametrize("field", [one for one in FEATURES if one in REQUIRED])
def test_a_missing_field_is_named(api: Api, patient: dict[str, object], field: str) -> None:
    del patient[field]

    assert fields(api("POST", "/predict", patient)) == {field}


def test_an_unknown_field_is_refused(api: Api, patient: dict[str, object]) -> None:
    assert fields(api("POST", "/predict", patient | {"Weight": 70})) == {"Weight"}


def test_a_combination_that_was_never_recorded_is_refused(
    api: Api, patient: dict[str, object]
) -> None:
    answer = api("POST", "/predict", patient | {"Side_Effects": "Cough"})

    assert answer.status == 422
    assert [error["type"] for error in answer.body["errors"]] == ["unrecorded_combination"]


def test_everything_wrong_is_named_at_once_the_combination_too(
    api: Api, patient: dict[str, object]
) -> None:
    answer = api("POST", "/predict", patient | {"Age": 17, "Side_Effects": "Cough", "Weight": 70})

    assert [error["type"] for error in answer.body["errors"]] == [
        "greater_than_equal",
        "extra_forbidden",
        "unrecorded_combination",
    ]


def test_a_combination_with_a_wrong_part_is_not_judged(
    api: Api, patient: dict[str, object]
) -> None:
    answer = api("POST", "/predict", patient | {"Condition": "Flu", "Side_Effects": "Cough"})

    assert fields(answer) == {"Condition"}


@pytest.mark.parametrize("body", ["[]", '"text"', "null", "7"])
def test_json_that_is_no_object_breaks_the_contract(api: Api, body: str) -> None:
    assert api("POST", "/predict", body).status == 422


@pytest.mark.parametrize(
    "body",
    ["", "{", "{'Age': 1}", "Age=1", '{"Age": 1}}', "[" * 60_000, '{"Age": ' + "9" * 5000 + "}"],
)
def test_a_body_that_is_no_json_is_refused(api: Api, body: str) -> None:
    answer = api("POST", "/predict", body, headers={"Content-Type": "application/json"})

    assert answer.status == 400
    assert answer.body["title"] == "Bad Request"


@pytest.mark.parametrize("body", [base64.b64encode(b"\xff\xfe{").decode(), "no base64!"])
def test_a_body_that_is_no_utf_8_is_refused(api: Api, body: str) -> None:
    assert api("POST", "/predict", body, isBase64Encoded=True).status == 400


def test_a_body_in_base64_is_read(api: Api, patient: dict[str, object]) -> None:
    body = base64.b64encode(json.dumps(patient).encode()).decode()

    assert api("POST", "/predict", body, isBase64Encoded=True).status == 200


@pytest.mark.parametrize(
    "media_type",
    ["multipart/form-data", "application/x-www-form-urlencoded", "text/plain", "application/xml"],
)
def test_a_body_of_another_media_type_is_refused(api: Api, media_type: str) -> None:
    assert api("POST", "/predict", "x", headers={"content-type": media_type}).status == 415


@pytest.mark.parametrize("letter", ["x", "é"])
def test_a_body_over_64_kb_is_refused(api: Api, patient: dict[str, object], letter: str) -> None:
    limit = params().serving.max_body_bytes
    assert limit == 64 * 1024

    letters = letter * (limit // len(letter.encode()))
    body = json.dumps(patient | {"Patient_ID": letters}, ensure_ascii=False)

    assert api("POST", "/predict", body).status == 413
    assert api("POST", "/predict", "[" * 100_000).status == 413


def test_without_a_champion_the_api_says_so(
    predict_api: Api, patient: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    answer = predict_api("POST", "/predict", patient)

    assert answer.status == 503
    assert "retrain" in answer.body["detail"]
    assert counted("PredictionErrors", capsys) == [1.0]


def test_without_a_champion_a_wrong_field_is_still_named(
    predict_api: Api, patient: dict[str, object]
) -> None:
    assert fields(predict_api("POST", "/predict", patient | {"Age": 17})) == {"Age"}


def test_a_fault_is_told_without_what_broke(
    api: Api,
    patient: dict[str, object],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def break_down(_: object) -> None:
        raise RuntimeError("secret of P0001")

    monkeypatch.setattr(api.module.follower.current().scorer, "predict", break_down)

    answer = api("POST", "/predict", patient)

    printed = capsys.readouterr().out
    assert answer.status == 500
    assert "secret" not in answer.text
    assert api.context.aws_request_id in answer.body["detail"]
    assert "secret" not in printed
    assert "RuntimeError" in printed
    assert "test_predict.py" in printed


def test_health_tells_the_version_that_serves(
    predict_api: Api, candidate: Candidate, promote: Promote
) -> None:
    unhealthy = predict_api("GET", "/health")
    assert unhealthy.status == 503
    assert unhealthy.body == {
        "status": "unhealthy",
        "model_loaded": False,
        "model_version": "unknown",
        "reason": "No model has been promoted yet; start the retrain state machine.",
    }
    assert unhealthy.headers["Retry-After"] == "1"

    champion = promote(candidate)
    predict_api.module.follower._next_look = float("-inf")

    healthy = predict_api("GET", "/health")
    assert healthy.status == 200
    assert healthy.body == {
        "status": "healthy",
        "model_loaded": True,
        "model_version": champion.version,
    }


def test_an_unknown_path_is_a_problem_too(api: Api) -> None:
    answer = api("GET", "/nowhere")

    assert answer.status == 404
    assert answer.body["title"] == "Not Found"


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("http://site.example", "http://site.example"),
        ("https://lab.example", "https://lab.example"),
        ("https://evil.example", None),
    ],
)
def test_browsers_of_allowed_origins_may_read_answers_and_problems(
    api: Api, patient: dict[str, object], origin: str, allowed: str | None
) -> None:
    headers = {"Content-Type": "application/json", "Origin": origin}

    for body in (patient, "no json", {}):
        answer = api("POST", "/predict", body, headers=headers)
        assert answer.headers.get("Access-Control-Allow-Origin") == allowed
    preflight = api("OPTIONS", "/predict", headers={"Origin": origin})
    assert preflight.status == 204
    assert preflight.headers.get("Access-Control-Allow-Origin") == allowed


def test_a_request_leaves_one_line_with_metrics_and_features(
    api: Api, patient: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    api("POST", "/predict", patient)
    capsys.readouterr()

    answer = api("POST", "/predict", patient)

    (text,) = capsys.readouterr().out.splitlines()
    line = json.loads(text)
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "ClinicalOutcomes"
    assert directive["Dimensions"] == [["service"]]
    assert {metric["Name"] for metric in directive["Metrics"]} == {
        "Latency",
        "Predictions",
        "PredictionErrors",
    }
    assert line["Latency"] > 0
    assert line["route"] == "POST /predict"
    assert line["status"] == 200
    assert line["prediction"] == {"Improvement_Score": answer.body["Improvement_Score"]}
    assert line["model_version"] == answer.body["model_version"]
    assert line["features"] == {name: patient[name] for name in params().features}


def test_a_prediction_that_fails_is_counted_and_one_that_is_refused_is_not(
    api: Api,
    patient: dict[str, object],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    api("POST", "/predict", patient)
    api("POST", "/predict", patient | {"Age": 17})
    api("GET", "/model")
    monkeypatch.setattr(api.module.follower.current().scorer, "predict", None)
    api("POST", "/predict", patient)

    lines = [line for line in emf_lines(capsys.readouterr().out) if "Latency" in line]
    assert [line["status"] for line in lines] == [200, 422, 200, 500]
    assert ["error" in line for line in lines] == [False, True, False, True]
    assert [line.get("PredictionErrors") for line in lines] == [0, 0, None, 1]


def test_the_first_request_of_an_environment_alone_is_a_cold_start(
    api: Api, patient: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(3):
        api("POST", "/predict", patient)

    lines = emf_lines(capsys.readouterr().out)
    assert [line.get("cold") for line in lines] == [True, None, None]


def test_what_is_summed_up_is_among_the_fields_that_are_found_of_a_long_line(
    api: Api, patient: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    """Logs Insights finds 200 fields of a line in JSON, from its beginning."""
    api("POST", "/predict/batch", {"patients": [patient] * 50})

    (line,) = [line for line in emf_lines(capsys.readouterr().out) if "Latency" in line]
    assert len(fields_of(json.dumps(line))) > 200
    assert {"service", "Latency", "route", "status", "cold"} <= set(list(line)[:10])


def test_health_is_1_with_a_model_and_0_without(
    predict_api: Api,
    candidate: Candidate,
    promote: Promote,
    capsys: pytest.CaptureFixture[str],
) -> None:
    predict_api("GET", "/health")
    assert counted("Health", capsys) == [0]
    champion = promote(candidate)
    predict_api.module.follower._next_look = float("-inf")

    predict_api("GET", "/health")

    (line,) = [line for line in emf_lines(capsys.readouterr().out) if "Health" in line]
    verdict = champion.verdict
    assert line["Health"] == 1
    assert line["ServedPromotion"] == champion.sequence
    assert line["model_r2"] == verdict.candidate.r2.value
    assert line["model_rmse"] == verdict.candidate.rmse.value
    assert line["average_rmse"] == verdict.average.rmse.value
    assert line["interval_coverage"] == verdict.coverage.measured
    assert line["model_version"] == champion.version
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert directive["Dimensions"] == [["service"]]
    assert {metric["Name"] for metric in directive["Metrics"]} == {
        "Health",
        "ServedPromotion",
        "Latency",
    }


def test_the_scheduled_check_tells_health_and_counts_as_no_request(
    api: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = api("GET", "/health", scheduled=True)

    (line,) = [line for line in emf_lines(capsys.readouterr().out) if "Health" in line]
    assert answer.status == 200
    assert line["Health"] == 1
    assert line["scheduled"] is True
    assert {"Latency", "route", "cold"}.isdisjoint(line)
    api("GET", "/health")  # in an environment that the check has started
    (line,) = [line for line in emf_lines(capsys.readouterr().out) if "Health" in line]
    assert "Latency" in line
    assert "cold" not in line


CANARY = "CANARY-7f3a"


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"Age": 17},
        {"Age": CANARY},
        {CANARY: 1},
        {"Patient_ID": [CANARY]},
        {"Side_Effects": "Cough"},
        {"Condition": CANARY},
        {"Dosage_mg": CANARY},
    ],
)
def test_no_patient_id_is_ever_logged(
    api: Api,
    bucket: ObstoreBucket,
    patient: dict[str, object],
    capsys: pytest.CaptureFixture[str],
    change: dict[str, object],
) -> None:
    api("POST", "/predict", patient | {"Patient_ID": CANARY} | change)
    api("POST", f"/{CANARY}", patient, resource="/{proxy+}")
    api("POST", "/predict", f'{{"Patient_ID": "{CANARY}", ')
    broken = api.module.follower.current().scorer
    broken._inputs = {CANARY: object}
    api("POST", "/predict", patient | {"Patient_ID": CANARY})

    captured = capsys.readouterr()
    assert CANARY not in captured.out
    assert CANARY not in captured.err


def test_the_documentation_needs_no_third_party(api: Api) -> None:
    spec = api("GET", "/openapi.json")
    page = api("GET", "/docs")

    assert set(spec.body["paths"]) == {
        "/predict",
        "/predict/batch",
        "/compare",
        "/model",
        "/health",
        "/dropdown-values",
        "/outcomes",
        "/predictions/{prediction_id}",
        "/approvals/{execution}",
    }
    assert page.status == 200
    assert page.headers["Content-Type"] == "text/html"
    assert "<script src" not in page.text
    assert "<link" not in page.text
    linked = api("GET", "/docs", queryStringParameters={"format": "json"})
    assert linked.body == spec.body


@pytest.mark.parametrize("explain", ["false", "true"])
@pytest.mark.parametrize("left_out", [False, True])
def test_a_prediction_is_as_documented(
    api: Api, patient: dict[str, object], explain: str, left_out: bool
) -> None:
    """Powertools does not validate it again: it is serialised by the model that is documented."""
    document = api("GET", "/openapi.json").body
    said = document["paths"]["/predict"]["post"]["responses"]["200"]["content"]
    schema = {**said["application/json"]["schema"], "components": document["components"]}
    later = params().roles.known_after_treatment if left_out else ()
    asked = {name: value for name, value in patient.items() if name not in later}

    answer = api("POST", "/predict", asked, queryStringParameters={"explain": explain})

    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    documented = document["components"]["schemas"]
    model = "ExplainedPrediction" if explain == "true" else "Prediction"
    assert (
        set(documented[model]["required"])
        <= set(answer.body)
        <= set(documented[model]["properties"])
    )
    jsonschema.validate(answer.body, schema)


def test_the_report_is_a_page_that_runs_and_loads_nothing(api: Api) -> None:
    page = api("GET", "/report")
    head = api("HEAD", "/report")

    assert page.status == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'; ")
    assert page.headers["Cache-Control"] == "no-store"
    assert page.text.startswith("<!DOCTYPE html>")
    assert api.module.follower.current().version in page.text
    assert PROMOTION.why in page.text  # which the file beside the card cannot know
    assert (head.status, head.text) == (200, "")
    assert page.size < MOST_REPORT_BYTES


def test_a_start_does_not_import_what_writes_reports() -> None:
    script = "import sys, app; print(*sys.modules)"
    places = [str(ROOT / "functions/predict"), *sys.path]

    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(places)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )

    imported = set(done.stdout.splitlines()[-1].split())
    assert "clinical.card" in imported
    assert not {one for one in imported if one.startswith(("clinical.report", "clinical.release"))}


def test_the_report_needs_a_model(predict_api: Api) -> None:
    answer = predict_api("GET", "/report")

    assert answer.status == 503
    assert answer.headers["Content-Type"] == "application/problem+json"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
keys = st.sampled_from([*params().columns]) | st.text(string.printable, max_size=8)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(body=st.dictionaries(keys, json_values, max_size=9) | json_values)
def test_no_json_body_is_ever_a_fault(api: Api, body: object) -> None:
    answer = api("POST", "/predict", json.dumps(body))

    assert answer.status in {400, 422}


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    body=st.binary(max_size=200),
    media_type=st.sampled_from(["application/json", "", "multipart/form-data; boundary=x"]),
)
def test_no_bytes_are_ever_a_fault(api: Api, body: bytes, media_type: str) -> None:
    answer = api(
        "POST",
        "/predict",
        base64.b64encode(body).decode(),
        headers={"Content-Type": media_type},
        isBase64Encoded=True,
    )

    assert answer.status in {400, 415, 422}


def reference_of(candidate: Candidate) -> dict[str, Any]:
    reference: dict[str, Any] = json.loads(candidate.files[REFERENCE])
    return reference


def explained(api: Api, patient: dict[str, object], value: str) -> Answer:
    return api(
        "POST",
        "/predict",
        patient,
        queryStringParameters={"explain": value},
        multiValueQueryStringParameters={"explain": [value]},
    )


def test_a_score_comes_with_its_interval_support_and_skill(
    api: Api, patient: dict[str, object], candidate: Candidate
) -> None:
    body = api("POST", "/predict", patient).body

    reference = reference_of(candidate)
    (score,) = Scorer(candidate.files[MODEL]).predict([patient])
    (low,), (high,) = interval_around(
        np.array([score]), reference["interval"]["half_width"], params()
    )
    assert body["interval"] == {"low": low, "high": high, "coverage": 0.9}
    assert low < body["Improvement_Score"] < high
    (recorded,) = [
        one["training_rows"]
        for one in reference["combinations"]
        if all(patient[name] == value for name, value in one["values"].items())
    ]
    assert body["support"] == recorded > 0
    assert body["skill"] == {
        "r2": round(candidate.verdict.candidate.r2.value, 4),
        "beats_average": candidate.verdict.beats_average,
    }


def test_a_score_is_explained_when_asked_for(api: Api, patient: dict[str, object]) -> None:
    body = explained(api, patient, "true").body

    assert set(body["contributions"]) == set(params().features)
    added_up = body["base_value"] + sum(body["contributions"].values())
    assert added_up == pytest.approx(body["Improvement_Score"], abs=0.005 + 1e-4)


def test_an_explanation_only_adds_to_the_answer(api: Api, patient: dict[str, object]) -> None:
    plain = api("POST", "/predict", patient).said

    body = explained(api, patient, "true").said

    assert body == {
        **plain,
        "base_value": body["base_value"],
        "contributions": body["contributions"],
        "explained_by": "exact",
    }


def test_a_score_is_not_explained_otherwise(api: Api, patient: dict[str, object]) -> None:
    for answer in (api("POST", "/predict", patient), explained(api, patient, "false")):
        assert answer.status == 200
        assert {"base_value", "contributions", "explained_by"}.isdisjoint(answer.body)


@pytest.mark.parametrize("value", ["maybe", "", "2"])
def test_explaining_maybe_is_refused(api: Api, patient: dict[str, object], value: str) -> None:
    answer = explained(api, patient, value)

    assert answer.status == 422
    assert fields(answer) == {"explain"}
    assert answer.body["detail"].startswith("explain: ")


def test_explaining_maybe_is_named_beside_all_else_that_is_wrong(
    api: Api, patient: dict[str, object]
) -> None:
    answer = explained(api, patient | {"Age": 17, "Side_Effects": "Cough"}, "maybe")

    assert [(tuple(error["loc"]), error["type"]) for error in answer.body["errors"]] == [
        (("query", "explain"), "bool_parsing"),
        (("body", "Age"), "greater_than_equal"),
        (("body",), "unrecorded_combination"),
    ]


def batch(api: Api, patients: object) -> Answer:
    return api("POST", "/predict/batch", {"patients": patients})


def test_a_batch_answers_each_patient_in_order_as_alone(
    api: Api, patient: dict[str, object]
) -> None:
    patients = [patient | {"Patient_ID": f"P{age}", "Age": age} for age in (20, 50, 79)]

    answer = batch(api, patients)

    alone = [api("POST", "/predict", one).body for one in patients]
    assert answer.status == 200
    assert answer.said["predictions"] == [
        {name: one[name] for name in ("Patient_ID", "Improvement_Score", "interval", "support")}
        for one in alone
    ]
    for shared in ("model_version", "skill", "disclaimer"):
        assert answer.body[shared] == alone[0][shared]


def test_wrong_rows_have_their_own_problems_and_fail_no_other(
    api: Api, patient: dict[str, object]
) -> None:
    wrong: list[object] = [
        patient | {"Age": 17},
        7,
        None,
        patient | {"Weight": 70},
        patient | {"Side_Effects": "Cough"},
        patient | {"Age": 17, "Side_Effects": "Cough"},
        patient | {"Age": 17, "Side_Effects": "Hiccups"},
        [patient],
    ]

    first, *problems, last = batch(api, [patient, *wrong, patient]).said["predictions"]

    assert first == last
    assert "Improvement_Score" in first
    assert [one["status"] for one in problems] == [422] * len(wrong)
    named = [[(tuple(error["loc"]), error["type"]) for error in one["errors"]] for one in problems]
    assert named == [
        [(("body", "patients", 1, "Age"), "greater_than_equal")],
        [(("body", "patients", 2), "model_type")],
        [(("body", "patients", 3), "model_type")],
        [(("body", "patients", 4, "Weight"), "extra_forbidden")],
        [(("body", "patients", 5), "unrecorded_combination")],
        [
            (("body", "patients", 6, "Age"), "greater_than_equal"),
            (("body", "patients", 6), "unrecorded_combination"),
        ],
        [
            (("body", "patients", 7, "Age"), "greater_than_equal"),
            (("body", "patients", 7, "Side_Effects"), "literal_error"),
        ],
        [(("body", "patients", 8), "model_type")],
    ]


def test_a_batch_of_wrong_rows_alone_is_answered_too(
    api: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = batch(api, [{}, []])

    assert answer.status == 200
    first, second = answer.body["predictions"]
    assert (first["title"], second["title"]) == ("Unprocessable Content",) * 2
    assert {error["loc"][-1] for error in first["errors"]} == REQUIRED
    (line,) = [line for line in emf_lines(capsys.readouterr().out) if "Predictions" in line]
    assert (line["Predictions"], line["patients_refused"]) == (0, 2)
    assert line["features"] == {name: [] for name in FEATURES}
    assert line["prediction"] == {"Improvement_Score": []}


def test_a_problem_within_a_batch_is_the_one_that_predict_would_answer(
    api: Api, patient: dict[str, object]
) -> None:
    wrong = patient | {"Age": 17, "Weight": 70, "Side_Effects": "Cough"}

    (within,) = batch(api, [wrong]).body["predictions"]

    alone = api("POST", "/predict", wrong).body
    assert [(one["loc"][3:], one["msg"], one["type"]) for one in within["errors"]] == [
        (one["loc"][1:], one["msg"], one["type"]) for one in alone["errors"]
    ]


@pytest.mark.parametrize("body", [{}, [], None, "patients", {"patients": [{}], "Weight": 70}])
def test_what_is_no_batch_is_refused(api: Api, body: object) -> None:
    assert api("POST", "/predict/batch", json.dumps(body)).status == 422


@pytest.mark.parametrize(
    ("patients", "kind"), [([], "too_short"), ([0] * 1001, "too_long"), (None, "list_type")]
)
def test_a_batch_has_1_to_1000_patients(api: Api, patients: object, kind: str) -> None:
    answer = batch(api, patients)

    assert answer.status == 422
    assert [error["type"] for error in answer.body["errors"]] == [kind]


def test_1000_patients_are_scored_in_one_call(
    api: Api, patient: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer: Scorer = api.module.follower.current().scorer
    run, calls = scorer._run, list[int]()

    def counted(columns: Columns) -> Scores:
        calls.append(len(columns["Age"]))
        return run(columns)

    monkeypatch.setattr(scorer, "_run", counted)

    answer = batch(api, [patient] * 1000)

    assert len(answer.body["predictions"]) == 1000
    assert calls == [1000]


def test_a_batch_may_be_larger_than_a_single_patient(api: Api, patient: dict[str, object]) -> None:
    larger = [patient] * (params().serving.max_body_bytes // len(json.dumps(patient)) + 1)
    largest = "[" + " " * params().serving.max_batch_bytes + "]"

    assert batch(api, larger).status == 200
    assert api("POST", "/predict", {"patients": larger}).status == 413
    too_large = api("POST", "/predict/batch", largest)
    assert too_large.status == 413
    assert "1,048,576 bytes" in too_large.body["detail"]


def test_a_batch_leaves_one_line_with_metrics_and_features(
    api: Api, patient: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [patient, patient | {"Age": 17}, patient | {"Age": 60}, None]
    batch(api, rows)
    capsys.readouterr()

    answer = batch(api, rows)

    (text,) = capsys.readouterr().out.splitlines()
    line = json.loads(text)
    assert line["route"] == "POST /predict/batch"
    assert line["Predictions"] == 2
    assert line["patients_refused"] == 2
    assert line["model_version"] == answer.body["model_version"]
    assert line["features"] == {
        **{name: [patient[name]] * 2 for name in FEATURES},
        "Age": [56, 60],
    }
    predictions = answer.body["predictions"]
    assert line["prediction"] == {
        "Improvement_Score": [predictions[n]["Improvement_Score"] for n in (0, 2)]
    }


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"Age": 17},
        {CANARY: 1},
        {"Patient_ID": [CANARY]},
        {"Side_Effects": "Cough"},
        {"Condition": CANARY},
        {"Dosage_mg": {CANARY: CANARY}},
    ],
)
def test_no_patient_id_of_a_batch_is_ever_logged(
    api: Api,
    patient: dict[str, object],
    capsys: pytest.CaptureFixture[str],
    change: dict[str, object],
) -> None:
    row = patient | {"Patient_ID": CANARY} | change
    assert batch(api, [row, CANARY, [CANARY], {CANARY: row}]).status == 200
    assert batch(api, {CANARY: row}).status == 422
    assert api("POST", "/predict/batch", {"patients": [row], CANARY: row}).status == 422
    assert api("POST", "/predict/batch", [row]).status == 422
    api.module.follower.current().scorer._inputs = {CANARY: object}
    assert batch(api, [patient | {"Patient_ID": CANARY}]).status == 500

    captured = capsys.readouterr()
    assert CANARY not in captured.out
    assert CANARY not in captured.err


def test_no_wording_of_a_request_repeats_it(patient: dict[str, object]) -> None:
    """Powertools words what it calls a route with, at any level of its log."""
    asked = contract.Patient.model_validate(patient | {"Patient_ID": CANARY})
    many = contract.Batch(patients=[patient | {"Patient_ID": CANARY}])

    assert [repr(asked), repr(many)] == ["Patient()", "Batch()"]
    assert asked.values["Patient_ID"] == CANARY


def test_a_batch_that_breaks_counts_as_a_prediction_error(
    api: Api, patient: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    api.module.follower.current().scorer._inputs = {"Weight": object}

    answer = batch(api, [patient])

    assert answer.status == 500
    assert counted("PredictionErrors", capsys) == [1.0]


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(rows=st.lists(st.dictionaries(keys, json_values, max_size=9) | json_values, max_size=5))
def test_no_row_of_a_batch_is_ever_a_fault(
    api: Api, patient: dict[str, object], rows: list[object]
) -> None:
    answer = batch(api, [patient, *rows])

    assert answer.status == 200
    first, *others = answer.body["predictions"]
    assert first["Patient_ID"] == patient["Patient_ID"]
    assert [one["status"] for one in others] == [422] * len(rows)


def test_the_card_tells_what_the_model_is_worth(api: Api, candidate: Candidate) -> None:
    answer = api("GET", "/model")

    assert answer.status == 200
    published = json.loads(candidate.findings[CARD])
    assert {name: answer.body[name] for name in published} == published
    assert answer.body["verdict"] == candidate.verdict.model_dump(mode="json")
    assert answer.body["model_version"] == api("GET", "/health").body["model_version"]
    assert {one["feature"] for one in answer.body["importances"]} == set(FEATURES)
    (entry,) = answer.body["ledger"]
    assert (entry["sequence"], entry["why"]) == (1, PROMOTION.why)


def test_the_card_is_of_the_champion_that_serves(
    predict_api: Api, candidate: Candidate, challenger: Candidate, promote: Promote
) -> None:
    first = promote(candidate)
    assert predict_api("GET", "/model").body["model_version"] == first.version
    second = promote(challenger)

    still = predict_api("GET", "/model").body
    predict_api.module.follower._next_look = float("-inf")  # as after refresh_seconds
    now = predict_api("GET", "/model").body

    assert still["model_version"] == first.version
    assert [entry["model_version"] for entry in still["ledger"]] == [first.version]
    assert now["model_version"] == second.version != first.version
    assert [(entry["sequence"], entry["model_version"]) for entry in now["ledger"]] == [
        (2, second.version),
        (1, first.version),
    ]


def test_without_a_champion_there_is_no_card(predict_api: Api) -> None:
    answer = predict_api("GET", "/model")

    assert answer.status == 503
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert "retrain" in answer.body["detail"]


def test_without_a_champion_no_batch_is_answered(
    predict_api: Api, patient: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    assert batch(predict_api, [patient]).status == 503
    assert counted("PredictionErrors", capsys) == [1.0]


@pytest.mark.parametrize("who", ["ada@her-laptop", "upload of raw/Mrs Smith 1944.csv"])
def test_no_public_route_tells_who_had_a_version_promoted(
    predict_api: Api,
    dropdown_api: Api,
    registry: Registry,
    publish: Callable[[Candidate], Version],
    candidate: Candidate,
    patient: dict[str, object],
    who: str,
) -> None:
    version = publish(candidate)
    for _ in range(2):
        promotion = PROMOTION.model_copy(update={"who": who})
        registry.promote(version, registry.champion(), promotion, NOW)

    answers = [
        api(method, path, queryStringParameters={})
        for api in (predict_api, dropdown_api)
        for method, path in ((route.method, route.path) for route in api.module.app._static_routes)
        if method == "GET"
    ]
    answers += [predict_api("POST", "/predict", patient), batch(predict_api, [patient])]

    assert {answer.status for answer in answers} == {200}
    assert any(PROMOTION.why in answer.text for answer in answers)
    assert [answer.text for answer in answers if who in answer.text] == []
