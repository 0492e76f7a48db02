"""The deployed API over HTTP, as clients reach it."""

import json
from pathlib import Path

import pytest

from tests.integration.conftest import Laptop, fetch
from tests.unit.conftest import without_ids


def test_a_patient_gets_a_score_of_the_champion(laptop: Laptop, patient: dict[str, object]) -> None:
    answer = laptop.post("/predict", patient)

    champion = laptop.artefact("models/champion.json")
    assert answer.status == 200
    assert answer.body["Patient_ID"] == patient["Patient_ID"]
    assert 0 <= answer.body["Improvement_Score"] <= 10
    assert answer.body["model_version"] == champion["version"]
    assert answer.body["disclaimer"]
    interval = answer.body["interval"]
    assert interval["low"] < answer.body["Improvement_Score"] < interval["high"]
    assert answer.body["support"] > 0
    assert answer.body["skill"]["beats_average"] is champion["verdict"]["beats_average"]


def test_a_score_can_be_explained(laptop: Laptop, patient: dict[str, object]) -> None:
    answer = laptop.post("/predict?explain=true", patient).body

    explained = answer["base_value"] + sum(answer["contributions"].values())
    assert explained == pytest.approx(answer["Improvement_Score"], abs=0.0051)


def test_what_is_known_only_afterwards_may_be_left_out(
    laptop: Laptop, patient: dict[str, object]
) -> None:
    before = {name: value for name, value in patient.items() if name != "Side_Effects"}

    answer = laptop.post("/predict", before)

    assert answer.status == 200
    assert answer.body["averaged_over"] == ["Side_Effects"]
    assert answer.body["support"] > laptop.post("/predict", patient).body["support"]


def test_treatments_are_compared(laptop: Laptop, patient: dict[str, object]) -> None:
    later = ("Drug_Name", "Dosage_mg", "Side_Effects")
    untreated = {name: value for name, value in patient.items() if name not in later}
    own = {name: patient[name] for name in later[:2]}

    answer = laptop.post("/compare", {"patient": untreated, "reference": own})

    assert answer.status == 200
    assert answer.body["reference"] == own
    wins = {tuple(one["treatment"].values()): one for one in answer.body["treatments"]}
    assert len(wins) == len(answer.body["treatments"]) == 15
    assert wins[tuple(own.values())]["win_probability"] == 0.5
    assert laptop.post("/compare", {"patient": patient}).status == 422


def test_a_batch_is_scored_as_its_patients_are(laptop: Laptop, patient: dict[str, object]) -> None:
    wrong = patient | {"Age": 17}

    answer = laptop.post("/predict/batch", {"patients": [patient, wrong, patient]}).body

    first, problem, last = answer["predictions"]
    alone = laptop.post("/predict", patient).body
    ids = {one.pop("prediction_id") for one in (first, last, alone)}
    assert len(ids) == 3
    assert first == last == {name: alone[name] for name in first}
    assert problem["status"] == 422
    assert problem["errors"][0]["loc"] == ["body", "patients", 1, "Age"]


def test_health_names_the_version(laptop: Laptop) -> None:
    answer = laptop.get("/health")

    assert answer.status == 200
    assert answer.body == {
        "status": "healthy",
        "model_loaded": True,
        "model_version": laptop.artefact("models/champion.json")["version"],
    }


def test_a_form_can_be_filled_from_the_dropdown_values(
    laptop: Laptop, patient: dict[str, object]
) -> None:
    values = laptop.get("/dropdown-values").body

    combination = values["valid_combinations"][0]
    filled = patient | combination | {"Age": values["age_range"][0]}
    assert laptop.post("/predict", filled).status == 200


def test_the_documentation_is_served(laptop: Laptop) -> None:
    spec = laptop.get("/openapi.json")
    page = laptop.get("/docs")

    assert set(spec.body["paths"]) == {
        "/predict",
        "/predict/batch",
        "/compare",
        "/outcomes",
        "/predictions/{prediction_id}",
        "/approvals/{execution}",
        "/model",
        "/health",
        "/dropdown-values",
    }
    assert page.headers["Content-Type"] == "text/html"
    assert "swagger" in page.text.lower()


def test_everything_wrong_is_named(laptop: Laptop, patient: dict[str, object]) -> None:
    answer = laptop.post("/predict", patient | {"Age": 17, "Gender": "male", "Weight": 1})

    assert answer.status == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert {error["loc"][-1] for error in answer.body["errors"]} == {"Age", "Gender", "Weight"}


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"", {}, 400),
        (b"{", {}, 400),
        (b'{"Age": ' + b"9" * 5000 + b"}", {}, 400),
        (b"[" * 60_000, {}, 400),
        (b"[" * 100_000, {}, 413),
        (b"\xff\xfe{", {}, 400),
        (b"x", {"Content_Type": "multipart/form-data"}, 415),
        (b"x", {"Content_Type": "text/csv"}, 415),
        (b"null", {}, 422),
    ],
)
def test_a_body_that_cannot_be_read_is_the_clients_fault(
    laptop: Laptop, body: bytes, headers: dict[str, str], status: int
) -> None:
    answer = laptop.post("/predict", body, **headers)

    assert answer.status == status
    assert answer.body["status"] == status
    assert answer.body["detail"]


def test_a_path_that_is_not_there_is_a_problem_from_the_gateway(laptop: Laptop) -> None:
    answer = laptop.get("/nowhere", Origin="https://lab.example")

    assert answer.status == 404
    assert answer.body["status"] == 404
    assert answer.body["errors"] == []
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("path", ["/docs/", "/health/", "/openapi.json/"])
def test_a_slash_at_the_end_changes_nothing_but_where_the_api_is_from_there(
    laptop: Laptop, path: str
) -> None:
    answer, without = laptop.get(path), laptop.get(path.rstrip("/"))

    assert answer.status == 200
    assert answer.headers["Content-Type"] == without.headers["Content-Type"]
    assert answer.text.count('"url": ".."') == without.text.count('"url": "."')


@pytest.mark.parametrize(
    "path", ["/model", "/report", "/health", "/dropdown-values", "/docs", "/openapi.json"]
)
def test_head_answers_as_get_without_a_body(laptop: Laptop, path: str) -> None:
    answer = fetch(f"{laptop.stack.outputs.api_url}{path}", method="HEAD")

    by_get = laptop.get(path)
    assert answer.status == by_get.status == 200
    assert answer.text == ""
    assert answer.headers["Content-Type"] == by_get.headers["Content-Type"]


def test_an_array_of_patients_is_not_scored_by_its_first(
    laptop: Laptop, patient: dict[str, object]
) -> None:
    answer = laptop.post("/predict", [patient, patient | {"Patient_ID": "P0002"}])

    assert answer.status == 422
    assert "/predict/batch" in answer.body["detail"]


def test_a_media_type_has_no_case(laptop: Laptop, patient: dict[str, object]) -> None:
    answer = laptop.post("/predict", patient, Content_Type="Application/JSON")

    assert answer.status == 200


@pytest.mark.parametrize(
    ("header", "value", "named"),
    [
        ("Content_Type", "application/json; charset=latin-1", "latin-1"),
        ("Content_Encoding", "gzip", "gzip"),
    ],
)
def test_what_is_not_read_is_named(
    laptop: Laptop, patient: dict[str, object], header: str, value: str, named: str
) -> None:
    answer = laptop.post("/predict", patient, **{header: value})

    assert answer.status == 415
    assert named in answer.body["detail"]


def test_an_age_of_56_0_is_56(laptop: Laptop, patient: dict[str, object]) -> None:
    answer = laptop.post("/predict", patient | {"Age": 56.0})

    assert answer.status == 200
    assert without_ids(answer.body) == without_ids(laptop.post("/predict", patient).body)


def test_a_key_that_is_there_twice_is_named(laptop: Laptop, patient: dict[str, object]) -> None:
    twice = json.dumps(patient).replace('"Age": 56', '"Age": 56, "Age": 20')

    answer = laptop.post("/predict", twice.encode())

    assert answer.status == 400
    assert "the key Age more than once" in answer.body["detail"]


def test_the_largest_answer_is_answered(laptop: Laptop, patient: dict[str, object]) -> None:
    row = patient | {f"c{column}": 1 for column in range(50)}

    answer = laptop.post("/predict/batch", {"patients": [row] * 1000})

    assert answer.status == 200
    assert len(answer.body["predictions"]) == 1000
    assert all(one["errors"] for one in answer.body["predictions"])


@pytest.mark.parametrize(
    "path",
    [
        "/predict",
        "/predict/batch",
        "/compare",
        "/model",
        "/report",
        "/dropdown-values",
        "/health",
        "/docs",
        "/openapi.json",
    ],
)
def test_browsers_may_ask_first(laptop: Laptop, path: str) -> None:
    answer = fetch(
        f"{laptop.stack.outputs.api_url}{path}",
        method="OPTIONS",
        Origin="https://lab.example",
        Access_Control_Request_Method="POST",
    )

    assert answer.status == 204
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_make_report_writes_what_the_api_answers(laptop: Laptop, tmp_path: Path) -> None:
    file = tmp_path / "report.html"

    done = laptop.run("report", OUT=str(file))

    assert done.returncode == 0, done.stdout
    page = file.read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert laptop.get("/model").body["model_version"] in page
    assert str(file) in done.stdout
    assert "ethics" in done.stdout
