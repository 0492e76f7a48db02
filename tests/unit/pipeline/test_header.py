import pytest
from clinical.errors import DatasetUnreadable
from clinical.kinds import WholeNumber
from clinical.params import params
from header import find_header, header_of, told

NAMES = list(params().columns)
PATIENT = ["P0001", "56", "Male", "Infection", "Ciprofloxacin", "50", "9", "Nausea", "8.5"]


def text_of(*rows: list[str], separator: str = ",") -> str:
    return "".join(separator.join(row) + "\n" for row in rows)


def notes(text: str) -> list[str]:
    return list(told(find_header("raw/data.csv", text, params()), params()))


def refusal(text: str) -> str:
    with pytest.raises(DatasetUnreadable) as refused:
        find_header("raw/data.csv", text, params())
    assert "P0001" not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize(
    ("separator", "note"),
    [
        (",", []),
        (";", ["Read as semicolon-separated."]),
        ("\t", ["Read as tab-separated."]),
        ("|", ["Read as pipe-separated."]),
    ],
)
def test_the_separator_is_the_one_that_the_header_has(separator: str, note: list[str]) -> None:
    text = text_of(NAMES, PATIENT, separator=separator)

    assert find_header("raw/data.csv", text, params()).separator == separator
    assert notes(text) == note


def test_what_cells_hold_does_not_say_what_separates_them() -> None:
    text = text_of(NAMES, [*PATIENT[:-1], "8,5"], separator=";") + ",,,,,,,,,,,,,\n"

    assert find_header("raw/data.csv", text, params()).separator == ";"


@pytest.mark.parametrize("line", ["sep=;", "SEP=;", '"sep=;"', "sep=;;;;;;", "sep=; "])
def test_the_line_that_tells_excel_the_separator_is_row_1(line: str) -> None:
    header = find_header(
        "raw/data.csv", f"{line}\r\n" + text_of(NAMES, PATIENT, separator=";"), params()
    )

    assert (header.row, header.separator, header.declared) == (2, ";", True)


@pytest.mark.parametrize(
    ("line", "separator", "note"),
    [
        ("sep=;", ";", "Read as semicolon-separated, as declared in row 1 (sep=)."),
        ("sep=\t", "\t", "Read as tab-separated, as declared in row 1 (sep=)."),
        ("sep=\\t", "\t", "Read as tab-separated, as declared in row 1 (sep=)."),
        ("sep=,", ",", "Row 1 (sep=) ignored: it declares the default separator."),
    ],
)
def test_that_line_is_told(line: str, separator: str, note: str) -> None:
    assert notes(f"{line}\n" + text_of(NAMES, PATIENT, separator=separator)) == [note]


def test_that_line_must_not_contradict_the_header() -> None:
    assert (
        "row 1 (sep=) declares semicolon as the separator, but the header is separated by commas"
        in refusal("sep=;\n" + text_of(NAMES, PATIENT))
    )
    assert "a separator other than comma, semicolon, tab or pipe" in refusal(
        "sep=:\n" + text_of(NAMES, PATIENT, separator=":")
    )


@pytest.mark.parametrize(
    "named",
    [
        [name.lower() for name in NAMES],
        [name.upper() for name in NAMES],
        [name.replace("_", " ") for name in NAMES],
        [name.replace("_", "").lower() for name in NAMES],
        [name.replace("_", ".") for name in NAMES],
        [f" {name}\xa0" for name in NAMES],
        [f"'{name}'" for name in NAMES],
        [f"`{name}`" for name in NAMES],
        [name.replace("_mg", " (mg)").replace("_", "-") for name in NAMES],
        ["\N{FULLWIDTH LATIN CAPITAL LETTER P}" + NAMES[0][1:], *NAMES[1:]],
    ],
)
def test_names_match_by_what_they_amount_to(named: list[str]) -> None:
    text = text_of(named, PATIENT)
    changed = sum(one != name for one, name in zip(named, NAMES, strict=True))

    header = find_header("raw/data.csv", text, params())

    assert list(header.places) == NAMES
    names = "1 column name" if changed == 1 else f"{changed} column names"
    assert notes(text) == [f"{names} matched regardless of case, blanks and punctuation."]


def test_the_very_name_wins_over_what_amounts_to_it_and_two_of_a_kind_are_refused() -> None:
    exact = header_of(1, ["age", "Age", "AGE"], ",", params(), declared=False)
    alike = header_of(1, ["age", "AGE"], ",", params(), declared=False)
    twice = header_of(1, ["Age", "Age", "age"], ",", params(), declared=False)

    assert (exact.places, exact.repeated) == ({"Age": 1}, {})
    assert (alike.places, alike.repeated) == ({}, {"Age": [0, 1]})
    assert (twice.places, twice.repeated) == ({}, {"Age": [0, 1]})


def test_columns_that_differ_in_case_alone_are_told_apart_by_their_very_names() -> None:
    years = WholeNumber(kind="whole_number", min=0, max=9)
    both = params().model_copy(update={"columns": {**params().columns, "AGE": years}})

    assert header_of(1, ["AGE", "Age"], ",", both, declared=False).places == {"Age": 1, "AGE": 0}
    assert header_of(1, ["age"], ",", both, declared=False).places == {}


def test_ignored_columns_are_told_by_their_places_and_names() -> None:
    header = ["", *NAMES[:4], "Age Group", *NAMES[4:], "note", ""]

    assert notes(text_of(header, ["0", *PATIENT[:4], "Older", *PATIENT[4:], "", ""])) == [
        "4 columns ignored: the 1st, the 6th (`Age Group`), the 12th (`note`) and the 13th."
    ]


def test_where_a_header_may_be_none_no_name_is_told() -> None:
    turned_in_part = text_of(["Age", "P0001", "P0002"], ["Gender", "Male", "Female"])

    assert notes(turned_in_part) == ["2 columns ignored: the 2nd and the 3rd."]


def test_another_order_is_told() -> None:
    assert notes(text_of(NAMES[::-1], PATIENT[::-1])) == [
        "Columns read by name, because their order differs from the contract's."
    ]


@pytest.mark.parametrize(
    ("above", "told_of"),
    [
        (["Drug study 2024,,,,,,,,"], "the header is in row 2; row 1 looks like a title"),
        (["Drug study 2024"], "the header is in row 2; row 1 looks like a title"),
        (["Drug study 2024", "", "June"], "row 4; rows 1 to 3 look like titles"),
        (["# exported by R"], "the header is in row 2; row 1 looks like a comment"),
        (["", "# one", "# two"], "the header is in row 4; rows 2 to 3 look like comments"),
        ([",".join(PATIENT)], "the header is in row 2; row 1 looks like data"),
    ],
)
def test_what_is_above_the_header_is_told_by_its_looks(above: list[str], told_of: str) -> None:
    assert told_of in refusal("\n".join([*above, ""]) + text_of(NAMES, PATIENT))


def test_a_title_is_found_whatever_separates_the_cells_and_below_a_line_for_excel() -> None:
    table = text_of(NAMES, PATIENT, separator=";")

    assert "the header is in row 2; row 1 looks like a title" in refusal(f"A study\n{table}")
    assert "the header is in row 3; row 2 looks like a title" in refusal(f"sep=;\nStudy\n{table}")


def test_empty_rows_above_the_header_are_no_title() -> None:
    assert find_header("raw/data.csv", "\n,,,\n" + text_of(NAMES, PATIENT), params()).row == 3


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (
            text_of(PATIENT, PATIENT),
            "has no header: row 1 must contain the column names `Patient_ID`, `Age`",
        ),
        (text_of(PATIENT, PATIENT, separator=";"), "has no header"),
        ("1,2\n3,4\n", "has no header"),
        ("city,country\nParis,France\n", "has a different header: row 1 has none of `Patient_ID`"),
        ("a\nb\n", "has a different header"),
        (text_of(NAMES, PATIENT, separator=" "), "row 1 has all column names in one cell"),
        (text_of(NAMES, PATIENT, separator=":"), "row 1 has all column names in one cell"),
        ('"' + '"\n"'.join([",".join(NAMES), ",".join(PATIENT)]) + '"\n', "in one cell"),
        ("".join(f"{name},P0001,P0002\n" for name in NAMES), "is transposed"),
        ("".join(f"{name};1\n" for name in NAMES), "is transposed"),
        ('"Patient_ID,Age\nP0001,56\n', "in row 1, a quote is opened and never closed"),
    ],
)
def test_why_there_is_no_header_is_told(text: str, cause: str) -> None:
    assert cause in refusal(text)


def test_a_header_that_lacks_a_column_is_one_for_the_report_to_name_what_is_missing() -> None:
    header = find_header("raw/data.csv", "Patient_ID,Age\nP0001,56\n", params())

    assert header.places == {"Patient_ID": 0, "Age": 1}
