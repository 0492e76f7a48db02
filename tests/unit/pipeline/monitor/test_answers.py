"""What the API answered is what is captured, to the last digit, through the lines that it logs."""

import csv
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from clinical.captured import Captured
from clinical.captures import Captures
from clinical.obstore_bucket import ObstoreBucket
from clinical.outcomes import Outcome, Outcomes
from clinical.params import params
from clinical.registry import Champion
from exporting import joined_csv
from monitor import capturing
from retrain.stages.validate import judge
from tables import read

from tests.unit.conftest import Api, Candidate
from tests.unit.pipeline.monitor.clouds import Logs, utc

NOON = utc(2026, 11, 23, 12)


@pytest.fixture
def bucket(store: ObstoreBucket) -> ObstoreBucket:
    """Models are published to where they serve from."""
    return store


@pytest.fixture
def api(predict_api: Api, candidate: Candidate, promote: Callable[[Candidate], Champion]) -> Api:
    promote(candidate)
    return predict_api


@pytest.fixture
def patients(sample: Path) -> list[dict[str, Any]]:
    """The rows of the sample as requests."""
    with sample.open(newline="") as lines:
        return [
            {name: kind.value(kind.canonical(row[name])) for name, kind in params().asked.items()}
            for row in csv.DictReader(lines)
        ]


@pytest.fixture
def capture(
    store: ObstoreBucket, capsys: pytest.CaptureFixture[str]
) -> Callable[[], dict[str, Captured]]:
    """Capture what was printed since, a line a second, and give it by id."""

    def of() -> dict[str, Captured]:
        logs = Logs()
        for number, line in enumerate(capsys.readouterr().out.splitlines()):
            assert len(line.encode()) < 256 * 1024
            logs.put(NOON + timedelta(seconds=number), line)
        captures = Captures(store)
        until = NOON + timedelta(days=1)
        taken = capturing.capture(captures, logs.log, until, params(), by_hand=True)
        assert list(taken.notes()) == []
        found = {one.prediction_id: one for one in captures.between(NOON, until)}
        assert len(found) == taken.captured
        return found

    return of


def said(captured: Captured) -> dict[str, Any]:
    """Give a capture in the words of an answer."""
    return {
        "prediction_id": captured.prediction_id,
        "Improvement_Score": captured.score,
        "interval": {
            "low": captured.low,
            "high": captured.high,
            "coverage": captured.coverage,
        },
    }


def test_predictions_are_captured_as_they_were_answered(
    api: Api, patients: list[dict[str, Any]], capture: Callable[[], dict[str, Captured]]
) -> None:
    answers = [api("POST", "/predict", patient).body for patient in patients[:20]]
    explained = api("POST", "/predict", patients[0], queryStringParameters={"explain": "true"}).body
    averaged = api("POST", "/predict", patients[0] | {"Side_Effects": None}).body
    api("POST", "/predict", patients[0] | {"Age": 7})
    api("GET", "/health")

    found = capture()

    assert len(found) == 22
    for answer, patient in zip(answers, patients, strict=False):
        one = found[answer["prediction_id"]]
        assert said(one).items() <= answer.items()
        assert one.features == {name: patient[name] for name in params().features}
        assert (one.source, one.model_version) == ("predict", answer["model_version"])
        assert (one.explained, one.averaged_over) == (False, ())
    assert found[explained["prediction_id"]].explained
    assert found[averaged["prediction_id"]].averaged_over == ("Side_Effects",)


def test_a_large_batch_is_captured_to_its_last_row(
    api: Api, patients: list[dict[str, Any]], capture: Callable[[], dict[str, Captured]]
) -> None:
    rows: list[Any] = [*patients[:999], {"Age": 7}]

    answer = api("POST", "/predict/batch", {"patients": rows})

    assert answer.status == 200
    found = capture()
    assert len(found) == 999
    for row, patient in zip(answer.body["predictions"][:999], patients, strict=False):
        one = found[row["prediction_id"]]
        assert said(one).items() <= row.items()
        assert one.features == {name: patient[name] for name in params().features}
        assert one.source == "batch"


def test_each_treatment_of_a_comparison_is_captured(
    api: Api, patients: list[dict[str, Any]], capture: Callable[[], dict[str, Captured]]
) -> None:
    asked = {
        name: value
        for name, value in patients[0].items()
        if name not in {"Drug_Name", "Dosage_mg", "Side_Effects"}
    }

    answer = api("POST", "/compare", {"patient": asked})

    assert answer.status == 200, answer.text
    found = capture()
    assert len(found) == len(answer.body["treatments"])
    for treatment in answer.body["treatments"]:
        one = found[treatment["prediction_id"]]
        assert said(one).items() <= treatment.items()
        assert treatment["treatment"].items() <= one.features.items()
        assert (one.source, one.averaged_over) == ("compare", ("Side_Effects",))
        assert one.features["Side_Effects"] is None


def test_what_came_of_predictions_can_be_trained_on_and_names_no_patient(
    api: Api,
    patients: list[dict[str, Any]],
    capture: Callable[[], dict[str, Captured]],
    store: ObstoreBucket,
) -> None:
    for row in patients[:100]:
        row["Patient_ID"] = f"canary-{row['Patient_ID']}"
    api("POST", "/predict/batch", {"patients": patients[:100]})
    found = capture()
    told = [
        Outcome(
            prediction_id=one,
            value=round(place / 10, 2),
            observed_at=NOON,
            received_at=NOON,
            told_by="api",
        )
        for place, one in enumerate(found)
    ]
    Outcomes(store).receive(told, NOON)

    text = "".join(joined_csv(found.values(), Outcomes(store).all(), params()))

    report, _ = judge(read("new.csv", text.encode(), params()), params())
    assert (report.rows, report.violations) == (100, ())
    kept = [store.get(key).body for key in store.keys("captures/", "")]
    lines = [line for day in Captures(store).days() for line in Captures(store).lines(day)]
    assert not any(b"canary" in body for body in (*kept, *lines, text.encode()))
    assert json.loads(lines[0])["prediction_id"] in found
