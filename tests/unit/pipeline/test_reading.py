import codecs
import csv
import io
from typing import Any

import pytest
from cells import canonical as in_one_form
from clinical.errors import DatasetUnreadable
from clinical.params import params
from columns import dumped
from hypothesis import given, settings
from hypothesis import strategies as st
from reading import check_readable
from retrain.stages.validate import judge
from tables import Table, read

from data.generate import as_csv, patients

NAMES = list(params().columns)
ROWS = 12
TEXT = as_csv(patients(ROWS, seed=3))
LINES = TEXT.splitlines()


def table(text: str) -> Table:
    return read("raw/data.csv", text.encode(), params())


def canonical(body: bytes) -> bytes:
    """Read an upload and write its rows as the stages after `validate` get them."""
    report, meant = judge(read("raw/data.csv", body, params()), params())
    assert {one.rule for one in report.violations} <= {"too_few_rows"}
    return dumped(in_one_form(meant, params()))


def test_a_plain_file_is_read_without_a_note() -> None:
    plain = table(TEXT)

    assert list(plain.columns) == NAMES
    assert plain.numbers.tolist() == list(range(2, ROWS + 2))
    assert plain.notes == ()


@pytest.mark.parametrize(
    ("text", "note"),
    [
        (f"{TEXT}\n\n", "2 empty rows ignored."),
        (TEXT.replace("\n", "\r\r\n"), f"{ROWS + 1} empty rows ignored."),
        ("\n".join([*LINES[:5], ",,,,,,,,", " ,\t,,,,,,,", *LINES[5:]]), "2 empty rows ignored."),
        ("\n\n" + TEXT, "2 empty rows ignored."),
        ("\n".join(f"{line}," for line in LINES), "1 column ignored: the 10th."),
        (
            "\n".join([LINES[0], *(f"{line},," for line in LINES[1:])]),
            f"Empty cells beyond the last column ignored in {ROWS} rows.",
        ),
        ("\n".join([f"{LINES[0]},,", *LINES[1:]]), "2 columns ignored: the 10th and the 11th."),
        (TEXT + TEXT.replace("S0", "T0"), f"1 repeated header ignored: row {ROWS + 2}."),
        (TEXT.replace("e,", "e ,"), "Blanks around cells ignored in"),
        (TEXT.replace(",Male,", ",\xa0Male,"), "Blanks around cells ignored in `Gender`."),
        (TEXT.replace(",Male,", ', "Male" ,'), "Blanks around quoted cells ignored."),
    ],
)
def test_what_says_nothing_is_ignored_and_told(text: str, note: str) -> None:
    plain = table(TEXT)

    found = table(text)

    assert any(told.startswith(note) for told in found.notes), found.notes
    assert found.ragged == []
    for name in NAMES[1:]:
        assert found.columns[name].rows[:ROWS] == plain.columns[name].rows


def test_rows_have_the_numbers_that_a_spreadsheet_shows() -> None:
    body = f"sep=;\n\n{TEXT}".replace(",", ";").splitlines()
    body[5:5] = ["", ";;;;;;;;"]

    found = table("\n".join(body))

    assert found.numbers.tolist() == [4, 5, *range(8, ROWS + 6)]
    assert found.notes == (
        "Read as semicolon-separated, as declared in row 1 (sep=).",
        "3 empty rows ignored.",
    )


def test_a_row_of_another_width_is_named_and_no_patient_of_it_read() -> None:
    lines = [*LINES]
    lines[3], lines[6] = f"{lines[3]},more", lines[6].rsplit(",", 1)[0]
    lines.append("Source: the registry")

    found = table("\n".join(lines))

    assert found.ragged == [4, 7, ROWS + 2]
    assert (found.rows, len(found.numbers)) == (ROWS + 1, ROWS - 2)


def test_a_row_without_its_last_ignored_cell_is_named_too() -> None:
    lines = [f"{LINES[0]},Note", *(f"{line},x" for line in LINES[1:])]
    lines[2] = LINES[2]

    assert table("\n".join(lines)).ragged == [3]


@pytest.mark.parametrize("body", [b"", codecs.BOM_UTF8, b"\n\n", b" \r\n", LINES[0].encode()])
def test_an_upload_without_a_row_is_empty(body: bytes) -> None:
    with pytest.raises(DatasetUnreadable, match=r"raw/data\.csv is empty"):
        check_readable("raw/data.csv", body, params())


def test_a_stray_quote_does_not_swallow_rows_in_a_column_that_is_ignored() -> None:
    lines = [f"{LINES[0]},Note", *(f"{line},fine" for line in LINES[1:])]
    lines[3], lines[7] = lines[3].replace("fine", '"fine'), lines[7].replace("fine", 'fine"')

    with pytest.raises(DatasetUnreadable, match="in row 4, a quote is opened and closed only"):
        table("\n".join(lines))


def test_a_note_of_several_lines_is_read() -> None:
    lines = [f"{LINES[0]},Note", *(f'{line},"tired,\nbut fine"' for line in LINES[1:])]

    found = table("\n".join(lines))

    plain = table(TEXT).columns
    assert {name: column.rows for name, column in found.columns.items()} == {
        name: column.rows for name, column in plain.items()
    }
    assert found.numbers.tolist() == list(range(2, ROWS + 2))


def test_row_order_is_part_of_the_rows_and_the_patients_names_are_not() -> None:
    turned = "\n".join([LINES[0], *LINES[:0:-1]])

    assert canonical(turned.encode()) != canonical(TEXT.encode())
    assert canonical(TEXT.replace("S0", "someone-").encode()) == canonical(TEXT.encode())


EXTRA = st.tuples(
    st.integers(0, len(NAMES)),
    st.sampled_from(["", "Age Group", "Unnamed: 0", "note; or so", 'said "so"', "hypertension"]),
    st.text("ab ,;|\t\"'é\N{GREEK SMALL LETTER MU}-.0", max_size=8),
)
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32")
SPELLINGS = (
    str,
    str.lower,
    str.upper,
    lambda name: name.replace("_", " "),
    lambda name: f" {name}",
)


@st.composite
def written(draw: st.DrawFn) -> bytes:
    """The rows of `TEXT` as anybody might write them."""
    separator = draw(st.sampled_from(",;\t|"))
    spelling = draw(st.sampled_from(SPELLINGS))
    order = draw(st.permutations(range(len(NAMES))))
    comma = separator != "," and draw(st.booleans())
    whole = draw(st.sampled_from(["", ".0", ".00"]))
    pad = draw(st.sampled_from(["", " ", "\xa0", "  "]))
    extras = draw(st.lists(EXTRA, max_size=3))

    def cell(name: str, value: str) -> str:
        if params().columns[name].is_number and name != params().target.column:
            value += whole
        if name == params().target.column:
            value = draw(st.sampled_from([value, f"{value}0"])) if "." in value else value
        return f"{pad}{value.replace('.', ',') if comma else value}"

    header, *rows = csv.reader(LINES)
    cells: list[list[Any]] = [[spelling(header[place]) for place in order]]
    cells += [[cell(header[place], row[place]) for place in order] for row in rows]
    for place, name, content in extras:
        for line in cells:
            line.insert(place, name if line is cells[0] else content)
    width = len(cells[0])
    for place in draw(st.lists(st.integers(0, ROWS + 1), max_size=3)):
        cells.insert(place, draw(st.sampled_from([[], [""] * width, [" "] * width])))
    buffer = io.StringIO()
    csv.writer(
        buffer,
        delimiter=separator,
        quoting=draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])),
        lineterminator=draw(st.sampled_from(["\n", "\r\n", "\r"])),
    ).writerows(cells)
    text = buffer.getvalue()
    if draw(st.booleans()):
        text = f"sep={separator}\n{text}"
    encoding = draw(st.sampled_from(ENCODINGS))
    mark = codecs.BOM_UTF16_BE if encoding == "utf-16-be" else b""
    return mark + text.encode(encoding)


@pytest.fixture(scope="module")
def plainly_written() -> bytes:
    """What `TEXT` itself comes to, worked out once for all examples."""
    return canonical(TEXT.encode())


@settings(max_examples=200, deadline=None)
@given(body=written())
def test_the_same_rows_are_the_same_bytes_in_whatever_dialect_they_are_written(
    plainly_written: bytes, body: bytes
) -> None:
    assert canonical(body) == plainly_written


ODD_TEXT = st.text('",;|\t\n\r \x00\x1a\ufeff\N{NO-BREAK SPACE}#=.-0Aé', max_size=60)
CELL = "⟪"
BELOW_THE_HEADER = st.integers(len(LINES[0]) + 1, len(TEXT))


def told(body: bytes) -> str:
    """All that is said of an upload: the report, or why there is none."""
    try:
        table = read("raw/data.csv", body, params())
    except DatasetUnreadable as refused:
        return str(refused)
    return judge(table, params())[0].model_dump_json()


def inserted(place: int, text: str) -> bytes:
    return f"{TEXT[:place]}{CELL}{text}{CELL}{TEXT[place:]}".encode("utf-16")


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=120),
        ODD_TEXT.map(str.encode),
        ODD_TEXT.map(lambda text: f"{CELL}{text}\n{TEXT}".encode()),
        st.builds(inserted, BELOW_THE_HEADER, ODD_TEXT),
    )
)
def test_whatever_is_uploaded_is_read_or_refused_in_words_that_repeat_no_cell(body: bytes) -> None:
    assert CELL not in told(body)
