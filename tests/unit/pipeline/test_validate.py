import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest
from clinical.params import params
from hypothesis import given, settings
from hypothesis import strategies as st
from stages.validate import FIRST_ROWS, Violation, judge

HEADER = list(params().columns)
ROW = ["P0001", "56", "Male", "Infection", "Ciprofloxacin", "50", "9", "Nausea", "8.5"]
ROWS = 60


def text_of(header: list[str], rows: list[list[str]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerows([header, *rows])
    return buffer.getvalue()


def good_rows(count: int = ROWS) -> list[list[str]]:
    return [[f"P{number:04}", *ROW[1:]] for number in range(count)]


def found(change: Callable[[list[str], list[list[str]]], object]) -> set[tuple[str, str | None]]:
    """The rules and columns that are broken after a change to a good file."""
    header, rows = list(HEADER), good_rows()
    change(header, rows)
    report = judge(text_of(header, rows), params())
    return {(violation.rule, violation.column) for violation in report.violations}


def cell(column: str, value: str) -> set[tuple[str, str | None]]:
    """What is found wrong with one cell of an otherwise good file."""

    def change(header: list[str], rows: list[list[str]]) -> None:
        rows[7][header.index(column)] = value

    return found(change)


def test_the_real_data_keeps_the_contract(real_data: Path) -> None:
    report = judge(real_data.read_text(encoding="utf-8-sig"), params())

    assert report.rows == 1000
    assert report.violations == ()


def test_the_sample_keeps_the_contract(sample: Path) -> None:
    assert judge(sample.read_text(), params()).violations == ()


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
        ("Age", " 56", "whole_number"),
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
        ("Condition", "Infection ", "unknown_value"),
        ("Drug_Name", "Aspirin", "unknown_value"),
        ("Dosage_mg", "60", "unknown_value"),
        ("Dosage_mg", "50mg", "whole_number"),
        ("Dosage_mg", "", "missing"),
        ("Treatment_Duration_days", "4", "out_of_range"),
        ("Side_Effects", "Hiccups", "unknown_value"),
        ("Side_Effects", "nan", "unknown_value"),
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
    [("Age", "18"), ("Age", "79.0"), ("Dosage_mg", "850.0"), ("Improvement_Score", "10")],
)
def test_a_cell_at_the_edge_of_a_rule_keeps_it(column: str, value: str) -> None:
    assert cell(column, value) == set()


def test_a_missing_cell_may_be_allowed() -> None:
    text = text_of(HEADER, [["P1", "", *ROW[2:]], *good_rows()])
    ages = params().whole_number("Age").model_copy(update={"nullable": True})
    relaxed = params().model_copy(update={"columns": {**params().columns, "Age": ages}})

    assert judge(text, relaxed).violations == ()
    assert judge(text, params()).violations != ()


def rename_a_column(header: list[str], _: list[list[str]]) -> None:
    header[1] = "age"


def repeat_a_column(header: list[str], _: list[list[str]]) -> None:
    header[1] = "Gender"


def add_a_column(header: list[str], rows: list[list[str]]) -> None:
    for line in (header, *rows):
        line.append("Note")


def drop_a_column(header: list[str], rows: list[list[str]]) -> None:
    for line in (header, *rows):
        line.pop()


def reorder_columns(header: list[str], rows: list[list[str]]) -> None:
    for line in (header, *rows):
        line.insert(0, line.pop())


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
        (rename_a_column, {("column_missing", "Age"), ("column_unexpected", None)}),
        (repeat_a_column, {("column_missing", "Age"), ("column_repeated", "Gender")}),
        (add_a_column, {("column_unexpected", None)}),
        (drop_a_column, {("column_missing", "Improvement_Score")}),
        (reorder_columns, {("column_order", None)}),
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


def test_a_file_without_a_header_does_not_have_its_first_patient_reported() -> None:
    rows = good_rows()

    report = judge(text_of(rows[0], rows[1:]), params())

    assert "P0000" not in report.model_dump_json()
    assert {violation.rule for violation in report.violations} == {
        "column_missing",
        "column_unexpected",
    }


def test_everything_wrong_is_in_one_report_with_its_rows() -> None:
    header, rows = list(HEADER), good_rows()
    rows[0][HEADER.index("Condition")] = "Flu"
    rows[1][HEADER.index("Age")] = "17"
    rows[2][HEADER.index("Improvement_Score")] = "NaN"
    rows[4][0] = rows[3][0]
    for line in (header, *rows):
        line.pop(HEADER.index("Gender"))

    report = judge(text_of(header, rows), params())

    assert set(report.violations) == {
        Violation(rule="column_missing", column="Gender", count=1),
        Violation(rule="unknown_value", column="Condition", count=1, first_rows=(2,)),
        Violation(rule="out_of_range", column="Age", count=1, first_rows=(3,)),
        Violation(rule="missing", column="Improvement_Score", count=1, first_rows=(4,)),
        Violation(rule="repeated", column="Patient_ID", count=2, first_rows=(5, 6)),
    }


def test_many_violations_are_counted_and_only_the_first_rows_named() -> None:
    rows = [[row[0], "17", *row[2:]] for row in good_rows()]

    (violation,) = judge(text_of(HEADER, rows), params()).violations

    assert violation.count == ROWS
    assert violation.first_rows == tuple(range(2, 2 + FIRST_ROWS))


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

    report = judge(text_of(HEADER, rows), params())

    assert bool(report.violations) == any(column != "Patient_ID" for _, column, _ in changes)
    assert "⟪" not in report.model_dump_json()
