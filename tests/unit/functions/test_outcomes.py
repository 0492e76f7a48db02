"""Outcomes are told and predictions are looked up, by their ids."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from clinical import telemetry
from clinical.captured import Captured, new_ids
from clinical.captures import Captures
from clinical.errors import StorageDenied, StorageUnavailable
from clinical.obstore_bucket import ObstoreBucket
from clinical.outcomes import Outcomes
from monitor.entering import enter

from tests.unit.conftest import Answer, Api, emf_lines

TARGET = "Improvement_Score"
NOW = datetime.now(UTC)
YESTERDAY = (NOW - timedelta(days=1)).date().isoformat()
TODAY = NOW.date().isoformat()

type Tell = Callable[..., Answer]


@pytest.fixture
def api(outcomes_api: Api) -> Api:
    return outcomes_api


@pytest.fixture
def predicted(store: ObstoreBucket) -> list[Captured]:
    """Ten predictions of the day before yesterday, captured."""
    made = [
        Captured(
            prediction_id=one,
            predicted_at=(NOW - timedelta(days=2)).replace(hour=12, microsecond=0),
            source="predict",
            model_version="v-00000000",
            features={"Age": 56, "Drug_Name": "Парацетамол", "Side_Effects": None},
            score=6.5,
            low=4.0,
            high=8.25,
            coverage=0.9,
            averaged_over=("Side_Effects",),
        )
        for one in new_ids(10)
    ]
    assert enter(Captures(store), made) == 10
    return made


def outcome(
    one: str, value: object = 6.5, at: object = YESTERDAY, **more: object
) -> dict[str, Any]:
    return {"prediction_id": one, TARGET: value, "observed_at": at, **more}


@pytest.fixture
def tell(api: Api) -> Tell:
    return lambda *outcomes: api("POST", "/outcomes", {"outcomes": list(outcomes)})


def statuses(answer: Answer) -> list[object]:
    assert answer.status == 200, answer.text
    return [one["status"] for one in answer.body["outcomes"]]


def look_up(api: Api, one: object, method: str = "GET", **event: Any) -> Answer:
    return api(
        method,
        "/predictions/{prediction_id}",
        pathParameters={"prediction_id": one},
        **event,
    )


def test_an_outcome_is_recorded(
    tell: Tell, predicted: list[Captured], store: ObstoreBucket
) -> None:
    one = predicted[0].prediction_id

    answer = tell(outcome(one.upper(), 7.256))

    assert answer.body == {
        "outcomes": [{"prediction_id": one, "status": "recorded", "message": "Recorded."}]
    }
    kept = Outcomes(store).all()[one]
    assert (kept.value, kept.told_by) == (7.26, "api")
    assert kept.observed_at.isoformat() == f"{YESTERDAY}T00:00:00+00:00"


def test_an_outcome_of_a_prediction_that_is_not_captured_yet_waits(
    tell: Tell, store: ObstoreBucket
) -> None:
    (one,) = new_ids(1)

    answer = tell(outcome(one))

    assert statuses(answer) == ["waiting"]
    assert "captured daily" in answer.body["outcomes"][0]["message"]
    assert one in Outcomes(store).all()


def test_the_outcome_observed_later_counts(tell: Tell, predicted: list[Captured]) -> None:
    one = predicted[0].prediction_id

    came = [
        statuses(tell(outcome(one, value, at)))
        for value, at in ((3, YESTERDAY), (7, f"{YESTERDAY}T12:00"), (1, YESTERDAY))
    ]

    assert came == [["recorded"], ["replaced"], ["superseded"]]


def test_a_correction_of_the_same_time_counts(tell: Tell, predicted: list[Captured]) -> None:
    one = predicted[0].prediction_id
    tell(outcome(one, 7))

    answer = tell(outcome(one, 3))

    assert statuses(answer) == ["replaced"]
    assert YESTERDAY in answer.body["outcomes"][0]["message"]


def test_what_is_told_again_changes_nothing(
    tell: Tell, predicted: list[Captured], store: ObstoreBucket
) -> None:
    told = [outcome(one.prediction_id) for one in predicted]
    tell(*told)
    before = store.keys("outcomes/", "")

    answer = tell(*told)

    assert statuses(answer) == ["recorded"] * 10
    assert answer.body["outcomes"][0]["message"] == "Already recorded; nothing changed."
    assert store.keys("outcomes/", "") == before


@pytest.mark.parametrize("turned", [False, True])
def test_of_two_outcomes_in_one_body_the_later_one_counts(
    tell: Tell, predicted: list[Captured], store: ObstoreBucket, *, turned: bool
) -> None:
    one = predicted[0].prediction_id
    told = [outcome(one, 9, YESTERDAY), outcome(one, 2, TODAY)]

    answer = tell(*(told[::-1] if turned else told))

    assert statuses(answer) == ["superseded", "recorded"][:: -1 if turned else 1]
    assert Outcomes(store).all()[one].value == 2


def test_of_two_outcomes_of_the_same_time_in_one_body_the_last_one_counts(
    tell: Tell, predicted: list[Captured], store: ObstoreBucket
) -> None:
    one = predicted[0].prediction_id

    answer = tell(outcome(one, 9), outcome(one, 2))

    assert statuses(answer) == ["superseded", "recorded"]
    assert Outcomes(store).all()[one].value == 2


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"prediction_id": "0" * 31}, "prediction_id"),
        ({"prediction_id": "0" * 33}, "prediction_id"),
        ({"prediction_id": "g" * 32}, "prediction_id"),
        ({"prediction_id": "\N{FULLWIDTH DIGIT ONE}" * 32}, "prediction_id"),
        ({"prediction_id": "\N{ARABIC-INDIC DIGIT ONE}" * 32}, "prediction_id"),
        ({"prediction_id": "0" * 30 + "\N{LATIN SMALL LIGATURE FF}0"}, "prediction_id"),
        ({"prediction_id": "0" * 32 + "\n"}, "prediction_id"),
        ({"prediction_id": ""}, "prediction_id"),
        ({"prediction_id": 12}, "prediction_id"),
        ({"prediction_id": None}, "prediction_id"),
        ({"prediction_id": ["0" * 32]}, "prediction_id"),
        ({"prediction_id": "\ud800" * 32}, "prediction_id"),
        ({TARGET: 10.01}, TARGET),
        ({TARGET: -0.01}, TARGET),
        ({TARGET: "6.5"}, TARGET),
        ({TARGET: True}, TARGET),
        ({TARGET: None}, TARGET),
        ({TARGET: [6.5]}, TARGET),
        ({TARGET: float("nan")}, TARGET),
        ({TARGET: float("inf")}, TARGET),
        ({TARGET: 10**400}, TARGET),
        ({TARGET: 1e308}, TARGET),
        ({"observed_at": "2999-01-01"}, "observed_at"),
        ({"observed_at": "9999-12-31T23:59:59-12:00"}, "observed_at"),
        ({"observed_at": "0001-01-01T00:00+12:00"}, "observed_at"),
        ({"observed_at": "2026-02-30"}, "observed_at"),
        ({"observed_at": "24.12.2025"}, "observed_at"),
        ({"observed_at": "12/24/2025"}, "observed_at"),
        ({"observed_at": "20251224"}, "observed_at"),
        ({"observed_at": "2025-W52-3"}, "observed_at"),
        ({"observed_at": "2025-12-24T25:00"}, "observed_at"),
        ({"observed_at": "\N{FULLWIDTH DIGIT TWO}025-12-24"}, "observed_at"),
        ({"observed_at": " 2025-12-24"}, "observed_at"),
        ({"observed_at": 1766534400}, "observed_at"),
        ({"observed_at": None}, "observed_at"),
        ({"observed_at": ""}, "observed_at"),
        ({"Patient_ID": "P0001"}, "Patient_ID"),
        ({"value": 6.5}, "value"),
    ],
)
def test_what_is_wrong_with_an_outcome_is_named_and_fails_no_other(
    tell: Tell, predicted: list[Captured], wrong: dict[str, object], field: str
) -> None:
    first, second = (one.prediction_id for one in predicted[:2])

    answer = tell(outcome(first) | wrong, outcome(second))

    assert statuses(answer) == [422, "recorded"]
    problem = answer.body["outcomes"][0]
    assert [error["loc"] for error in problem["errors"]] == [["body", "outcomes", 0, field]]
    assert problem["detail"].startswith(f"outcomes.0.{field}: ")


@pytest.mark.parametrize("row", [None, 1, "x", [], [1], True])
def test_what_is_no_object_is_said(tell: Tell, row: object) -> None:
    answer = tell(row)

    assert statuses(answer) == [422]
    assert "should be a single JSON object" in answer.body["outcomes"][0]["detail"]


def test_what_is_missing_is_named(tell: Tell) -> None:
    (problem,) = tell({}).body["outcomes"]

    assert [error["loc"][-1] for error in problem["errors"]] == [
        "prediction_id",
        TARGET,
        "observed_at",
    ]


def test_an_outcome_before_its_prediction_is_refused(tell: Tell, predicted: list[Captured]) -> None:
    day = predicted[0].predicted_at.date()
    before = (day - timedelta(days=1)).isoformat()
    one, other = (of.prediction_id for of in predicted[:2])

    answer = tell(outcome(one, at=before), outcome(other, at=day.isoformat()))

    assert statuses(answer) == [422, "recorded"]
    assert f"should not be earlier than {day}" in answer.body["outcomes"][0]["detail"]


def test_tomorrow_is_today_somewhere(tell: Tell, predicted: list[Captured]) -> None:
    tomorrow = datetime.now(UTC) + timedelta(hours=23)

    answer = tell(
        outcome(predicted[0].prediction_id, at=tomorrow.date().isoformat()),
        outcome(predicted[1].prediction_id, at=(tomorrow + timedelta(hours=2)).isoformat()),
    )

    assert statuses(answer) == ["recorded", 422]


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"outcomes": []},
        {"outcomes": None},
        {"outcomes": {}},
        {"outcomes": [], "more": 1},
        {"outcomes": [{}] * 1001},
    ],
)
def test_a_body_of_another_shape_is_refused(api: Api, body: object) -> None:
    assert api("POST", "/outcomes", body).status == 422


def test_a_thousand_outcomes_are_recorded_at_once(tell: Tell, predicted: list[Captured]) -> None:
    ids = new_ids(990) + [one.prediction_id for one in predicted]

    answer = tell(*(outcome(one, 9.99, f"{YESTERDAY}T12:00:00.123456+00:00") for one in ids))

    assert statuses(answer) == ["waiting"] * 990 + ["recorded"] * 10
    assert answer.size < 1024 * 1024


def test_no_answer_is_larger_than_lambda_allows(tell: Tell) -> None:
    words = {f"\N{SNOWMAN}{number}" * 10: 0 for number in range(10)}

    answer = tell(*({**words} for _ in range(1000)))

    assert answer.status == 200
    assert answer.size < 6 * 1024 * 1024


def test_a_body_larger_than_a_batch_is_refused(api: Api) -> None:
    assert api("POST", "/outcomes", " " * 2**20 + "{}").status == 413


def test_a_prediction_is_looked_up(api: Api, tell: Tell, predicted: list[Captured]) -> None:
    one = predicted[3]
    tell(outcome(one.prediction_id, 7.25))

    answer = look_up(api, one.prediction_id.upper())

    assert answer.status == 200
    at = answer.body["outcome"].pop("received_at")
    assert datetime.fromisoformat(at) > NOW
    assert list(answer.body) == [
        "prediction_id",
        "predicted_at",
        "features",
        TARGET,
        "interval",
        "model_version",
        "averaged_over",
        "source",
        "outcome",
    ]
    assert answer.body | {"predicted_at": ""} == {
        "prediction_id": one.prediction_id,
        "predicted_at": "",
        "features": {"Age": 56, "Drug_Name": "Парацетамол", "Side_Effects": None},
        TARGET: 6.5,
        "interval": {"low": 4.0, "high": 8.25, "coverage": 0.9},
        "model_version": "v-00000000",
        "averaged_over": ["Side_Effects"],
        "source": "predict",
        "outcome": {TARGET: 7.25, "observed_at": f"{YESTERDAY}T00:00:00Z"},
    }


def test_a_prediction_without_an_outcome_has_none(api: Api, predicted: list[Captured]) -> None:
    assert look_up(api, predicted[0].prediction_id).body["outcome"] is None


def test_an_unknown_prediction_is_not_found(api: Api, predicted: list[Captured]) -> None:
    assert predicted

    answer = look_up(api, new_ids(1)[0])

    assert answer.status == 404
    assert "captured once a day" in answer.body["detail"]


@pytest.mark.parametrize(
    "one",
    [
        "x",
        "0" * 31,
        "0" * 33,
        "\N{FULLWIDTH DIGIT ONE}" * 32,
        "a/b",
        "..",
        "%2e",
        "<script>",
        "0" * 32 + "\n",
        "0" * 5000,
        "",
        None,
        7,
    ],
)
def test_what_is_no_id_is_refused(api: Api, one: object) -> None:
    answer = look_up(api, one)

    assert answer.status == 422
    assert [error["loc"] for error in answer.body["errors"]] == [["path", "prediction_id"]]
    assert answer.body["detail"].startswith("prediction_id: Input should be")


def test_an_event_without_path_parameters_names_no_id(api: Api) -> None:
    assert api("GET", "/predictions/{prediction_id}", pathParameters=None).status == 422


def test_head_is_answered_as_get_without_a_body(api: Api, predicted: list[Captured]) -> None:
    answer = look_up(api, predicted[0].prediction_id, "HEAD")

    assert (answer.status, answer.text) == (200, "")


def test_a_browser_may_ask_from_an_allowed_page(api: Api) -> None:
    answer = look_up(api, "x", "OPTIONS", headers={"Origin": "http://site.example"})

    assert answer.status == 204
    assert answer.headers["Access-Control-Allow-Methods"] == "GET,HEAD,OPTIONS"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_other_methods_are_unknown(api: Api, method: str) -> None:
    assert look_up(api, "0" * 32, method).status == 404


def test_the_log_has_counts_and_no_id(
    api: Api, tell: Tell, predicted: list[Captured], capsys: pytest.CaptureFixture[str]
) -> None:
    one = predicted[0].prediction_id

    tell(outcome(one), outcome("P0001-secret"), outcome(one, at="secret"))
    look_up(api, one)
    look_up(api, "secret")

    printed = capsys.readouterr().out
    told, found, refused = emf_lines(printed)
    assert told["outcomes"] == {
        "refused": 2,
        "recorded": 1,
        "waiting": 0,
        "replaced": 0,
        "superseded": 0,
    }
    assert found["route"] == refused["route"] == "GET /predictions/{prediction_id}"
    assert one not in printed
    assert "secret" not in printed
    assert "6.5" not in json.dumps(told)


@pytest.mark.parametrize(
    ("error", "said"),
    [(StorageUnavailable, "not responding"), (StorageDenied, "denies this function")],
)
def test_where_s3_fails_the_reason_is_told_and_nothing_is_recorded(
    api: Api,
    tell: Tell,
    predicted: list[Captured],
    monkeypatch: pytest.MonkeyPatch,
    error: type[Exception],
    said: str,
) -> None:
    def failing(*_: object) -> None:
        raise error("s3://bucket/key")

    one = predicted[0].prediction_id
    for what in ("get", "put_new"):
        with monkeypatch.context() as patch:
            patch.setattr(ObstoreBucket, what, failing)
            answers = [tell(outcome(one)), *([look_up(api, one)] if what == "get" else [])]

        for answer in answers:
            assert answer.status == 503
            assert said in answer.body["detail"]
            assert "s3://" not in answer.text
            assert answer.headers["Retry-After"] == "1"
    assert look_up(api, one).body["outcome"] is None


def test_what_was_altered_in_s3_is_not_used(
    api: Api, predicted: list[Captured], store: ObstoreBucket, capsys: pytest.CaptureFixture[str]
) -> None:
    (key, *_) = store.keys("captures/2", ".jsonl.gz")
    store.put(key, b"altered")

    answer = look_up(api, predicted[0].prediction_id)

    assert answer.status == 503
    assert "corrupted" in answer.body["detail"]
    assert telemetry.Metric.ARTEFACTS_REFUSED in capsys.readouterr().out
