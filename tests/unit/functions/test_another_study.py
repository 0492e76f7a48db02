"""A champion that was trained under another contract, and what an earlier release published."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import onnx
import pytest
from clinical.artefacts import sha256
from clinical.params import params
from clinical.registry import MODEL, REFERENCE, REFERENCE_PROPERTY, Champion
from onnx.helper import set_model_props

from tests.unit.conftest import ROOT, Api, Candidate, candidate_on, smaller, with_column

type Promote = Callable[[Candidate], Champion]

ROUTES = ("POST /predict", "POST /predict/batch", "GET /model", "GET /health")


@pytest.fixture(scope="session")
def foreign() -> Candidate:
    """A model of the same data under a contract that knows older patients."""
    wider = with_column(smaller(params(), trees=5), "Age", max=99)
    return candidate_on((ROOT / "data/sample.csv").read_bytes(), wider)


def with_reference(candidate: Candidate, change: Callable[[Any], object]) -> Candidate:
    """The same candidate, made with another reference."""
    reference = json.loads(candidate.files[REFERENCE])
    change(reference)
    body = json.dumps(reference).encode()
    graph = onnx.load_from_string(candidate.files[MODEL])
    set_model_props(
        graph,
        {
            **{one.key: one.value for one in graph.metadata_props},
            REFERENCE_PROPERTY: sha256(body),
        },
    )
    files = {**candidate.files, REFERENCE: body, MODEL: graph.SerializeToString()}
    return replace(candidate, files=files)


@pytest.mark.parametrize("route", ROUTES)
def test_every_route_says_that_the_model_is_of_another_study(
    predict_api: Api, foreign: Candidate, promote: Promote, patient: dict[str, object], route: str
) -> None:
    promote(foreign)
    method, path = route.split()
    body = {"/predict": patient, "/predict/batch": {"patients": [patient]}}.get(path)

    answer = predict_api(method, path, body)

    assert answer.status == 503
    assert answer.headers["Retry-After"]
    said = answer.body["reason" if path == "/health" else "detail"]
    assert said.startswith("ModelOfAnotherStudy: ")
    assert "start the retrain state machine" in said


def test_a_form_is_told_so_too(dropdown_api: Api, foreign: Candidate, promote: Promote) -> None:
    promote(foreign)

    answer = dropdown_api("GET", "/dropdown-values")

    assert answer.status == 503
    assert answer.body["detail"].startswith("ModelOfAnotherStudy: ")


def test_health_is_unhealthy_and_the_documentation_is_there(
    predict_api: Api, foreign: Candidate, promote: Promote
) -> None:
    promote(foreign)

    assert predict_api("GET", "/health").body["status"] == "unhealthy"
    assert predict_api("GET", "/openapi.json").status == 200


def test_a_request_that_is_wrong_anyway_is_told_what_is_wrong(
    predict_api: Api, foreign: Candidate, promote: Promote, patient: dict[str, object]
) -> None:
    promote(foreign)

    answer = predict_api("POST", "/predict", patient | {"Age": 17})

    assert answer.status == 422


def test_what_is_loaded_keeps_serving_when_another_study_is_promoted(
    predict_api: Api,
    candidate: Candidate,
    foreign: Candidate,
    promote: Promote,
    patient: dict[str, object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = promote(candidate)
    assert predict_api("POST", "/predict", patient).status == 200
    promote(foreign)
    monkeypatch.setattr(predict_api.module.follower, "_next_look", float("-inf"))

    answer = predict_api("POST", "/predict", patient)

    assert answer.status == 200
    assert answer.body["model_version"] == first.version


def test_a_reference_of_an_earlier_release_still_serves(
    predict_api: Api, candidate: Candidate, promote: Promote, patient: dict[str, object]
) -> None:
    promote(candidate)
    expected = predict_api("POST", "/predict", patient).said
    earlier = promote(with_reference(candidate, lambda reference: reference.pop("contract")))
    predict_api.module.follower._next_look = float("-inf")

    answer = predict_api("POST", "/predict", patient)

    assert answer.status == 200
    assert answer.said == {**expected, "model_version": earlier.version}


def test_an_earlier_release_of_other_columns_is_of_another_study(
    predict_api: Api, candidate: Candidate, promote: Promote
) -> None:
    def without_age(reference: Any) -> None:
        del reference["contract"]
        for row in reference["background"]:
            del row["Age"]

    promote(with_reference(candidate, without_age))

    answer = predict_api("GET", "/model")

    assert answer.status == 503
    assert answer.body["detail"].startswith("ModelOfAnotherStudy: ")


def test_a_model_that_cannot_be_asked_for_its_own_rows_does_not_serve(
    predict_api: Api, candidate: Candidate, promote: Promote, patient: dict[str, object]
) -> None:
    def older(reference: Any) -> None:
        reference["background"][0]["Age"] = 200

    promote(with_reference(candidate, older))

    answer = predict_api("POST", "/predict", patient)

    assert answer.status == 503
    assert answer.body["detail"].startswith("ModelUnanswerable: ")
