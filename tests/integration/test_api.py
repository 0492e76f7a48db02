"""The deployed API over HTTP, as clients reach it."""

import pytest

from tests.integration.conftest import Laptop, fetch


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


def test_a_batch_is_scored_as_its_patients_are(laptop: Laptop, patient: dict[str, object]) -> None:
    wrong = patient | {"Age": 17}

    answer = laptop.post("/predict/batch", {"patients": [patient, wrong, patient]}).body

    first, problem, last = answer["predictions"]
    alone = laptop.post("/predict", patient).body
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


@pytest.mark.parametrize(
    "path", ["/predict", "/predict/batch", "/model", "/dropdown-values", "/health"]
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
