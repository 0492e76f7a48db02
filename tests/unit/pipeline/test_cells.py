from typing import Any

import pytest
from cells import as_meant, canonical, varies
from clinical.kinds import Category
from clinical.params import Params, params
from columns import Column, dumped
from tables import Table, read

from tests.pipeline import lines_of

NAMES = list(params().columns)
ROW = ["P0001", "56", "Male", "Infection", "Ciprofloxacin", "50", "9", "Nausea", "8.5"]


def table(column: str, *cells: str, separator: str = ";") -> Table:
    """Rows that differ in one column."""
    place = NAMES.index(column)
    rows = [[*ROW[:place], cell, *ROW[place + 1 :]] for cell in cells]
    text = "\n".join(separator.join(row) for row in [NAMES, *rows])
    return read("raw/data.csv", text.encode(), params())


def meant(column: str, *cells: str, separator: str = ";", decisions: Params | None = None) -> Any:
    frame, _ = as_meant(table(column, *cells, separator=separator), decisions or params())
    return frame[column].rows


def told(column: str, *cells: str, separator: str = ";") -> list[str]:
    _, notes = as_meant(table(column, *cells, separator=separator), params())
    return notes


def knowing(*values: str) -> Params:
    columns = {**params().columns, "Side_Effects": Category(kind="category", values=values)}
    return params().model_copy(update={"columns": columns})


@pytest.mark.parametrize("column", ["Age", "Side_Effects", "Improvement_Score", "Patient_ID"])
@pytest.mark.parametrize(
    "word",
    [
        *("NA", "na", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NAN", "null", "NULL", "None"),
        *("none", "-", "--", "\N{EM DASH}", ".", "?", "NaT", "(null)", r"\N"),
    ],
)
def test_what_is_missing_is_missing_in_whatever_word_it_is_said(column: str, word: str) -> None:
    assert meant(column, ROW[NAMES.index(column)], word)[1] == ""
    assert told(column, ROW[NAMES.index(column)], word) == [
        f"1 cell of `{column}` read as missing: NA, null, - or similar."
    ]


@pytest.mark.parametrize("word", ["0", "No", "unknown", "Nothing", "NAN1", "N", "--x", "missing"])
def test_other_words_say_what_they_say(word: str) -> None:
    assert meant("Side_Effects", "Nausea", word) == ["Nausea", word]
    assert told("Side_Effects", "Nausea", word) == []


def test_an_empty_cell_is_missing_and_nothing_to_tell() -> None:
    assert meant("Age", "56", "") == ["56", ""]
    assert told("Age", "56", "") == []


@pytest.mark.parametrize("word", ["None", "NA", "null", "-"])
def test_a_word_that_is_a_value_of_the_contract_says_that_value(word: str) -> None:
    cells = ("Nausea", word, "N/A")

    assert meant("Side_Effects", *cells, decisions=knowing("Nausea", word)) == ["Nausea", word, ""]


def test_another_spelling_of_such_a_value_is_not_taken_for_nothing() -> None:
    assert meant("Side_Effects", "none", decisions=knowing("Nausea", "None")) == ["none"]


def test_decimal_commas_are_points_where_a_comma_does_not_separate() -> None:
    assert meant("Improvement_Score", "8,5", "7", "6,25") == ["8.5", "7", "6.25"]
    assert told("Improvement_Score", "8,5", "7") == ["Decimal commas read as decimal points."]
    assert told("Improvement_Score", "8.5", "7", separator="\t") == []


def test_what_is_rounded_as_the_columns_decimals_say_is_told() -> None:
    assert told("Improvement_Score", "8.5", "8.123", "8.50", "8.123", "7.999") == [
        "3 cells of `Improvement_Score` rounded to the column's decimals."
    ]


@pytest.mark.parametrize(
    ("cells", "kept"),
    [
        (("1,234", "2,500"), ["1,234", "2,500"]),  # thousands as well as decimals
        (("1,234", "2,5"), ["1.234", "2.5"]),  # one of them cannot be thousands
        (("0,234", "1,500"), ["0.234", "1.500"]),
        ((",234", "1,500"), [".234", "1.500"]),
        (("12,345,678", "1,2,3"), ["12,345,678", "1,2,3"]),
        (("8.5", "7.5", "6,5"), ["8.5", "7.5", "6,5"]),  # the comma is the odd one
        (("8,5", "7,5", "6.5"), ["8.5", "7.5", "6,5"]),  # the point is, and breaks the rule
        (("8,5", "7.5", "-"), ["8,5", "7.5", ""]),
    ],
)
def test_a_comma_that_could_be_misread_stays_and_breaks_the_rule(
    cells: tuple[str, ...], kept: list[str]
) -> None:
    frame, _ = as_meant(table("Improvement_Score", *cells), params())
    others = [name for name in NAMES if name != "Improvement_Score"]

    assert frame["Improvement_Score"].rows == kept
    assert [frame[name].rows[0] for name in others] == ROW[:-1]


def test_a_comma_is_the_same_in_all_numbers_of_a_file() -> None:
    ages = ("56,0", "57", "1.000")
    rows = ["\t".join([ROW[0], age, *ROW[2:-1], "8,5"]) for age in ages]

    upload = read("raw/data.csv", "\n".join(["\t".join(NAMES), *rows]).encode(), params())

    assert as_meant(upload, params())[0]["Age"].rows == ["56.0", "57", "1,000"]


def test_a_comma_within_a_category_is_left_alone() -> None:
    cells = ("Nausea, mild", "Rash")
    place = NAMES.index("Side_Effects")
    text = "\n".join(
        ";".join(row) for row in [NAMES, *([*ROW[:place], cell, "8,5"] for cell in cells)]
    )

    frame, notes = as_meant(read("raw/data.csv", text.encode(), params()), params())

    assert frame["Side_Effects"].rows == list(cells)
    assert notes == ["Decimal commas read as decimal points."]


@pytest.mark.parametrize(
    ("column", "cells", "written"),
    [
        ("Age", ["56", "56.0", "56.000", ""], ["56", "56", "56", ""]),
        ("Age", ["-0.0", "0"], ["0", "0"]),
        ("Age", ["9007199254740993.0"], ["9007199254740993"]),
        ("Dosage_mg", ["50", "50.00"], ["50", "50"]),
        ("Improvement_Score", ["8.5", "8.50", "-0.0", "7"], ["8.5", "8.5", "0.0", "7.0"]),
        ("Improvement_Score", [".5", "0.5", "0.50"], ["0.5", "0.5", "0.5"]),
        ("Condition", ["Pain Relief"], ["Pain Relief"]),
    ],
)
def test_a_value_is_written_in_one_way(column: str, cells: list[str], written: list[Any]) -> None:
    kind = params().columns[column]

    assert [kind.canonical(cell) for cell in cells] == written


def test_rows_are_kept_in_the_contracts_order_without_who_they_are_of() -> None:
    turned = read(
        "raw/data.csv",
        "\n".join(",".join(line[::-1]) for line in [NAMES, ROW, ["P0002", *ROW[1:]]]).encode(),
        params(),
    )

    rows = dumped(canonical(as_meant(turned, params())[0], params()))

    assert lines_of(rows) == [
        ",".join(NAMES[1:]),
        ",".join(ROW[1:]),
        ",".join(ROW[1:]),
    ]


@pytest.mark.parametrize(
    ("scores", "differ"),
    [
        (["7", "7.0", "7.00"], False),
        (["7", "7.0", "7.1"], True),
        (["0", "-0.0"], False),
        (["7", "high"], True),  # too little to say
        (["7", "7.0", ""], False),
        ([], True),
    ],
)
def test_scores_vary_by_value_and_not_by_how_they_are_written(
    scores: list[str], differ: bool
) -> None:
    column = params().columns["Improvement_Score"]

    assert varies(Column.of(scores), column) is differ
