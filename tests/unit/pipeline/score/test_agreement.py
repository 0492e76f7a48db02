"""A row of a file is answered what `/predict` answers to it: words, and scores bit by bit."""

import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from clinical.artefacts import read_verified
from clinical.boto3_bucket import Boto3Bucket
from clinical.kinds import DECIMAL, Value
from clinical.obstore_bucket import ObstoreBucket
from clinical.params import params
from clinical.registry import Champion
from score.captured import captured_in, marker_in

from tests.pipeline import mirror, score
from tests.unit.conftest import Api, Candidate, emf_lines

type Row = dict[str, str]

NAMES = list(params().asked)
GOOD = {
    **dict(zip(NAMES, ("P1", "56", "Male", "Infection", "Ciprofloxacin", "50", "9"), strict=False)),
    "Side_Effects": "Nausea",
}
ODD = ("", "0", "-1", "17", "18", "79", "80", "56.0", "56.5", "1e1", "yes", "Female", "male", "50")
ODDER = ("850", "851", "Flu", "Rash", "Nausea, mild", '"Nausea"', "٥٦", "056", "x" * 65, "5", "60")


def corpus(sample: Path) -> Iterator[Row]:
    """Rows as they are recorded, and each of many odd cells in each column of a good one."""
    yield from csv.DictReader(io.StringIO(sample.read_text()))
    for name in NAMES:
        for cell in (*ODD, *ODDER):
            yield {**GOOD, name: cell}
            yield {**GOOD, name: cell, "Side_Effects": ""}
            yield {**GOOD, "Age": "200", name: cell, "Drug_Name": "Metformin"}
    yield {**GOOD, "Gender": "", "Dosage_mg": "500", "Condition": "Diabetes"}


def as_file(rows: list[Row]) -> bytes:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, NAMES, extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue().encode()


def as_request(row: Row) -> dict[str, Value]:
    """Send of a row what its cells say: a number as a number, and nothing for nothing."""
    numeric = {name for name, kind in params().asked.items() if kind.is_number}
    return {
        name: json.loads(row[name])
        if name in numeric and DECIMAL.fullmatch(row[name])
        else row[name]
        for name in NAMES
        if row[name]
    }


@pytest.fixture
def promoted(
    cloud: Boto3Bucket,
    store: ObstoreBucket,
    candidate: Candidate,
    promote: Callable[[Candidate], Champion],
) -> Champion:
    champion = promote(candidate)
    mirror(cloud, store)
    return champion


@pytest.fixture
def answered(cloud: Boto3Bucket, promoted: Champion) -> Callable[[list[Row]], list[Row]]:
    """Score rows as a file, and give what stands behind each."""

    def scored(rows: list[Row]) -> list[Row]:
        cloud.client.put_object(Bucket="raw", Key="score/in/rows.csv", Body=as_file(rows))
        score("run", {"score": "score/in/rows.csv"})
        body = cloud.client.get_object(Bucket="raw", Key="score/out/run/part-00000.csv")["Body"]
        return list(csv.DictReader(io.StringIO(body.read().decode(), newline="")))

    return scored


def test_every_row_of_a_file_is_answered_what_predict_answers_to_it(
    sample: Path, answered: Callable[[list[Row]], list[Row]], predict_api: Api
) -> None:
    rows = list(corpus(sample))

    found = answered(rows)

    said = []
    for start in range(0, len(rows), 500):
        some = [as_request(row) for row in rows[start : start + 500]]
        answer = predict_api("POST", "/predict/batch", {"patients": some})
        assert answer.status == 200
        said += answer.body["predictions"]
    assert len(found) == len(said) == len(rows)
    assert sum("errors" in one for one in said) > 300
    for row, expected in zip(found, said, strict=True):
        assert told(row) == of_the_api(expected)


def test_scores_are_those_of_single_requests_bit_by_bit(
    sample: Path, answered: Callable[[list[Row]], list[Row]], predict_api: Api
) -> None:
    rows = list(csv.DictReader(io.StringIO(sample.read_text())))[:60]
    rows += [{**row, "Side_Effects": ""} for row in rows[:40]]

    found = answered(rows)

    for row, asked in zip(found, rows, strict=True):
        answer = predict_api("POST", "/predict", as_request(asked))
        assert told(row) == of_the_api(answer.body)


def test_what_is_captured_of_a_file_is_what_requests_log_bit_by_bit(
    sample: Path,
    answered: Callable[[list[Row]], list[Row]],
    predict_api: Api,
    cloud: Boto3Bucket,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Of rows that have a score, and of no other."""
    rows = list(corpus(sample))[-1000:]

    found = answered(rows)

    scored = [row for row in found if not row["problem"]]
    marker = marker_in("captures/scored/run.json", cloud.get("captures/scored/run.json").body)
    (part,) = marker.parts
    captured = list(captured_in(read_verified(cloud, part), marker))
    assert 100 < len(scored) == len(captured) == part.predictions < len(rows)
    assert [one.prediction_id for one in captured] == [row["prediction_id"] for row in scored]
    assert {row["prediction_id"] for row in found if row["problem"]} == {""}
    asked = [as_request(row) for row, said in zip(rows, found, strict=True) if not said["problem"]]
    answers: list[Any] = []
    logged: list[tuple[Value, ...]] = []
    for start in range(0, len(asked), 400):
        capsys.readouterr()
        answer = predict_api("POST", "/predict/batch", {"patients": asked[start : start + 400]})
        answers += answer.body["predictions"]
        (line,) = [one for one in emf_lines(capsys.readouterr().out) if "route" in one]
        logged += zip(*line["features"].values(), strict=True)
        assert line["model_version"] == marker.model_version
        assert line["interval"]["coverage"] == marker.coverage
    assert all(one.source == "score" and one.predicted_at == marker.scored_at for one in captured)
    for one, answer, values in zip(captured, answers, logged, strict=True):
        assert (one.score, one.low, one.high) == (
            answer["Improvement_Score"],
            answer["interval"]["low"],
            answer["interval"]["high"],
        )
        assert one.averaged_over == tuple(answer.get("averaged_over", ()))
        assert list(one.features) == list(params().features)
        assert repr(list(one.features.values())) == repr(list(values))  # 56 is not 56.0
    assert any(one.averaged_over for one in captured)


def told(row: Row) -> dict[str, Any]:
    """What stands behind a row, as values."""
    if row["problem"]:
        return {"problem": row["problem"]}
    return {
        "score": float(row["predicted_Improvement_Score"]),
        "interval": (float(row["predicted_low"]), float(row["predicted_high"])),
        "support": int(row["support"]),
        "averaged_over": row["averaged_over"],
    }


def of_the_api(answer: dict[str, Any]) -> dict[str, Any]:
    """The same of an entry of a batch, or of an answer to one patient."""
    if "errors" in answer:
        wrong = [(one["loc"][-1], one["msg"]) for one in answer["errors"]]
        sentences = (f"{where}: {msg}" if where in NAMES else msg for where, msg in wrong)
        return {"problem": "; ".join(sentences)}
    return {
        "score": answer["Improvement_Score"],
        "interval": (answer["interval"]["low"], answer["interval"]["high"]),
        "support": answer["support"],
        "averaged_over": " + ".join(answer.get("averaged_over", ())),
    }
