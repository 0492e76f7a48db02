import base64
import json
import string
from collections.abc import Callable
from typing import Any

import pytest
from clinical.artefacts import Bucket
from clinical.params import params
from clinical.registry import Champion
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.conftest import Api, Candidate, emf_lines

type Promote = Callable[[Candidate], Champion]


@pytest.fixture
def api(predict_api: Api, candidate: Candidate, promote: Promote) -> Api:
    """The predict function with a champion to serve."""
    promote(candidate)
    return predict_api


def fields(answer: Any) -> set[str]:
    """The fields that a problem names."""
    return {error["loc"][-1] for error in answer.body["errors"]}


def test_a_patient_gets_a_score(api: Api, patient: dict[str, object]) -> None:
    answer = api("POST", "/predict", patient)

    assert answer.status == 200
    assert set(answer.body) == {"Patient_ID", "Improvement_Score", "model_version", "disclaimer"}
    assert answer.body["Patient_ID"] == patient["Patient_ID"]
    assert 0 <= answer.body["Improvement_Score"] <= 10
    assert round(answer.body["Improvement_Score"], 2) == answer.body["Improvement_Score"]
    assert "no diagnosis and no treatment advice" in answer.body["disclaimer"]


@pytest.mark.parametrize(("raw", "served"), [(-3.2, 0.0), (11.7, 10.0), (6.4567, 6.46)])
def test_a_score_is_clamped_and_rounded(
    api: Api,
    patient: dict[str, object],
    monkeypatch: pytest.MonkeyPatch,
    raw: float,
    served: float,
) -> None:
    model = api.module.follower.current()
    monkeypatch.setattr(model.scorer, "predict", lambda _: [raw])

    assert api("POST", "/predict", patient).body["Improvement_Score"] == served


def test_clients_of_the_predecessor_may_send_a_dosage_as_a_float(
    api: Api, patient: dict[str, object]
) -> None:
    assert api("POST", "/predict", patient | {"Dosage_mg": 50.0}).status == 200


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
        ("Age", 56.0),
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


@pytest.mark.parametrize("field", params().features.names)
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
    assert any("PredictionErrors" in line for line in emf_lines(capsys.readouterr().out))


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
    }

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
    assert directive["Dimensions"] == [["service"], ["service", "route", "status_class"]]
    assert {metric["Name"] for metric in directive["Metrics"]} == {
        "Requests",
        "Latency",
        "Predictions",
    }
    assert line["route"] == "POST /predict"
    assert line["status_class"] == "2xx"
    assert line["Improvement_Score"] == answer.body["Improvement_Score"]
    assert line["model_version"] == answer.body["model_version"]
    assert {name: line[name] for name in params().features.names} == {
        name: patient[name] for name in params().features.names
    }


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
    bucket: Bucket,
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

    assert set(spec.body["paths"]) == {"/predict", "/health", "/dropdown-values"}
    assert page.status == 200
    assert page.headers["Content-Type"] == "text/html"
    assert "<script src" not in page.text
    assert "<link" not in page.text
    linked = api("GET", "/docs", queryStringParameters={"format": "json"})
    assert linked.body == spec.body


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
keys = st.sampled_from([*params().columns]) | st.text(string.printable, max_size=8)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(body=st.dictionaries(keys, json_values, max_size=9) | json_values)
def test_no_json_body_is_ever_a_fault(api: Api, body: object) -> None:
    answer = api("POST", "/predict", json.dumps(body))

    assert answer.status in {400, 422}


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
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
