import codecs
import gzip
import io
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import numpy as np
import pandas as pd
import pytest
from clinical.artefacts import read_verified, sha256
from clinical.errors import ArtefactMissing, DatasetUnreadable
from clinical.params import params
from score import formats
from score.captured import captured_in
from score.marker import Marker, marker_in
from score.stages.summarise import added_up, described, summarise
from score.state import Counts, Scores
from violations import FIRST_ROWS, Violation

from tests.pipeline import ran
from tests.unit.conftest import fact_lines
from tests.unit.pipeline.score.conftest import NOWHERE, Desk

MARKED = "MARKED"


def as_parquet(text: str) -> bytes:
    with TemporaryDirectory() as folder, duckdb.connect(":memory:") as database:
        Path(folder, "file.csv").write_text(text, encoding="utf-8")
        database.execute(f"COPY (FROM '{folder}/file.csv') TO '{folder}/file.parquet'")
        return Path(folder, "file.parquet").read_bytes()


@pytest.fixture
def many_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "PIECE", 1000)


@pytest.mark.usefixtures("many_parts")
def test_a_summary_says_what_a_reader_finds_in_the_parts(desk: Desk, lines: list[str]) -> None:
    given_lines = [*lines[:50], "", lines[0], "", *lines[50:101]]
    given_lines[10] = given_lines[10].replace(",", ",1", 1)  # an age beyond the range
    body = "\n".join(given_lines).encode()

    scored = desk.scored(body, "summary.csv")

    summary, parts = scored.summary, scored.parts
    assert len(parts) > 5
    table = pd.read_csv(io.BytesIO(b"".join(parts)))
    table = table[table["Patient_ID"] != "Patient_ID"]
    scores = table["predicted_Improvement_Score"].dropna().astype(float)
    assert (summary["rows"], summary["scored"], summary["refused"]) == (100, 99, 1)
    assert len(table) == 100
    assert summary["scores"]["mean"] == pytest.approx(scores.mean(), abs=1e-4)
    assert summary["scores"]["std"] == pytest.approx(scores.std(), abs=1e-4)
    assert (summary["scores"]["min"], summary["scores"]["max"]) == (scores.min(), scores.max())
    counted, edges = np.histogram(scores, 20, (0, 10))
    assert summary["scores"]["counts"] == counted.tolist()
    assert summary["scores"]["edges"] == pytest.approx(edges.tolist())
    assert summary["problems"] == [
        {
            "rule": "out_of_range",
            "column": "Age",
            "count": 1,
            "first_rows": [11],
            "allowed": [],
        }
    ]
    assert summary["notes"] == [
        "2 empty rows left unchanged.",
        "1 repeated header left unchanged.",
    ]
    assert summary["columns"] == list(table.columns[-7:])


@pytest.mark.usefixtures("many_parts")
def test_a_summary_has_the_digests_of_the_input_and_of_every_part(
    desk: Desk, lines: list[str]
) -> None:
    body = "\n".join(lines[:101]).encode()

    scored = desk.scored(body, "digests.csv")

    summary = scored.summary
    assert summary["input"]["sha256"] == sha256(body)
    assert summary["input"]["bytes"] == len(body)
    assert [one["sha256"] for one in summary["parts"]] == list(map(sha256, scored.parts))
    assert [one["bytes"] for one in summary["parts"]] == list(map(len, scored.parts))
    assert sum(one["rows"] for one in summary["parts"]) == 100
    said = scored.came_to["summarised"]
    written = desk.raw.get(said["summary"]["key"]).body
    assert said["summary"]["sha256"] == sha256(written)
    assert (said["rows"], said["scored"], said["parts"]) == (100, 100, len(scored.parts))
    assert summary["model_version"] == desk.champion.version
    assert summary["disclaimer"] == params().study.disclaimer
    assert summary["coverage"] == 0.9


@pytest.mark.usefixtures("many_parts")
@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("a.csv", lambda text: text.encode()),
        ("b.csv", lambda text: b"\xef\xbb\xbfsep=;\r\n" + text.replace(",", ";").encode()),
        ("c.csv", lambda text: text.replace("\n", "\r").encode()),
        ("d.txt", lambda text: codecs.BOM_UTF16_LE + text.replace(",", "\t").encode("utf-16-le")),
        ("e.CSV.GZ", lambda text: gzip.compress(text.encode())),
        ("f.parquet", as_parquet),
    ],
)
def test_what_stages_hand_on_tells_parts_how_a_file_is_read(
    desk: Desk, lines: list[str], name: str, written: Callable[[str], bytes]
) -> None:
    body = written("\n".join(lines[:41]))

    scored = desk.scored(body, name)

    assert scored.parts == desk.answered(body, name, scored.seed).parts
    assert scored.summary["scored"] == 40
    assert scored.summary["input"]["key"] == f"score/in/{name}"


def marker_of(desk: Desk, execution: str) -> Marker:
    key = f"captures/scored/{execution}.json"
    return marker_in(key, desk.artefacts.get(key).body)


@pytest.mark.usefixtures("many_parts")
def test_a_file_that_was_scored_is_marked_for_capture(desk: Desk, lines: list[str]) -> None:
    began = datetime.now(UTC)
    given_lines = lines[:101]
    given_lines[10] = given_lines[10].replace(",", ",1", 1)  # an age beyond the range

    scored = desk.scored("\n".join(given_lines).encode(), "marked.csv")

    marker = marker_of(desk, scored.execution)
    assert marker.execution == scored.execution
    assert marker.model_version == desk.champion.version
    assert marker.coverage == desk.model.reference.interval.coverage
    assert timedelta() <= marker.scored_at - began < timedelta(minutes=5)
    assert marker.scored_at.microsecond % 1000 == 0
    assert [part.number for part in marker.parts] == list(range(len(scored.parts)))
    captured = [
        one
        for part in marker.parts
        for one in captured_in(read_verified(desk.artefacts, part), marker)
    ]
    assert sum(part.predictions for part in marker.parts) == len(captured) == 99
    table = pd.read_csv(io.BytesIO(b"".join(scored.parts)))
    table = table[table["prediction_id"].notna()]
    assert [one.prediction_id for one in captured] == table["prediction_id"].tolist()
    assert len({one.prediction_id for one in captured}) == 99
    assert [one.score for one in captured] == table["predicted_Improvement_Score"].tolist()


def test_a_summary_that_is_written_again_leaves_the_marker(desk: Desk, text: str) -> None:
    scored = desk.scored(text.encode(), "twice.csv")
    before = marker_of(desk, scored.execution)

    ran(summarise, scored.execution, {"plan": scored.came_to["plan"], "parts": 1})

    assert marker_of(desk, scored.execution) == before


def test_a_file_of_refusals_alone_is_not_marked(desk: Desk, text: str) -> None:
    wrong = text.replace("Male", "x").replace("Female", "x").replace("Fex", "x")

    scored = desk.scored(wrong.encode(), "refused.csv")

    assert desk.artefacts.keys(f"captures/scored/{scored.execution}", "") == []


def test_a_marker_is_there_before_the_summary(
    desk: Desk, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the two, the execution is tried again, and marks nothing twice."""

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    scored = desk.scored(text.encode(), "killed.csv")
    key = f"captures/scored/{scored.execution}.json"
    desk.artefacts.client.delete_object(Bucket="artifacts", Key=key)
    monkeypatch.setattr("score.stages.summarise.summary_key", killed)

    with pytest.raises(KeyboardInterrupt):
        ran(summarise, scored.execution, {"plan": scored.came_to["plan"], "parts": 1})

    assert marker_of(desk, scored.execution).parts


def test_where_nothing_is_scored_there_are_no_scores(desk: Desk, text: str) -> None:
    wrong = text.replace("Male", "x").replace("Female", "x").replace("Fex", "x")

    summary = desk.scored(wrong.encode(), "wrong.csv").summary

    assert (summary["rows"], summary["scored"], summary["refused"]) == (12, 0, 12)
    assert summary["scores"] is None


def test_a_single_row_has_a_summary(desk: Desk, lines: list[str]) -> None:
    summary = desk.scored("\n".join(lines[:2]).encode(), "single.csv").summary

    assert (summary["rows"], summary["scored"]) == (1, 1)
    assert summary["scores"]["std"] == 0.0
    assert summary["scores"]["mean"] == summary["scores"]["min"] == summary["scores"]["max"]


def test_a_summary_is_written_once_all_parts_are_there(desk: Desk, text: str) -> None:
    came_to = desk.scored(text.encode(), "incomplete.csv").came_to

    with pytest.raises(ArtefactMissing):
        ran(summarise, "incomplete", {"plan": came_to["plan"], "parts": 1})

    assert desk.raw.keys("score/out/incomplete/", "") == []


def test_what_was_not_planned_is_not_summed_up(desk: Desk, text: str) -> None:
    plan = desk.scored(text.encode(), "unplanned.csv").came_to["plan"] | {"details": None}

    with pytest.raises(DatasetUnreadable, match="there is no file to score"):
        ran(summarise, "unplanned", {"plan": plan, "parts": 1})


@pytest.mark.parametrize("packed", [False, True])
def test_no_patient_is_in_what_is_printed_handed_on_or_kept_as_an_artefact(
    desk: Desk, lines: list[str], capsys: pytest.CaptureFixture[str], *, packed: bool
) -> None:
    given_lines = [f"{line},{MARKED} note" for line in lines[:13]]
    given_lines[0] = f"{lines[0]},Note"
    given_lines[2] = given_lines[2].replace("S0002", f"{MARKED}-2")
    given_lines[3] = given_lines[3].replace("Male", MARKED).replace("Female", MARKED)
    given_lines[4] = given_lines[4].replace(",", f",{MARKED}", 1)
    given_lines[5] += f",{MARKED},{MARKED}"
    given_lines[6] = f"{MARKED * 20}{given_lines[6]}"
    given_lines[7] = given_lines[7].replace("Diabetes", MARKED)
    body = "\n".join(given_lines).encode()

    scored = desk.scored(gzip.compress(body) if packed else body, f"canary-{packed}.csv")

    printed = capsys.readouterr()
    read = gzip.decompress if packed else bytes
    assert MARKED in read(scored.parts[0]).decode()
    assert MARKED not in printed.out + printed.err
    assert MARKED not in str(scored.came_to)
    assert MARKED not in str(scored.summary)
    for key in desk.artefacts.keys("", ""):
        assert MARKED.encode() not in desk.artefacts.get(key).body
    (told,) = [line for line in fact_lines(printed.out) if "scored_rows" in line]
    assert (told["scored_rows"], told["refused_rows"]) == (
        scored.summary["scored"],
        scored.summary["refused"],
    )


@pytest.mark.parametrize("spoilt", ['"MARKED', '"MARKED"x', "MARKED\x00"])
def test_no_patient_is_in_what_is_said_of_a_file_that_cannot_be_read(
    desk: Desk, lines: list[str], capsys: pytest.CaptureFixture[str], spoilt: str
) -> None:
    with pytest.raises(DatasetUnreadable) as refused:
        desk.scored("\n".join([*lines[:5], f"{MARKED},{spoilt}"]).encode(), "spoilt.csv")

    printed = capsys.readouterr()
    assert MARKED not in printed.out + printed.err + str(refused.value)
    for key in desk.artefacts.keys("", ""):
        assert MARKED.encode() not in desk.artefacts.get(key).body


# ---- Sums ----


def counts_with(*problems: Violation) -> Counts:
    return Counts(
        written=NOWHERE,
        rows=0,
        scored=0,
        refused=0,
        averaged=0,
        problems=problems,
        scores=Scores(),
    )


def test_problems_of_parts_are_added_up_and_name_the_first_rows() -> None:
    def age(count: int, *rows: int) -> Violation:
        return Violation(rule="missing", column="Age", count=count, first_rows=rows)

    width = Violation(rule="row_width", column=None, count=1, first_rows=(50,))
    gender = Violation(rule="missing", column="Gender", count=2, first_rows=(1, 2))

    found = list(
        added_up(
            [
                counts_with(gender, age(8, *range(2, 10))),
                counts_with(),
                counts_with(width, age(20, *range(100, 110))),
            ],
            params(),
        )
    )

    assert found == [width, age(28, *range(2, 10), 100, 101), gender]
    assert len(found[1].first_rows) == FIRST_ROWS


def test_scores_of_parts_are_described_as_those_of_the_whole() -> None:
    scores = [np.array([1.0, 2.0, 4.5]), np.array([9.99]), np.array([10.0, 0.0])]
    parts = [
        Scores(
            sum=math.fsum(one),
            sum_of_squares=math.fsum(one**2),
            min=one.min(),
            max=one.max(),
            counts=tuple(np.histogram(one, 20, (0, 10))[0].tolist()),
        )
        for one in scores
    ]
    together = np.concatenate(scores)

    found = described(parts, params())

    assert found is not None
    assert found.mean == pytest.approx(together.mean(), abs=1e-4)
    assert found.std == pytest.approx(together.std(ddof=1), abs=1e-4)
    assert (found.min, found.max) == (0.0, 10.0)
    assert sum(found.counts) == 6
    assert len(found.edges) == 21
    assert described([], params()) is None
