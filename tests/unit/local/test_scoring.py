import gzip
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import duckdb
import pytest
from rich.console import Console

from local import scoring
from local.cloud import CloudFailed
from local.scoring import Far, result_path, rows_in, score, split_of, told
from tests.unit.local import clouds
from tests.unit.local.clouds import PARTS

SUCCEEDED = {"status": "SUCCEEDED"}


@pytest.fixture
def patients(tmp_path: Path) -> Path:
    file = tmp_path / "patients.csv"
    file.write_bytes(b"id\na\nb\n")
    return file


def run(stack: Any, data: Path | None, out: Path | None = None) -> str:
    """Score a file, and return what that prints."""
    printed = io.StringIO()
    score(stack, data, out, Console(file=printed, soft_wrap=True, width=200))
    return printed.getvalue()


@pytest.mark.usefixtures("cloud")
def test_a_file_is_scored_into_one_beside_it(patients: Path) -> None:
    history = [clouds.split(2, 4, 6)]

    printed = run(clouds.stack(SUCCEEDED | {"output": clouds.scored()}, history), patients)

    assert (patients.parent / "patients.scored.csv").read_bytes() == b"".join(PARTS)
    assert list(clouds.left_in(patients.parent)) == ["patients.csv", "patients.scored.csv"]
    for said in (
        "Scored 3 of 3 parts",
        "1,005 rows: 1,000 scored, 5 refused.",
        "The scores have a mean of 5.50 and range from 1.25 to 9.00.",
        "Scored by v-0a1b2c3d: R² 0.743 on held-out rows; its prediction intervals should contain",
        "out_of_range",
        "3, 17",
        "• Read as semicolon-separated.",
        "has every row of patients.csv, with the columns predicted_Improvement_Score, problem.",
        "For research support only.",
    ):
        assert said in printed
    assert "beat" not in printed


@pytest.mark.usefixtures("cloud")
def test_a_model_that_does_not_beat_the_average_is_said_to(patients: Path) -> None:
    skill = {"r2": -0.02, "beats_average": False}
    output = clouds.scored(model_skill=skill, scores=None, problems=[], refused=0, averaged=12)

    printed = run(clouds.stack(SUCCEEDED | {"output": output}), patients)

    assert "does not beat a baseline that always predicts the average" in printed
    assert "none refused" in printed
    assert "12 scores are means over columns that their rows leave empty" in printed
    assert "The scores have" not in printed


@pytest.mark.usefixtures("cloud")
def test_gzipped_parts_are_one_gzipped_file(patients: Path, tmp_path: Path) -> None:
    zipped = tuple(map(gzip.compress, PARTS))
    data = tmp_path / "PATIENTS.CSV.gz"
    data.write_bytes(gzip.compress(patients.read_bytes()))

    run(clouds.stack(SUCCEEDED | {"output": clouds.scored(zipped, ".csv.gz")}), data)

    whole = gzip.decompress((tmp_path / "PATIENTS.scored.CSV.gz").read_bytes())
    assert whole == b"".join(PARTS)


@pytest.mark.usefixtures("cloud")
def test_a_part_of_other_bytes_leaves_what_was_there(patients: Path, tmp_path: Path) -> None:
    output = clouds.scored()
    stack = clouds.stack(SUCCEEDED | {"output": output})
    stack.s3.put_object(Bucket="raw", Key="score/out/one/part-00002.csv", Body=b"e,9\n")
    before = tmp_path / "mine.csv"
    before.write_text("what was there")

    with pytest.raises(
        CloudFailed, match=r"part-00002.csv does not match its digest in summary.json"
    ):
        run(stack, patients, before)

    assert before.read_text() == "what was there"
    assert list(clouds.left_in(tmp_path)) == ["mine.csv", "patients.csv"]


@pytest.mark.usefixtures("cloud")
def test_a_summary_of_other_bytes_is_not_believed(patients: Path) -> None:
    stack = clouds.stack(SUCCEEDED | {"output": clouds.scored()})
    stack.s3.put_object(Bucket="raw", Key="score/out/one/summary.json", Body=b"{}")

    with pytest.raises(CloudFailed, match=r"summary.json does not match its digest"):
        run(stack, patients)


@pytest.mark.usefixtures("cloud")
def test_several_parquet_parts_become_one_file_in_their_order(tmp_path: Path) -> None:
    bodies = []
    for start in (0, 5000):
        file = tmp_path / f"{start}.parquet"
        duckdb.table_function("range", [start, start + 5000]).write_parquet(str(file))
        bodies.append(file.read_bytes())
    output = clouds.scored(tuple(bodies), ".parquet")
    data = tmp_path / "patients.parquet"
    data.write_bytes(bodies[0])

    run(clouds.stack(SUCCEEDED | {"output": output}), data)

    whole = str(tmp_path / "patients.scored.parquet")
    assert [row[0] for row in duckdb.read_parquet(whole).fetchall()] == list(range(10_000))


@pytest.mark.usefixtures("cloud")
def test_several_parquet_parts_without_duckdb_are_said_where_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(scoring, "import_module", missing)
    data = tmp_path / "patients.PARQUET"
    data.write_bytes(b"PAR1")

    with pytest.raises(CloudFailed, match=r"requires duckdb.*s3://raw/score/out/one/"):
        run(clouds.stack(SUCCEEDED | {"output": clouds.scored(ending=".parquet")}), data)

    assert list(clouds.left_in(tmp_path)) == ["patients.PARQUET"]


@pytest.mark.usefixtures("cloud")
@pytest.mark.parametrize(
    "error", ["InputInvalid", "DatasetUnreadable", "DatasetRejected", "ModelUnavailable"]
)
def test_a_failure_is_told_with_its_cause_and_its_name(
    error: str, patients: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ends = {"status": "FAILED", "error": error, "cause": "Row 3 is [cut] short."}

    with pytest.raises(CloudFailed, match=f"{error}; nothing was scored"):
        score(clouds.stack(ends), patients, None, Console(soft_wrap=True))

    assert "Row 3 is [cut] short." in capsys.readouterr().out
    assert list(clouds.left_in(patients.parent)) == ["patients.csv"]


@pytest.mark.usefixtures("cloud")
def test_a_rejection_shows_which_rules_are_broken(
    patients: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = {"rule": "missing_column", "column": "Age", "count": 1, "first_rows": []}
    cause = json.dumps({"rows": 2, "violations": [broken], "notes": []})

    with pytest.raises(CloudFailed, match="DatasetRejected"):
        score(
            clouds.stack({"status": "FAILED", "error": "DatasetRejected", "cause": cause}),
            patients,
            None,
            Console(soft_wrap=True, width=120),
        )

    assert "missing_column" in capsys.readouterr().out


@pytest.mark.usefixtures("cloud")
def test_an_event_that_was_handled_already_scores_nothing(patients: Path) -> None:
    output = json.dumps({"decision": "already_handled", "reason": "The event came twice."})

    with pytest.raises(CloudFailed, match="nothing was scored: The event came twice"):
        run(clouds.stack(SUCCEEDED | {"output": output}), patients)


def test_without_a_file_its_use_is_told() -> None:
    with pytest.raises(CloudFailed, match="make score DATA="):
        run(None, None)


def test_what_cannot_be_scored_is_told_before_anything_is_uploaded(
    patients: Path, tmp_path: Path
) -> None:
    empty = tmp_path / "empty.csv"
    empty.write_bytes(b"")

    for data, out, said in (
        (tmp_path / "gone.csv", None, "gone.csv cannot be read: No such file"),
        (tmp_path, None, "cannot be read: Is a directory"),
        (empty, None, "empty.csv is empty"),
        (patients, tmp_path / "none" / "out.csv", r"the folder \S+ does not exist"),
        (patients, tmp_path, r"is a folder.*OUT=.*/patients.scored.csv"),
        (patients, patients, "is the input file; choose another name"),
        (patients, tmp_path / "x" / ".." / "patients.csv", r"the folder \S+ does not exist"),
        (patients, tmp_path / "out.csv.gz", "must end in .csv: the result has the same format"),
    ):
        with pytest.raises(CloudFailed, match=said):
            run(None, data, out)


def test_a_link_to_the_input_is_not_written_over(patients: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.csv"
    link.symlink_to(patients)

    with pytest.raises(CloudFailed, match="is the input file"):
        result_path(patients, link)


@pytest.mark.parametrize(
    ("name", "beginning", "result"),
    [
        ("patients.csv", b"id", "patients.scored.csv"),
        ("PATIENTS.CSV", b"id", "PATIENTS.scored.CSV"),
        ("a.b.csv.GZ", b"\x1f\x8b", "a.b.scored.csv.GZ"),
        ("trial.Parquet", b"PAR1", "trial.scored.Parquet"),
        ("trial.tsv", b"id", "trial.scored.tsv"),
        ("trial", b"id", "trial.scored"),
        ("trial.csv", b"\x1f\x8b", "trial.scored.csv.gz"),
        ("trial.csv.gz", b"id", "trial.scored.csv"),
        ("trial.gz", b"\x1f\x8b", "trial.scored.csv.gz"),
        ("trial.dat", b"PAR1", "trial.scored.parquet"),
    ],
)
def test_a_result_is_named_after_its_file_and_by_its_true_format(
    name: str, beginning: bytes, result: str, tmp_path: Path
) -> None:
    data = tmp_path / name
    data.write_bytes(beginning)

    assert result_path(data, None) == tmp_path / result
    assert result_path(data, tmp_path / "mine") == tmp_path / "mine"


def test_how_a_file_was_split_is_in_the_history_once_its_first_task_is_done() -> None:
    assert split_of([{"type": "TaskStateEntered"}]) is None

    split = split_of([{"type": "TaskStateEntered"}, clouds.split(2, 1002, 2002)])

    assert split is not None
    assert split.first_rows == (2, 1002, 2002)
    assert split.ended == clouds.BEGAN.timestamp()


def test_the_last_part_is_taken_to_have_as_many_rows_as_the_others() -> None:
    assert [rows_in((2, 1002, 2002), number) for number in range(3)] == [1000, 1000, 1000]
    assert rows_in((2,), 0) == 0


@pytest.mark.usefixtures("cloud")
def test_parts_are_done_when_they_are_there_and_so_are_their_rows() -> None:
    stack = clouds.stack(history=[clouds.split(2, 1002, 2002, 3002)])
    clouds.scored(PARTS[:2])

    far = scoring.Watch(stack, clouds.ARN).look(clouds.BEGAN.timestamp() + 4)

    assert far == Far(done=2, parts=4, rows=2000, seconds=4)
    assert told(far) == "2 of 4 parts, 500 rows per second"


@pytest.mark.usefixtures("cloud")
def test_nothing_is_told_of_parts_before_the_file_is_split() -> None:
    assert scoring.Watch(clouds.stack(), clouds.ARN).look(0) == Far()


def test_one_part_has_no_speed_to_tell() -> None:
    assert told(Far(done=1, parts=1, rows=0, seconds=2)) == "1 of 1 part"


@pytest.mark.usefixtures("cloud")
def test_a_result_comes_in_pieces_that_are_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "CHUNK_BYTES", 4)
    stack = clouds.stack()
    summary = scoring.summary_of(stack, json.loads(clouds.scored())["summary"])

    pieces = list(scoring.joined(stack, summary))

    assert max(map(len, pieces)) == 4
    assert hashlib.sha256(b"".join(pieces)).digest() == hashlib.sha256(b"".join(PARTS)).digest()


@pytest.mark.usefixtures("cloud")
def test_what_a_later_release_says_too_is_overlooked() -> None:
    written = json.loads(clouds.scored(speed="fast"))["summary"]

    assert scoring.summary_of(clouds.stack(), written).rows == 1005
