"""Every prediction has a name of its own, in its answer and in the log, and nobody chooses it."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from clinical import telemetry
from clinical.ids import new_ids
from clinical.params import params
from clinical.registry import Champion
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.conftest import Api, Candidate, emf_lines, fact_lines

type Patient = dict[str, Any]

ID = re.compile(r"[0-9a-f]{32}")
CANARY = "CANARY-c0ffee-77"
SECOND = ("Drug_Name", "Dosage_mg", "Side_Effects")


@pytest.fixture
def api(predict_api: Api, candidate: Candidate, promote: Callable[[Candidate], Champion]) -> Api:
    promote(candidate)
    return predict_api


@pytest.fixture
def untreated(patient: Patient) -> Patient:
    return {name: value for name, value in patient.items() if name not in SECOND}


def ids_in(said: Any) -> Iterator[str]:
    """Give every name of a prediction in an answer, in its order."""
    if isinstance(said, dict):
        for name, one in said.items():
            if name == "prediction_id":
                yield one
            else:
                yield from ids_in(one)
    elif isinstance(said, list):
        for one in said:
            yield from ids_in(one)


def every_way(api: Api, patient: Patient, untreated: Patient) -> Iterator[Any]:
    yield api("POST", "/predict", patient).body
    yield api(
        "POST", "/predict", patient, multiValueQueryStringParameters={"explain": ["true"]}
    ).body
    yield api("POST", "/predict/batch", {"patients": [patient] * 5}).body
    yield api("POST", "/compare", {"patient": untreated}).body


def test_no_two_predictions_have_the_same_name(
    api: Api, patient: Patient, untreated: Patient
) -> None:
    found = [
        one
        for _ in range(20)
        for body in every_way(api, patient, untreated)
        for one in ids_in(body)
    ]

    assert len(found) > 20 * 7
    assert len(set(found)) == len(found)
    assert all(ID.fullmatch(one) for one in found)


def test_a_name_stands_behind_whose_it_is_and_before_the_score(
    api: Api, patient: Patient, untreated: Patient
) -> None:
    alone, explained, batch, compared = every_way(api, patient, untreated)

    for body in (alone, explained, *batch["predictions"]):
        assert list(body)[:3] == ["Patient_ID", "prediction_id", "Improvement_Score"]
    for one in compared["treatments"]:
        assert next(iter(one)) == "prediction_id"
    assert "prediction_id" not in batch
    assert "prediction_id" not in compared


def test_only_rows_with_a_score_have_a_name(api: Api, patient: Patient) -> None:
    rows = [patient, patient | {"Age": 17}, None, patient]

    answered = api("POST", "/predict/batch", {"patients": rows}).body["predictions"]

    assert ["prediction_id" in one for one in answered] == [True, False, False, True]
    assert [*ids_in(api("POST", "/predict", rows[1]).body)] == []


@pytest.mark.parametrize("chosen", ["0" * 32, None, 1])
def test_a_name_is_taken_from_no_caller(
    api: Api, patient: Patient, untreated: Patient, chosen: object
) -> None:
    named = {"prediction_id": chosen}

    for path, body in (
        ("/predict", patient | named),
        ("/predict/batch", {"patients": [patient], **named}),
        ("/compare", {"patient": untreated, **named}),
        ("/compare", {"patient": untreated | named}),
    ):
        answer = api("POST", path, body)
        assert answer.status == 422
        (error,) = answer.body["errors"]
        assert (error["loc"][-1], error["type"]) == ("prediction_id", "extra_forbidden")
    (row,) = api("POST", "/predict/batch", {"patients": [patient | named]}).body["predictions"]
    assert [error["type"] for error in row["errors"]] == ["extra_forbidden"]


def test_what_is_asked_beside_the_body_names_nothing(api: Api, patient: Patient) -> None:
    chosen = "0123456789abcdef" * 2

    answer = api(
        "POST",
        "/predict",
        patient,
        queryStringParameters={"prediction_id": chosen},
        headers={"Content-Type": "application/json", "X-Prediction-Id": chosen},
    )

    assert answer.status == 200
    assert chosen not in answer.text


def test_names_depend_on_nothing_that_can_be_seeded(
    api: Api, patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two environments that one snapshot was restored to, each draws from the kernel."""
    drawn = iter([bytes(range(16)), bytes(16)])
    monkeypatch.setattr("clinical.ids.os.urandom", lambda size: next(drawn)[:size])

    found = [api("POST", "/predict", patient).body["prediction_id"] for _ in range(2)]

    assert found == [bytes(range(16)).hex(), "0" * 32]


@given(st.integers(0, 300))
def test_as_many_names_are_made_as_are_asked_for(number: int) -> None:
    made = new_ids(number)

    assert len(set(made)) == len(made) == number
    assert all(ID.fullmatch(one) for one in made)


# ---- In the log ----


def logged(api: Api, capsys: pytest.CaptureFixture[str], path: str, body: Any, **event: Any) -> Any:
    """Ask, and give the answer's body and the lines that the request left."""
    capsys.readouterr()
    answer = api("POST", path, body, **event)
    assert answer.status == 200
    return answer.body, list(map(json.loads, capsys.readouterr().out.splitlines()))


def test_a_line_is_all_that_it_takes_to_know_a_prediction(
    api: Api, patient: Patient, capsys: pytest.CaptureFixture[str]
) -> None:
    logged(api, capsys, "/predict", patient)  # a cold start has more to say

    body, (line,) = logged(api, capsys, "/predict", patient)

    assert line["prediction_id"] == body["prediction_id"]
    assert line["prediction"] == {"Improvement_Score": body["Improvement_Score"]}
    assert line["interval"] == body["interval"]
    assert set(line["interval"]) == {"low", "high", "coverage"}
    assert line["features"] == {name: patient[name] for name in params().features}
    assert "explained" not in line


def test_what_was_left_out_is_null_in_a_line(
    api: Api, patient: Patient, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {name: value for name, value in patient.items() if name != "Side_Effects"}
    logged(api, capsys, "/predict", before)

    _, (line,) = logged(api, capsys, "/predict", before)

    assert line["features"] == {name: before.get(name) for name in params().features}
    assert line["features"]["Side_Effects"] is None


def test_a_line_tells_that_an_explanation_was_asked_for(
    api: Api, patient: Patient, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = {"multiValueQueryStringParameters": {"explain": ["true"]}}
    logged(api, capsys, "/predict", patient, **asked)

    body, (line,) = logged(api, capsys, "/predict", patient, **asked)

    assert line["explained"] is True
    assert line["prediction_id"] == body["prediction_id"]
    _, (plain,) = logged(api, capsys, "/predict", patient)
    assert "explained" not in plain


def test_a_line_of_a_batch_has_lists_of_what_was_scored(
    api: Api, patient: Patient, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [patient, patient | {"Age": 17}, patient | {"Age": 60}]
    logged(api, capsys, "/predict", patient)

    body, (line,) = logged(api, capsys, "/predict/batch", {"patients": rows})

    first, _, last = body["predictions"]
    assert line["prediction_id"] == [first["prediction_id"], last["prediction_id"]]
    assert line["interval"] == {
        "low": [first["interval"]["low"], last["interval"]["low"]],
        "high": [first["interval"]["high"], last["interval"]["high"]],
        "coverage": first["interval"]["coverage"],
    }
    assert line["features"]["Age"] == [56, 60]


def test_a_line_of_a_comparison_has_what_each_treatment_was_answered(
    api: Api, patient: Patient, untreated: Patient, capsys: pytest.CaptureFixture[str]
) -> None:
    logged(api, capsys, "/predict", patient)

    body, (line,) = logged(api, capsys, "/compare", {"patient": untreated})

    assert line["compared"] == [
        {
            "prediction_id": one["prediction_id"],
            **one["treatment"],
            "Improvement_Score": one["Improvement_Score"],
            "interval": {name: one["interval"][name] for name in ("low", "high")},
        }
        for one in body["treatments"]
    ]
    assert line["coverage"] == body["treatments"][0]["interval"]["coverage"]
    assert set(line["features"]) == set(params().features) - set(SECOND)
    assert line["reference"] == body["reference"]


# ---- Lines of a large batch ----


def many(patient: Patient) -> list[Patient]:
    return [
        patient | {"Age": 18 + number % 62, "Patient_ID": f"{CANARY}-{number}"}
        for number in range(params().serving.max_batch_rows)
    ]


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> int:
    """A largest line of which the largest batch of this study takes several."""
    monkeypatch.setattr(telemetry, "LINE_BYTES", 48 * 1024)
    return telemetry.LINE_BYTES


def test_the_largest_batch_leaves_lines_that_cloudwatch_takes(
    api: Api, patient: Patient, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()

    api("POST", "/predict/batch", {"patients": many(patient)})

    texts = capsys.readouterr().out.splitlines()
    assert max(len(text.encode()) for text in texts) <= 128 * 1024


def test_a_batch_that_is_too_large_for_a_line_is_logged_in_several(
    api: Api, patient: Patient, capsys: pytest.CaptureFixture[str], narrow: int
) -> None:
    rows = many(patient)
    rows[7] = {**rows[7], "Age": 17}
    logged(api, capsys, "/predict", patient)

    capsys.readouterr()
    answer = api("POST", "/predict/batch", {"patients": rows})
    printed = capsys.readouterr().out

    texts = printed.splitlines()
    assert max(len(text.encode()) for text in texts) <= narrow
    assert CANARY not in printed
    (emf,) = emf_lines(printed)
    further = [line for line in fact_lines(printed) if "_aws" not in line]
    assert len(further) >= 2
    assert emf["Predictions"] == 999
    for line in further:
        assert "Predictions" not in line
        for name in ("request_id", "route", "status", "model_version"):
            assert line[name] == emf[name]
        assert line["route"] == "POST /predict/batch"
    lines = [emf, *further]
    scored = [one for one in answer.body["predictions"] if "errors" not in one]
    assert joined(line["prediction_id"] for line in lines) == [*ids_in(scored)]
    assert joined(line["prediction"]["Improvement_Score"] for line in lines) == [
        one["Improvement_Score"] for one in scored
    ]
    for end in ("low", "high"):
        assert joined(line["interval"][end] for line in lines) == [
            one["interval"][end] for one in scored
        ]
    for name in params().features:
        assert joined(line["features"][name] for line in lines) == [
            row[name] for row in rows if row["Age"] != 17
        ]


def joined(lists: Iterable[list[Any]]) -> list[Any]:
    return [one for each in lists for one in each]


@pytest.mark.usefixtures("narrow")
def test_lines_of_one_batch_are_not_those_of_the_next(
    api: Api, patient: Patient, capsys: pytest.CaptureFixture[str]
) -> None:
    logged(api, capsys, "/predict/batch", {"patients": many(patient)})

    _, lines = logged(api, capsys, "/predict", patient)

    assert len(lines) == 1


@pytest.mark.usefixtures("narrow")
def test_a_batch_that_breaks_says_so_in_each_of_its_lines(
    api: Api,
    patient: Patient,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(**_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(api.module, "BatchPrediction", broken)

    answer = api("POST", "/predict/batch", {"patients": many(patient)})

    assert answer.status == 500
    lines = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    statuses = [one["status"] for one in lines if "prediction_id" in one]
    assert len(statuses) > 2
    assert set(statuses) == {500}


def columns_of(rows: list[str]) -> Callable[[slice], dict[str, object]]:
    return lambda some: {"shared": "x", "said": rows[some]}


@given(
    st.lists(
        st.one_of(
            st.text(max_size=40),
            st.builds(
                lambda one, times: one * times, st.sampled_from("xä\x00𝄞"), st.integers(0, 90)
            ),
        ),
        max_size=60,
    ),
    st.integers(60, 400),
)
def test_rows_are_cut_into_pieces_that_fit(rows: list[str], room: int) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(telemetry, "LINE_BYTES", telemetry.ROOM + room)
        found = list(telemetry.pieces(len(rows), columns_of(rows)))

    said: list[list[str]] = [piece["said"] for piece in found]  # type: ignore[misc]
    assert [one for piece in said for one in piece] == rows
    assert len(found) >= 1
    for piece, of_it in zip(found, said, strict=True):
        assert piece["shared"] == "x"
        assert len(telemetry.as_line(piece).encode()) <= room or len(of_it) == 1


def test_a_row_that_is_too_long_by_itself_has_a_line_of_its_own() -> None:
    rows = ["x", "y" * telemetry.LINE_BYTES, "z"]

    found = list(telemetry.pieces(3, columns_of(rows)))

    assert [piece["said"] for piece in found] == [[rows[0]], [rows[1]], [rows[2]]]


def test_no_rows_are_one_piece() -> None:
    assert list(telemetry.pieces(0, columns_of([]))) == [{"shared": "x", "said": []}]
