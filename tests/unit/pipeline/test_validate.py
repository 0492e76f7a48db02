import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest
from clinical.kinds import Category
from clinical.params import Params, params
from hypothesis import given, settings
from hypothesis import strategies as st
from retrain.stages.validate import ALLOWED_VALUES, judge
from tables import read
from violations import FIRST_ROWS, Report, Violation

HEADER = list(params().columns)
ROW = ["P0001", "56", "Male", "Infection", "Ciprofloxacin", "50", "9", "Nausea", "8.5"]
ROWS = 60


def text_of(header: list[str], rows: list[list[str]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerows([header, *rows])
    return buffer.getvalue()


def good_rows(count: int = ROWS) -> list[list[str]]:
    """Rows that keep the contract; the score varies, for there is nothing to learn otherwise."""
    return [[f"P{number:04}", *ROW[1:-1], f"{number % 10}.5"] for number in range(count)]


def judged(text: str, decisions: Params | None = None) -> Report:
    decisions = decisions or params()
    return judge(read("raw/data.csv", text.encode(), decisions), decisions)[0]


def found(change: Callable[[list[str], list[list[str]]], object]) -> set[tuple[str, str | None]]:
    """The rules and columns that are broken after a change to a good file."""
    header, rows = list(HEADER), good_rows()
    change(header, rows)
    report = judged(text_of(header, rows))
    return {(violation.rule, violation.column) for violation in report.violations}


def cell(column: str, value: str) -> set[tuple[str, str | None]]:
    """What is found wrong with one cell of an otherwise good file."""

    def change(header: list[str], rows: list[list[str]]) -> None:
        rows[7][header.index(column)] = value

    return found(change)


def test_the_real_data_keeps_the_contract(real_data: Path) -> None:
    report = judged(real_data.read_text(encoding="utf-8-sig"))

    assert report.rows == 1000
    assert report.violations == ()


def test_the_sample_keeps_the_contract(sample: Path) -> None:
    assert judged(sample.read_text()).violations == ()


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [
        ("Patient_ID", "", "missing"),
        ("Patient_ID", "P" * 65, "too_long"),
        ("Patient_ID", "P0001", "repeated"),
        ("Age", "17", "out_of_range"),
        ("Age", "80", "out_of_range"),
        ("Age", "", "missing"),
        ("Age", "NaN", "missing"),
        ("Age", "56.5", "whole_number"),
        ("Age", "5_6", "whole_number"),
        ("Age", "056", "whole_number"),
        ("Age", "+56", "whole_number"),
        ("Age", "5.6e1", "whole_number"),
        ("Age", "٥٦", "whole_number"),
        ("Age", "0x38", "whole_number"),
        ("Age", "9" * 5000, "out_of_range"),
        ("Age", "True", "whole_number"),
        ("Gender", "male", "unknown_value"),
        ("Gender", "", "missing"),
        ("Condition", "Flu", "unknown_value"),
        ("Drug_Name", "Aspirin", "unknown_value"),
        ("Dosage_mg", "60", "unknown_value"),
        ("Dosage_mg", "50mg", "whole_number"),
        ("Dosage_mg", "", "missing"),
        ("Treatment_Duration_days", "4", "out_of_range"),
        ("Side_Effects", "Hiccups", "unknown_value"),
        ("Side_Effects", "nan", "missing"),
        ("Side_Effects", "Nausea and Rash", "unknown_value"),
        ("Age", "56%", "whole_number"),
        ("Age", "5,600", "whole_number"),
        ("Dosage_mg", "1,000", "whole_number"),
        ("Improvement_Score", "85%", "decimal_number"),
        ("Improvement_Score", "1,234.5", "decimal_number"),
        ("Improvement_Score", "#DIV/0!", "decimal_number"),
        ("Improvement_Score", "NaN", "missing"),
        ("Improvement_Score", "inf", "decimal_number"),
        ("Improvement_Score", "-0.1", "out_of_range"),
        ("Improvement_Score", "10.1", "out_of_range"),
        ("Improvement_Score", "8,5", "decimal_number"),
        ("Improvement_Score", "1e1", "decimal_number"),
    ],
)
def test_a_cell_that_breaks_a_rule_is_found_and_breaks_that_rule_alone(
    column: str, value: str, rule: str
) -> None:
    assert cell(column, value) == {(rule, column)}


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("Age", "18"),
        ("Age", "79.0"),
        ("Dosage_mg", "850.0"),
        ("Improvement_Score", "10"),
        ("Improvement_Score", ".5"),
    ],
)
def test_a_cell_at_the_edge_of_a_rule_keeps_it(column: str, value: str) -> None:
    assert cell(column, value) == set()


def test_a_missing_cell_may_be_allowed() -> None:
    text = text_of(HEADER, [["P1", "", *ROW[2:]], *good_rows()])
    ages = params().columns["Age"].model_copy(update={"nullable": True})
    relaxed = params().model_copy(update={"columns": {**params().columns, "Age": ages}})

    assert judged(text, relaxed).violations == ()
    assert judged(text).violations != ()


def rename_a_column(header: list[str], _: list[list[str]]) -> None:
    header[1] = "Years"


def repeat_a_column(header: list[str], _: list[list[str]]) -> None:
    header[1] = "Gender"


def drop_a_column(header: list[str], rows: list[list[str]]) -> None:
    for line in (header, *rows):
        line.pop()


def name_a_column_in_two_ways(header: list[str], rows: list[list[str]]) -> None:
    header[1] = "AGE"
    for line in (header, *rows):
        line.append(line[1].lower())


def say_the_same_score_everywhere(_: list[str], rows: list[list[str]]) -> None:
    for number, row in enumerate(rows):
        row[-1] = "7" if number % 2 else "7.00"


def say_one_good_score_and_rubbish(_: list[str], rows: list[list[str]]) -> None:
    for row in rows[1:]:
        row[-1] = "high"


def lengthen_the_first_row(_: list[str], rows: list[list[str]]) -> None:
    rows[0].append("x")


def lengthen_every_row(_: list[str], rows: list[list[str]]) -> None:
    for row in rows:
        row.append("x")


def shorten_a_row(_: list[str], rows: list[list[str]]) -> None:
    rows[5].pop()


def keep_five_rows(_: list[str], rows: list[list[str]]) -> None:
    del rows[5:]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (rename_a_column, {("column_missing", "Age")}),
        (repeat_a_column, {("column_missing", "Age"), ("column_repeated", "Gender")}),
        (name_a_column_in_two_ways, {("column_repeated", "Age")}),
        (say_the_same_score_everywhere, {("no_variation", "Improvement_Score")}),
        (say_one_good_score_and_rubbish, {("decimal_number", "Improvement_Score")}),
        (drop_a_column, {("column_missing", "Improvement_Score")}),
        (lengthen_the_first_row, {("row_width", None)}),
        (lengthen_every_row, {("row_width", None)}),
        (shorten_a_row, {("row_width", None)}),
        (keep_five_rows, {("too_few_rows", None)}),
    ],
)
def test_a_table_of_another_shape_is_found(
    change: Callable[[list[str], list[list[str]]], object], expected: set[tuple[str, str | None]]
) -> None:
    assert found(change) == expected


def test_everything_wrong_is_in_one_report_with_its_rows() -> None:
    header, rows = list(HEADER), good_rows()
    rows[0][HEADER.index("Condition")] = "Flu"
    rows[1][HEADER.index("Age")] = "17"
    rows[2][HEADER.index("Improvement_Score")] = "NaN"
    rows[4][0] = rows[3][0]
    for line in (header, *rows):
        line.pop(HEADER.index("Gender"))

    report = judged(text_of(header, rows))

    assert set(report.violations) == {
        Violation(rule="column_missing", column="Gender", count=1),
        Violation(
            rule="unknown_value",
            column="Condition",
            count=1,
            first_rows=(2,),
            allowed=params().columns["Condition"].categories,
        ),
        Violation(rule="out_of_range", column="Age", count=1, first_rows=(3,)),
        Violation(rule="missing", column="Improvement_Score", count=1, first_rows=(4,)),
        Violation(rule="repeated", column="Patient_ID", count=2, first_rows=(5, 6)),
    }


def test_many_violations_are_counted_and_only_the_first_rows_named() -> None:
    rows = [[row[0], "17", *row[2:]] for row in good_rows()]

    (violation,) = judged(text_of(HEADER, rows)).violations

    assert violation.count == ROWS
    assert violation.first_rows == tuple(range(2, 2 + FIRST_ROWS))


def test_the_values_of_a_level_are_listed_as_well() -> None:
    rows = good_rows()
    rows[3][HEADER.index("Dosage_mg")] = "60"

    (violation,) = judged(text_of(HEADER, rows)).violations

    assert violation.allowed == ("50", "100", "250", "500", "850")


def test_of_very_many_values_the_first_are_listed_and_how_many_more_there_are() -> None:
    names = tuple(f"Effect {number}" for number in range(ALLOWED_VALUES + 20))
    columns = {**params().columns, "Side_Effects": Category(kind="category", values=names)}
    many = params().model_copy(update={"columns": columns})

    (violation,) = judged(text_of(HEADER, good_rows()), many).violations

    assert violation.allowed == (*names[:ALLOWED_VALUES], "and 20 more")


def test_a_rejection_tells_how_the_upload_was_read() -> None:
    text = "\n\n" + text_of(HEADER, good_rows(5)).replace(",", ";")

    report = judged(text)

    assert [one.rule for one in report.violations] == ["too_few_rows"]
    assert report.notes == ("Read as semicolon-separated.", "2 empty rows ignored.")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, ROWS - 1),
            st.sampled_from(HEADER),
            st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6),
        ),
        max_size=5,
    )
)
def test_no_cell_breaks_the_judge_and_no_report_repeats_one(
    changes: list[tuple[int, str, str]],
) -> None:
    rows = good_rows()
    for number, column, value in changes:
        rows[number][HEADER.index(column)] = f"⟪{number}|{value}"

    report = judged(text_of(HEADER, rows))

    assert bool(report.violations) == any(column != "Patient_ID" for _, column, _ in changes)
    assert "⟪" not in report.model_dump_json()
