"""A file of patients scored by `make score`: every row answered, and as the API answers."""

import csv
import gzip
import os
import pty
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import duckdb
import pytest
from clinical.params import params

from local import executions, scoring
from local.machines import SCORE
from tests.faults import Fault, faulty_proxy
from tests.integration.conftest import ROOT, Laptop
from tests.patience import PATIENCE_SECONDS, until

COPIES = 4
WHOLE_NUMBERS = ("Age", "Dosage_mg", "Treatment_Duration_days")
WRONG = {  # by the number of a row in the file, what is wrong in it, and the column
    5: ("Age", "17"),
    17: ("Gender", "F"),
    2002: ("Drug_Name", "Snake oil"),
    3999: ("Age", ""),
}


@dataclass(frozen=True)
class Scored:
    """A file that was scored, what the command printed, and what it wrote."""

    given: list[dict[str, str]]
    printed: str
    rows: list[dict[str, str]]
    folder: Path


def patients(sample: Path) -> list[dict[str, str]]:
    """Give the sample's patients some times over, with ids of their own, and without outcomes."""
    with sample.open(newline="") as file:
        rows = list(csv.DictReader(file))
    found = []
    for number in range(COPIES * len(rows)):
        patient = rows[number % len(rows)] | {"Patient_ID": f"CANARY-{number:06}"}
        del patient["Improvement_Score"]
        if wrong := WRONG.get(number + 2):  # the header is row 1
            patient[wrong[0]] = wrong[1]
        found.append(patient)
    return found


def written(rows: list[dict[str, str]], path: Path) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture(scope="module")
def scored(laptop: Laptop, sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Scored:
    """Score a few thousand patients, some of them wrong, as a user does."""
    folder = tmp_path_factory.mktemp("scored")
    given = patients(sample)
    data = written(given, folder / "patients.CSV")

    done = laptop.run("score", DATA=str(data))

    assert done.returncode == 0, done.stdout
    with (folder / "patients.scored.CSV").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return Scored(given, done.stdout, rows, folder)


def test_every_row_is_answered_in_its_order(scored: Scored) -> None:
    columns = list(scored.given[0])

    assert [{name: row[name] for name in columns} for row in scored.rows] == scored.given
    for number, row in enumerate(scored.rows, 2):
        if number in WRONG:
            assert row["predicted_Improvement_Score"] == "", number
            assert row["prediction_id"] == "", number
            assert row["problem"], number
        else:
            low, score, high = (
                float(row[f"predicted_{name}"]) for name in ("low", "Improvement_Score", "high")
            )
            assert low < score < high, number
            assert row["problem"] == "", number
    ids = [row["prediction_id"] for row in scored.rows if not row["problem"]]
    assert len(set(ids)) == len(ids) == len(scored.rows) - len(WRONG)
    assert all(re.fullmatch("[0-9a-f]{32}", one) for one in ids)
    assert sorted(path.name for path in scored.folder.iterdir()) == [
        "patients.CSV",
        "patients.scored.CSV",
    ]


def test_the_summary_is_told_in_sentences(scored: Scored, laptop: Laptop) -> None:
    total, refused = len(scored.given), len(WRONG)
    champion = laptop.artefact("models/champion.json")

    for said in (
        "Uploaded patients.CSV: ",
        f"{total:,} rows: {total - refused:,} scored, {refused} refused.",
        f"Scored by {champion['version']}",
        "patients.scored.CSV",
        params().study.disclaimer,
        *(column for column, _ in WRONG.values()),
        "2002",
    ):
        assert said in scored.printed, scored.printed
    assert "CANARY" not in scored.printed


def test_scores_are_those_that_the_api_answers(scored: Scored, laptop: Laptop) -> None:
    size = 1000
    for start in range(0, len(scored.rows), size):
        given, rows = (part[start : start + size] for part in (scored.given, scored.rows))
        asked = [
            patient
            | {name: int(patient[name]) if patient[name] else None for name in WHOLE_NUMBERS}
            for patient in given
        ]

        answered = laptop.post("/predict/batch", {"patients": asked}).body["predictions"]

        for row, answer in zip(rows, answered, strict=True):
            if row["problem"]:
                assert answer["status"] == 422
                continue
            assert float(row["predicted_Improvement_Score"]) == answer["Improvement_Score"]
            assert float(row["predicted_low"]) == answer["interval"]["low"]
            assert float(row["predicted_high"]) == answer["interval"]["high"]
            assert int(row["support"]) == answer["support"]


@pytest.mark.usefixtures("scored")
def test_no_log_and_no_artefact_has_a_patient(laptop: Laptop) -> None:
    s3, outputs = laptop.stack.s3, laptop.stack.outputs
    execution = scoring.name_of(executions._executions(laptop.stack, SCORE)[0])
    keys = [
        entry["Key"]
        for prefix in (f"runs/{execution}/", f"captures/scored/{execution}")
        for page in s3.get_paginator("list_objects_v2").paginate(
            Bucket=outputs.artifacts_bucket, Prefix=prefix
        )
        for entry in page.get("Contents", [])
    ]

    assert laptop.logged_with("CANARY") == []
    assert f"captures/scored/{execution}.json" in keys
    assert f"captures/scored/{execution}/00000.npz" in keys
    for key in keys:
        body = s3.get_object(Bucket=outputs.artifacts_bucket, Key=key)["Body"].read()
        assert b"CANARY" not in body, key


def test_a_gzipped_file_gives_a_gzipped_result_where_somebody_wants_it(
    scored: Scored, laptop: Laptop, tmp_path: Path
) -> None:
    data = tmp_path / "patients.csv.gz"
    data.write_bytes(gzip.compress((scored.folder / "patients.CSV").read_bytes()))
    out = tmp_path / "mine.csv.gz"

    done = laptop.run("score", DATA=str(data), OUT=str(out))

    assert done.returncode == 0, done.stdout
    assert unnamed(gzip.decompress(out.read_bytes()).decode()) == (
        unnamed((scored.folder / "patients.scored.CSV").read_text())
    )


def unnamed(text: str) -> list[str]:
    """Give the lines of a result without the ids of its predictions, which are new each time."""
    return re.sub("[0-9a-f]{32}", "", text).splitlines()


def test_a_parquet_file_gives_a_parquet_result(
    scored: Scored, laptop: Laptop, tmp_path: Path
) -> None:
    data, out = tmp_path / "patients.parquet", tmp_path / "patients.scored.parquet"
    table = duckdb.read_csv(str(scored.folder / "patients.CSV"), all_varchar=True)
    table.write_parquet(str(data))

    done = laptop.run("score", DATA=str(data))

    assert done.returncode == 0, done.stdout
    answered = duckdb.read_parquet(str(out)).project(
        "CAST(Patient_ID AS VARCHAR), CAST(predicted_Improvement_Score AS DOUBLE)"
    )
    scores = [row["predicted_Improvement_Score"] for row in scored.rows]
    assert answered.fetchall() == [
        (row["Patient_ID"], float(score) if score else None)
        for row, score in zip(scored.rows, scores, strict=True)
    ]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"PK\x03\x04 this is a workbook", "DatasetUnreadable"),
        (b"Patient_ID,Weight\nP1,70\n", "DatasetRejected"),
    ],
)
def test_a_file_that_cannot_be_scored_ends_in_a_failure_with_a_name(
    laptop: Laptop, tmp_path: Path, body: bytes, error: str
) -> None:
    data = tmp_path / "bad.csv"
    data.write_bytes(body)

    done = laptop.run("score", DATA=str(data))

    assert done.returncode == 1
    assert f"{error}; nothing was scored" in done.stdout
    assert "Traceback" not in done.stdout
    assert list(tmp_path.iterdir()) == [data]


def test_what_is_asked_wrongly_is_told_before_anything_is_uploaded(
    laptop: Laptop, tmp_path: Path, sample: Path
) -> None:
    before = executions._executions(laptop.stack, SCORE)

    for environment, said in (
        ({}, "make score DATA="),
        ({"DATA": str(tmp_path / "gone.csv")}, "cannot be read"),
        ({"DATA": str(tmp_path)}, "cannot be read: Is a directory"),
        ({"DATA": str(sample), "OUT": str(tmp_path / "none" / "x.csv")}, "does not exist"),
        ({"DATA": str(sample), "OUT": str(sample)}, "is the input file"),
    ):
        done = laptop.run("score", **environment)
        assert done.returncode == 1
        assert said in done.stdout
        assert "Traceback" not in done.stdout

    assert executions._executions(laptop.stack, SCORE) == before


@contextmanager
def started(
    laptop: Laptop, data: Path, port: int | None = None
) -> Iterator[tuple[subprocess.Popen[bytes], Callable[[], str]]]:
    """Start the command on a terminal; gives it, and what tells what it has shown so far.

    port: where it finds the cloud, if something stands between.
    """
    command = (sys.executable, "-m", "local", "score", "--home", str(laptop.home))
    near, far = pty.openpty()
    with subprocess.Popen(
        [*command, "--port", str(port or laptop.port), "--data", str(data)],
        cwd=ROOT,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
        stdin=far,
        stdout=far,
        stderr=far,
    ) as process:
        os.close(far)
        read: list[bytes] = []
        reading = threading.Thread(target=_read, args=(near, read), daemon=True)
        reading.start()

        def shown() -> str:
            reading.join(PATIENCE_SECONDS)
            return b"".join(read).decode()

        yield process, shown
    os.close(near)


def _read(terminal: int, read: list[bytes]) -> None:
    """Read a terminal to its end, which is an error there."""
    with suppress(OSError):
        while piece := os.read(terminal, 65536):
            read.append(piece)


def test_an_upload_that_is_interrupted_leaves_nothing(laptop: Laptop, tmp_path: Path) -> None:
    data = tmp_path / f"{uuid4()}.csv"
    data.write_bytes(b"x" * 96 * 1024 * 1024)
    stack = laptop.stack

    def uploads() -> list[Any]:
        found = stack.s3.list_multipart_uploads(Bucket=stack.outputs.raw_bucket)
        return list(found.get("Uploads", []))

    with (
        faulty_proxy(stack.cloud.endpoint_url) as proxy,
        started(laptop, data, proxy.server_port) as (process, shown),
    ):
        with proxy.failing(Fault.HANGING, only="partNumber="):  # so that it is not over too soon
            until(uploads, "an upload in parts")
            assert process.poll() is None
            process.send_signal(signal.SIGINT)
        code = process.wait(PATIENCE_SECONDS)

    assert code == 130
    assert f"{data.name} was not uploaded, not even in part" in shown()
    assert uploads() == []
    keys = stack.s3.list_objects_v2(Bucket=stack.outputs.raw_bucket, Prefix=SCORE.folder)
    assert not [one for one in keys.get("Contents", []) if one["Key"].endswith(data.name)]


def test_on_a_terminal_bars_are_drawn(scored: Scored, laptop: Laptop, tmp_path: Path) -> None:
    data = tmp_path / "patients.csv"
    data.write_bytes((scored.folder / "patients.CSV").read_bytes())

    with started(laptop, data) as (process, shown):
        assert process.wait(PATIENCE_SECONDS) == 0

    assert "Uploading patients.csv" in shown()
    assert re.search(r"Scored (\d+) of \1 part", shown())
