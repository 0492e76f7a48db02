import traceback
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from clinical.errors import DatasetUnreadable
from score import formats, parquet
from score.parquet import as_cell, columns_of, identifier, literal, opened

from tests.unit.pipeline.score.conftest import ID, Answered, Desk, cells_of

ADDED = 7
ROWS = 12


@pytest.fixture(scope="module")
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(":memory:", config={"threads": 1}) as connection:
        yield connection


@pytest.fixture
def written(database: duckdb.DuckDBPyConnection, tmp_path: Path, text: str) -> "Written":
    return Written(database, tmp_path, text)


class Written:
    """Writes the dozen of patients to Parquet, and reads what came of them."""

    def __init__(self, database: duckdb.DuckDBPyConnection, folder: Path, text: str) -> None:
        self._database = database
        self._path = folder / "file.parquet"
        (folder / "file.csv").write_text(text, encoding="utf-8")
        self._rows = f"read_csv({literal(folder / 'file.csv')})"

    def __call__(self, select: str = "*", options: str = "", which: str = "") -> bytes:
        self._database.execute(
            f"COPY (SELECT {select} FROM {self._rows} {which}) "  # noqa: S608 - of these tests
            f"TO {literal(self._path)} (FORMAT parquet{options})"
        )
        return self._path.read_bytes()

    def asked(self, query: str, body: bytes) -> list[Any]:
        self._path.write_bytes(body)
        return self._database.execute(query.format(file=literal(self._path))).fetchall()

    def schema(self, body: bytes) -> list[tuple[str, str]]:
        return [tuple(one[:2]) for one in self.asked("DESCRIBE FROM {file}", body)]

    def rows(self, body: bytes) -> list[Any]:
        return self.asked("FROM {file}", body)


def answers_in(written: Written, answered: Answered) -> list[tuple[Any, ...]]:
    """What stands behind the cells that a file had, and behind the ids of its predictions."""
    rows = [row[-ADDED:] for part in answered.parts for row in written.rows(part)]
    ids = [name for name, score, *_ in rows if score is not None]
    assert all(ID.fullmatch(name.encode()) for name in ids)
    assert len(set(ids)) == len(ids) == sum(name is not None for name, *_ in rows)
    return [row[1:] for row in rows]


@pytest.fixture(scope="module")
def as_csv(desk: Desk, text: str) -> list[tuple[Any, ...]]:
    """What the same patients are answered from a CSV."""
    return [
        (*map(float, row[-6:-3]), int(row[-3]), row[-2] or None, row[-1] or None)
        for row in cells_of(desk.answered(text.encode()).body)[1:]
    ]


def test_columns_rows_and_types_come_back_with_answers_behind(
    desk: Desk, written: Written, as_csv: list[tuple[Any, ...]]
) -> None:
    body = written()

    answered = desk.answered(body, "patients.parquet")

    assert [row[:-ADDED] for row in written.rows(answered.body)] == written.rows(body)
    assert written.schema(answered.body) == [
        *written.schema(body),
        ("prediction_id", "VARCHAR"),
        ("predicted_Improvement_Score", "DOUBLE"),
        ("predicted_low", "DOUBLE"),
        ("predicted_high", "DOUBLE"),
        ("support", "BIGINT"),
        ("averaged_over", "VARCHAR"),
        ("problem", "VARCHAR"),
    ]
    assert answers_in(written, answered) == as_csv
    assert answered.found.notes == ()


@pytest.mark.parametrize(
    "select",
    [
        "* REPLACE (Age::TINYINT AS Age, Dosage_mg::UBIGINT AS Dosage_mg)",
        "* REPLACE (Age::FLOAT AS Age, Dosage_mg::DOUBLE AS Dosage_mg)",
        "* REPLACE (Age::DECIMAL(10, 3) AS Age, Dosage_mg::HUGEINT AS Dosage_mg)",
        "* REPLACE (Age::VARCHAR AS Age, (Gender || ' ') AS Gender)",
        "* REPLACE (Gender::BLOB AS Gender, Condition::BLOB AS Condition)",
        "* REPLACE (('\u200b' || Gender) AS Gender)",
        "Side_Effects, * EXCLUDE (Side_Effects)",
        '* RENAME (Age AS age, Gender AS "gender ", Drug_Name AS "Drug Name")',
        "[Age, 1] AS list, {'a': Age, 'b': {'c': 1}} AS struct, *, MAP {'k': Age} AS map",
        "*, NULL AS nothing, TIMESTAMPTZ '2026-01-01 12:00:00+02' AS instant",
        "*, 1 AS file_row_number",
        '*, 1 AS File_Row_Number, 2 AS "it\'s ""so"", ✓"',
    ],
)
def test_values_are_what_cells_of_a_csv_would_be(
    desk: Desk,
    written: Written,
    as_csv: list[tuple[Any, ...]],
    monkeypatch: pytest.MonkeyPatch,
    select: str,
) -> None:
    monkeypatch.setattr(parquet, "PART_ROWS", 5)
    body = written(select)

    answered = desk.answered(body)

    assert answers_in(written, answered) == as_csv
    own = [row[:-ADDED] for part in answered.parts for row in written.rows(part)]
    assert own == written.rows(body)
    assert all(written.schema(part)[:-ADDED] == written.schema(body) for part in answered.parts)


@pytest.mark.parametrize(
    ("select", "fault"),
    [
        ("NULL::INTEGER AS Age", "Age: Field required"),
        ("'NaN'::DOUBLE AS Age", "Age: Field required"),
        ("'inf'::DOUBLE AS Age", "Age: Input should be a valid integer"),
        ("1e300::DOUBLE AS Age", "Age: Input should be a valid integer"),
        ("56.5::FLOAT AS Age", "Age: Input should be a valid integer"),
        ("true AS Age", "Age: Input should be a valid integer"),
        ("DATE '2026-01-01' AS Age", "Age: Input should be a valid integer"),
        ("[Age] AS Age", "Age: Input should be a valid integer"),
        ("{'Age': Age} AS Age", "Age: Input should be a valid integer"),
        ("MAP {'Age': Age} AS Age", "Age: Input should be a valid integer"),
        ("'\\xFF\\xFE'::BLOB AS Gender", "Gender: Input should be 'Female' or 'Male'"),
        ("INTERVAL 1 DAY AS Gender", "Gender: Input should be 'Female' or 'Male'"),
        ("TIMESTAMPTZ '2026-01-01 12:00:00+02' AS Gender", "Gender: Input should be 'Female' or"),
    ],
)
def test_values_that_break_a_rule_are_refused_in_the_apis_words(
    desk: Desk, written: Written, select: str, fault: str
) -> None:
    answered = desk.answered(written(f"* REPLACE ({select})"))

    assert {row[:-1] for row in answers_in(written, answered)} == {(None,) * (ADDED - 2)}
    assert all(row[-1].startswith(fault) for row in answers_in(written, answered))
    assert answered.counts[0].refused == ROWS


def test_rows_keep_their_order_and_numbers_through_groups_and_parts(
    desk: Desk, written: Written, lines: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(parquet, "PART_ROWS", 70)
    monkeypatch.setattr(parquet, "ROWS_AT_ONCE", 32)
    many = [lines[0], *lines[1:401]]
    many[100] = many[100].replace("Male", "x").replace("Female", "x").replace("Fex", "x")
    (tmp_path / "file.csv").write_text("\n".join(many), encoding="utf-8")
    body = written(options=", ROW_GROUP_SIZE 64")

    answered = desk.answered(body)

    assert [(part.start, part.end, part.first_row) for part in answered.found.parts] == [
        (start, min(start + 70, 400), start + 1) for start in range(0, 400, 70)
    ]
    own = [row[:-ADDED] for part in answered.parts for row in written.rows(part)]
    assert own == written.rows(body)
    assert answered.problems == [("unknown_value", "Gender", (100,))]
    text_rows = cells_of(desk.answered("\n".join(many).encode()).body)[1:]
    assert [row[0] for row in answers_in(written, answered)] == [
        float(row[-6]) if row[-6] else None for row in text_rows
    ]


def test_a_file_of_refusals_alone_is_written(desk: Desk, written: Written) -> None:
    body = written("* REPLACE ('x;y|z' AS Gender, 900 AS Age)")

    answered = desk.answered(body)

    assert {row[-1] for row in answers_in(written, answered)} == {
        "Age: Input should be less than or equal to 79; Gender: Input should be 'Female' or 'Male'"
    }


def test_what_is_known_after_treatment_is_averaged_over(desk: Desk, written: Written) -> None:
    answered = desk.answered(written("* EXCLUDE (Side_Effects)"))

    assert {row[-2] for row in answers_in(written, answered)} == {"Side_Effects"}


def test_the_contracts_own_name_is_taken_where_names_differ_in_case_only(
    desk: Desk, written: Written, as_csv: list[tuple[Any, ...]]
) -> None:
    """DuckDB cannot write such a file; others can."""
    body = written("999 AS agx, *").replace(b"agx", b"age")

    answered = desk.answered(body)

    assert answers_in(written, answered) == as_csv
    assert "1 column renamed, because another name differs only by case." in answered.found.notes


def test_a_column_that_is_there_twice_is_told(desk: Desk, written: Written) -> None:
    body = written("999 AS Agx, *").replace(b"Agx", b"Age")
    source = desk.source(body)

    assert parquet.Parquet().found_out(source, desk.model.params).repeated == {"Age": 2}


def test_a_scored_file_can_be_scored_again(
    desk: Desk, written: Written, as_csv: list[tuple[Any, ...]]
) -> None:
    once = desk.answered(written()).body

    twice = desk.answered(once)

    assert twice.columns[:2] == ("prediction_id_2", "predicted_Improvement_Score_2")
    assert answers_in(written, twice) == as_csv
    assert [row[:-ADDED] for row in written.rows(twice.body)] == written.rows(once)


def test_the_same_rows_are_written_to_the_same_bytes(desk: Desk, written: Written) -> None:
    body = written()

    assert desk.answered(body).body == desk.answered(body).body


@pytest.mark.parametrize(
    "spoilt",
    [
        lambda body: body[:-9],
        lambda body: body[: len(body) // 2],
        lambda body: b"PAR1" + bytes(1000) + body[-4:],
        lambda body: b"PAR1",
        lambda body: b"PAR1" + bytes(range(256)) * 8,
        lambda body: body[:200] + bytes(len(body) - 800) + body[-600:],
    ],
)
def test_a_file_that_is_not_whole_is_named(desk: Desk, written: Written, spoilt: Any) -> None:
    with pytest.raises(
        DatasetUnreadable, match=r"^score/in/patients\.csv cannot be read as Parquet"
    ) as refused:
        desk.answered(spoilt(written()))

    assert "S000" not in str(refused.value)


def test_a_file_without_a_row_is_empty(desk: Desk, written: Written) -> None:
    with pytest.raises(DatasetUnreadable, match=r"patients\.csv is empty: it has no row"):
        desk.answered(written(which="WHERE false"))


def test_a_file_of_other_columns_is_named(desk: Desk, written: Written) -> None:
    with pytest.raises(DatasetUnreadable, match="has none of the contract's columns"):
        desk.answered(written("1 AS a, 2 AS b"))


def test_a_large_file_is_refused(
    desk: Desk, written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "MOST_PACKED", 100)

    with pytest.raises(DatasetUnreadable, match="is Parquet and has more than 100 bytes"):
        desk.answered(written())


def test_there_are_no_more_parts_than_may_be(
    desk: Desk, written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "PART_ROWS", 1)
    monkeypatch.setattr(parquet, "MOST_PARTS", 5)

    found = parquet.Parquet().found_out(desk.source(written()), desk.model.params)

    assert [(part.start, part.end) for part in found.parts] == [(0, 3), (3, 6), (6, 9), (9, 12)]
    assert formats.MOST_PARTS == 1000


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (None, ""),
        (float("nan"), ""),
        (float("inf"), "inf"),
        (True, "true"),
        (False, "false"),
        (56, "56"),
        (56.0, "56.0"),
        (1e-7, "0.0000001"),
        (1e22, "10000000000000000000000"),
        (-0.0, "-0.0"),
        (Decimal("1E+3"), "1000"),
        (Decimal("0.10"), "0.10"),
        (date(2026, 1, 2), "2026-01-02"),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02"),
        (datetime(2026, 1, 2, 3, tzinfo=timezone(timedelta())), "2026-01-02T03:00:00+00:00"),
        (b"Male", "Male"),
        ("M\N{ZERO WIDTH SPACE}ale", "Male"),
        (" Male ", " Male "),
    ],
)
def test_a_value_is_written_as_a_csv_has_it(value: object, cell: str) -> None:
    assert as_cell(value) == cell


def test_names_and_words_are_quoted_for_sql() -> None:
    assert identifier('a"b') == '"a""b"'
    assert literal("it's") == "'it''s'"


def test_what_is_added_may_have_any_name(tmp_path: Path) -> None:
    answers = tmp_path / "answers.csv"
    answers.write_text("id,1.5,1,2,3,,x\r\n", encoding="utf-8")
    names = ["id", 'Δ, "it\'s"', "low", "high", "support", "averaged", "a;b|c"]

    with opened("x") as connection:
        found = connection.execute(
            f"FROM read_csv({literal(answers)}, header = false, columns = {columns_of(names)})"
        )
        assert [one[0] for one in found.description or ()] == names


def test_a_database_fetches_nothing_and_lives_in_universal_time() -> None:
    with opened("x") as connection:
        asked = connection.execute(
            "SELECT current_setting('autoinstall_known_extensions'), current_setting('TimeZone')"
        )
        assert asked.fetchall() == [(False, "UTC")]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (duckdb.OutOfMemoryException("MARKED"), "x needs more memory than is available; write it"),
        (duckdb.InvalidInputException("MARKED"), "x cannot be read as Parquet (InvalidInputExcep"),
    ],
)
def test_what_duckdb_says_of_a_file_is_not_repeated(error: duckdb.Error, said: str) -> None:
    with pytest.raises(DatasetUnreadable) as refused, opened("x"):
        raise error

    assert str(refused.value).startswith(said)
    assert "MARKED" not in str(refused.value)


def test_a_cell_that_duckdb_cannot_read_is_in_no_traceback(desk: Desk, written: Written) -> None:
    body = written("*, 'MARKED\xe9' AS Note").replace("MARKED\xe9".encode(), b"MARKED\xff\xff")

    with pytest.raises(DatasetUnreadable, match="cannot be read as Parquet") as refused:
        desk.answered(body)

    assert "MARKED" not in "".join(traceback.format_exception(refused.value, chain=True))
