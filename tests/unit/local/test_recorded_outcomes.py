"""`make outcomes`: files that are handed in, and rows that are brought back, all or none."""

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from clinical.boto3_bucket import Boto3Bucket
from clinical.captured import Captured, new_ids
from clinical.captures import Captures
from clinical.outcomes import Outcome, Outcomes
from clinical.params import params
from monitor.entering import enter
from rich.console import Console

from data import generate
from local import recorded
from local.cloud import CloudFailed

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)

type Patient = dict[str, Any]


def stack() -> Any:
    return SimpleNamespace(
        s3=boto3.client("s3"),
        new_s3=lambda: boto3.client("s3"),
        outputs=SimpleNamespace(artifacts_bucket="artifacts", raw_bucket="raw"),
    )


def predicted(patients: list[Patient]) -> list[Captured]:
    """Capture predictions of patients of the sample, and index them."""
    made = [
        Captured(
            prediction_id=one,
            predicted_at=NOON + timedelta(minutes=place),
            source="predict",
            model_version="v-00000000",
            features={name: patient.get(name) for name in params().features},
            score=6.5,
            low=4.0,
            high=8.25,
            coverage=0.9,
        )
        for place, (one, patient) in enumerate(zip(new_ids(len(patients)), patients, strict=True))
    ]
    captures = Captures(Boto3Bucket(boto3.client("s3"), "artifacts"))
    enter(captures, made)
    captures.index()
    return made


def came_of(made: list[Captured]) -> None:
    """Tell that 7.5 was observed of each."""
    Outcomes(Boto3Bucket(boto3.client("s3"), "artifacts")).receive(
        [
            Outcome(
                prediction_id=one.prediction_id,
                value=7.5,
                observed_at=NOON + timedelta(days=1),
                received_at=NOON + timedelta(days=2),
                told_by="api",
            )
            for one in made
        ],
        NOON,
    )


def brought_back(out: Path) -> str:
    console = Console(width=160, no_color=True, soft_wrap=True)
    with console.capture() as captured:
        recorded.outcomes(stack(), None, out, console)
    return captured.get()


@pytest.mark.usefixtures("cloud")
def test_predictions_with_an_outcome_are_rows_under_their_ids(tmp_path: Path) -> None:
    made = predicted(generate.patients(5, 1))
    came_of(made[:3])

    text = brought_back(tmp_path / "joined.csv")

    rows = list(csv.DictReader((tmp_path / "joined.csv").read_text().splitlines()))
    assert [row[params().identifier] for row in rows] == [one.prediction_id for one in made[:3]]
    assert {row[params().target.column] for row in rows} == {"7.5"}
    assert "has 3 rows" in text


@pytest.mark.usefixtures("cloud")
@pytest.mark.parametrize("named", [True, False])
def test_whether_a_study_names_its_patients_is_told_of_the_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, named: bool
) -> None:
    columns = {
        name: kind
        for name, kind in params().columns.items()
        if named or name != params().identifier
    }
    study = params().model_copy(update={"columns": columns})
    came_of(predicted(generate.patients(2, 7)))
    monkeypatch.setattr(recorded, "params", lambda: study)

    printed = brought_back(tmp_path / "joined.csv")

    assert "has 2 rows, each a prediction with its outcome" in printed
    assert ("Patient_ID has the prediction ID" in printed) == named
    assert "None" not in printed


@pytest.mark.usefixtures("cloud")
def test_what_cannot_be_trained_on_is_left_out_and_told(tmp_path: Path) -> None:
    known, unknown = generate.patients(2, 1)
    del unknown["Side_Effects"]
    came_of(predicted([known, unknown]))

    text = brought_back(tmp_path / "joined.csv")

    assert "has 1 row," in text
    assert "1 row left out: `Side_Effects` was not known at the time of prediction." in text


@pytest.mark.usefixtures("cloud")
def test_without_any_row_no_file_is_written_and_one_that_is_there_stays(tmp_path: Path) -> None:
    predicted(generate.patients(2, 1))
    out = tmp_path / "joined.csv"
    out.write_text("of before")

    with pytest.raises(CloudFailed, match="no captured prediction has an outcome"):
        brought_back(out)

    assert [file.name for file in tmp_path.iterdir()] == ["joined.csv"]
    assert out.read_text() == "of before"


@pytest.mark.parametrize(
    ("data", "out", "says"),
    [
        (None, None, "DATA= or OUT= is required"),
        (None, "none/joined.csv", r"the folder \S+ does not exist"),
        (None, ".", "is a folder; name a file in it"),
        ("absent.csv", None, "absent.csv cannot be read"),
        ("empty.csv", None, "is empty: it has no outcomes"),
        ("outcomes.xlsx", None, r"must have a name that ends in \.csv"),
    ],
)
@pytest.mark.usefixtures("cloud")
def test_what_cannot_be_done_is_told_before_anything_is(
    tmp_path: Path, data: str | None, out: str | None, says: str
) -> None:
    (tmp_path / "empty.csv").touch()
    (tmp_path / "outcomes.xlsx").write_bytes(b"PK")

    with pytest.raises(CloudFailed, match=says):
        recorded.outcomes(
            stack(),
            tmp_path / data if data else None,
            tmp_path / out if out else None,
            Console(quiet=True),
        )


@pytest.mark.usefixtures("cloud")
def test_a_file_is_handed_in_under_its_own_name(tmp_path: Path) -> None:
    data = tmp_path / "November, ward 3.csv"
    data.write_text("prediction_id,Improvement_Score,observed_at\n")

    key = recorded.hand_in(stack(), data, Console(quiet=True))

    assert key == "outcomes/November_ ward 3.csv"
    found = boto3.client("s3").get_object(Bucket="raw", Key=key)
    assert found["Body"].read() == data.read_bytes()
