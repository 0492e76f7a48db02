"""Every request of the issue's cases, with what is right for it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from clinical.registry import Champion

from tests.unit.conftest import Answer, Api, Candidate

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def post(
    predict_api: Api,
    candidate: Candidate,
    promote: Callable[[Candidate], Champion],
    cases: Path,
) -> Callable[..., Answer]:
    """Post a case's body, as it is in its file, to a function that serves."""
    promote(candidate)

    def post_case(name: str, headers: dict[str, str] = JSON) -> Answer:
        body = (cases / "requests" / f"{name}.json").read_text()
        return predict_api("POST", "/predict", body, headers=headers)

    return post_case


def test_every_case_is_here(cases: Path) -> None:
    assert {path.stem for path in (cases / "requests").iterdir()} == {
        "array-of-patients",
        "uppercase-media-type",
        "age-56.0",
        "duplicate-key",
        "promote-empty-reason",  # an execution's input: tests/unit/pipeline/test_asked.py
    }


def test_many_patients_for_one_are_refused_and_told_where_to_go(
    post: Callable[..., Answer],
) -> None:
    answer = post("array-of-patients")

    assert answer.status == 422
    assert "a single JSON object, not an array; for several patients" in answer.body["detail"]
    assert "POST /predict/batch" in answer.body["detail"]


def test_a_media_type_is_the_same_in_any_case(post: Callable[..., Answer]) -> None:
    assert post("uppercase-media-type", {"Content-Type": "Application/JSON"}).status == 200


def test_a_number_is_whole_however_it_is_written(post: Callable[..., Answer]) -> None:
    answer = post("age-56.0")

    assert answer.status == 200
    assert answer.said == post("uppercase-media-type").said


def test_a_key_that_is_there_twice_is_named(post: Callable[..., Answer]) -> None:
    answer = post("duplicate-key")

    assert answer.status == 400
    assert "the key Age more than once" in answer.body["detail"]
