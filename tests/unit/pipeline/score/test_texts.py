import codecs
import csv
import gzip
import io
from itertools import chain
from pathlib import Path
from typing import Literal

import pandas as pd
import pytest
from clinical.errors import DatasetUnreadable
from clinical.params import params
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from score import formats, source, texts
from score.texts import cut
from tables import read

from tests.unit.pipeline.score.conftest import ID, SAMPLE, Desk, cells_of, unnamed

ADDED = [
    "prediction_id",
    "predicted_Improvement_Score",
    "predicted_low",
    "predicted_high",
    "support",
    "averaged_over",
    "problem",
]
WRITTEN = [*ADDED[:-1], f'"{ADDED[-1]}"']  # for readers that guess what quotes are
ROWS = 12
CONTRACT = 8  # columns, without the outcome


@pytest.fixture
def in_small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "PIECE", 100)


def rows_of(body: bytes, separator: str = ",", encoding: str = "utf-8-sig") -> list[list[str]]:
    """Take an answer apart, which must be as wide as its header throughout."""
    header, *rows = cells_of(body, separator, encoding)
    assert header[-len(ADDED) :] == ADDED
    assert {len(row) for row in rows if row} <= {len(header)}
    return rows


def answers_in(body: bytes, separator: str = ",", encoding: str = "utf-8-sig") -> list[list[str]]:
    """What stands behind the cells that a file had, and behind the ids of its predictions."""
    ids, answers = [], []
    for row in rows_of(body, separator, encoding):
        name, *answer = row[-len(ADDED) :]
        if answer != ADDED[1:]:
            assert bool(name) == bool(answer[0])
            ids += [name] if name else []
        answers.append(answer)
    assert len(set(ids)) == len(ids)
    assert all(ID.fullmatch(name.encode()) for name in ids)
    return answers


@pytest.fixture(scope="module")
def plain(desk: Desk, text: str) -> list[list[str]]:
    """What a dozen of patients is answered where nothing is special."""
    answers = answers_in(desk.answered(text.encode()).body)
    assert len(answers) == ROWS
    assert all(answer[0] and answer[-1] == "" for answer in answers)
    return answers


def test_what_is_added_stands_behind_lines_that_are_as_they_were(desk: Desk, text: str) -> None:
    answered = desk.answered(text.encode())

    lines, given_lines = answered.body.decode().split("\n"), text.split("\n")
    assert len(lines) == len(given_lines)
    assert all(line.startswith(of) for line, of in zip(lines, given_lines, strict=True))
    assert lines[0] == f"{given_lines[0]},{','.join(WRITTEN)}"
    assert answered.found.notes == ()


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_answers_have_the_files_own_separator(
    desk: Desk, text: str, plain: list[list[str]], separator: str
) -> None:
    body = text.replace(",", separator).encode()

    answered = desk.answered(body)

    assert answers_in(answered.body, separator) == plain
    assert answered.found.notes[0].startswith("Read as ")


def test_decimal_commas_are_read_and_written(desk: Desk, text: str, plain: list[list[str]]) -> None:
    header, *rows = [line.split(",") for line in text.splitlines()]
    place = header.index("Age")
    for row in rows:
        row[place] += ",0"
    body = "\n".join(";".join(row) for row in [header, *rows]).encode()

    answered = desk.answered(body)

    expected = [[*(cell.replace(".", ",") for cell in row[:3]), *row[3:]] for row in plain]
    assert answers_in(answered.body, ";") == expected
    assert (
        "Decimal commas read as decimal points; the answers have them too." in answered.found.notes
    )


def test_a_line_that_says_what_separates_stays_above_the_header(
    desk: Desk, text: str, plain: list[list[str]]
) -> None:
    body = ("sep=;\n" + text.replace(",", ";")).encode()

    answered = desk.answered(body)

    first, rest = answered.body.split(b"\n", 1)
    assert first == b"sep=;"
    assert answers_in(rest, ";") == plain
    assert answered.found.notes == ("Read as semicolon-separated, as declared in row 1 (sep=).",)


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_answers_have_the_files_own_encoding_and_mark(
    desk: Desk, text: str, plain: list[list[str]], mark: bytes, encoding: str, end: str
) -> None:
    body = mark + text.replace(",", "\t").replace("\n", end).encode(encoding)

    answered = desk.answered(body)

    assert answered.body.startswith(mark)
    assert not answered.body[len(mark) :].startswith(mark)
    assert answers_in(answered.body[len(mark) :], "\t", encoding) == plain


@pytest.mark.usefixtures("in_small_pieces")
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\r\r\n"])
@pytest.mark.parametrize("is_open", [False, True])
def test_lines_end_as_they_did(
    desk: Desk, text: str, plain: list[list[str]], end: str, *, is_open: bool
) -> None:
    given_text = text.removesuffix("\n") if is_open else text

    answered = desk.answered(given_text.replace("\n", end).encode())

    assert len(answered.parts) > 5
    found = answered.body.decode().split(end)
    assert "".join(found).count("\r") == "".join(found).count("\n") == 0
    assert (found[-1] != "") == is_open
    assert [line.split(",")[1 - len(ADDED) :] for line in found[1 : ROWS + 1]] == plain


def test_empty_lines_and_rows_are_left_and_keep_the_table_rectangular(
    desk: Desk, lines: list[str], plain: list[list[str]]
) -> None:
    given_lines = ["", ",,,,,,,", *lines[:4], "", ",,,,,,,", " ,\t,,", ",,,,,,,,,,,", *lines[4:13]]

    answered = desk.answered("\n".join(given_lines).encode())

    found = cells_of(answered.body)
    assert len(found) == len(given_lines)
    assert {len(row) for row in found} == {0, CONTRACT + len(ADDED)}
    said = [row[1 - len(ADDED) :] for row in found[3:] if any(cell.strip() for cell in row)]
    assert said == plain
    assert answered.counts[0].empty == 6
    assert answered.counts[0].rows == ROWS


def test_rows_of_empty_cells_between_tabs_are_as_wide_as_others(
    desk: Desk, lines: list[str]
) -> None:
    given_lines = [lines[0], lines[1], "," * (CONTRACT - 1), lines[2]]

    answered = desk.answered("\n".join(given_lines).replace(",", "\t").encode())

    assert {len(row) for row in cells_of(answered.body, "\t")} == {CONTRACT + len(ADDED)}


@pytest.mark.usefixtures("in_small_pieces")
def test_a_header_that_comes_again_is_given_the_new_columns_again(
    desk: Desk, lines: list[str], plain: list[list[str]]
) -> None:
    answered = desk.answered("\n".join([*lines[:5], lines[0], *lines[5:13]]).encode())

    rows = answers_in(answered.body)
    assert rows.pop(4) == ADDED[1:]
    assert rows == plain
    assert sum(one.headers for one in answered.counts) == 2
    assert sum(one.rows for one in answered.counts) == ROWS


def test_quoted_cells_with_separators_quotes_and_blanks_come_back_as_they_were(
    desk: Desk, lines: list[str], plain: list[list[str]]
) -> None:
    notes = [
        '"a, b"',
        '"said ""so"""',
        ' "padded" ',
        'half" inch',
        '"ü, \N{GREEK SMALL LETTER MU}"',
    ]
    given_lines = [f"Note,{lines[0]}"]
    given_lines += [f"{notes[row % len(notes)]},{lines[row + 1]}" for row in range(ROWS)]

    answered = desk.answered("\n".join(given_lines).encode())

    assert answers_in(answered.body) == plain
    found = answered.body.decode().split("\n")
    assert all(line.startswith(f"{of},") for line, of in zip(found, given_lines, strict=True))


def test_blanks_around_quoted_cells_of_the_contract_say_nothing(
    desk: Desk, lines: list[str], plain: list[list[str]]
) -> None:
    quoted = [", ".join(f'"{cell}" ' for cell in line.split(",")) for line in lines[:13]]

    answered = desk.answered("\n".join(quoted).encode())

    said = [line.rsplit(",", len(ADDED) - 1)[1:] for line in answered.body.decode().split("\n")]
    assert said == [WRITTEN[1:], *plain]


def test_invisible_characters_come_back_and_say_nothing(
    desk: Desk, text: str, plain: list[list[str]]
) -> None:
    body = text.replace("Male", "\N{ZERO WIDTH SPACE}Male").encode()

    answered = desk.answered(body)

    assert answers_in(answered.body) == plain
    assert answered.body.decode().count("\N{ZERO WIDTH SPACE}") == text.count(",Male")
    assert "Invisible characters were ignored." in answered.found.notes


def test_an_end_of_file_mark_is_no_row(desk: Desk, text: str, plain: list[list[str]]) -> None:
    assert answers_in(desk.answered(f"{text}\x1a".encode()).body) == plain


def test_rows_that_do_not_fit_are_refused_and_nothing_of_them_is_lost(
    desk: Desk, lines: list[str], plain: list[list[str]]
) -> None:
    given_lines = lines[:13]
    given_lines[3] = lines[3].rsplit(",", 1)[0]
    given_lines[5] = f'{lines[5]},more,"and, more"'
    given_lines[7] = f"{lines[7]},,"

    answered = desk.answered("\n".join(given_lines).encode())

    header, *rows = cells_of(answered.body)
    own, said = [row[:CONTRACT] for row in rows], [row[CONTRACT + 1 :] for row in rows]
    assert [bool(row[CONTRACT]) for row in rows] == [bool(row[0]) for row in said]
    assert own[2] == [*lines[3].split(",")[:-1], ""]
    assert own[4] == [*lines[5].split(",")[:-1], f"{lines[5].split(',')[-1]},more,and, more"]
    assert own[6] == lines[7].split(",")
    assert said[2] == ["", "", "", "", "", "The row has 7 cells, but the header has 8"]
    assert said[4][-1] == "The row has 10 cells, but the header has 8"
    fine = [row for row in range(ROWS) if row not in {2, 4}]
    assert [said[row] for row in fine] == [plain[row] for row in fine]
    assert answered.problems == [("row_width", None, (4, 6))]
    assert pd.read_csv(io.BytesIO(answered.body)).shape == (ROWS, len(header))


def test_rows_may_go_without_cells_of_columns_that_have_no_name(
    desk: Desk, lines: list[str], plain: list[list[str]]
) -> None:
    given_lines = [f"{lines[0]},,", *lines[1:7], *(f"{line},x" for line in lines[7:13])]

    answered = desk.answered("\n".join(given_lines).encode())

    assert answered.problems == []
    assert answers_in(answered.body) == plain
    assert [row[CONTRACT] for row in rows_of(answered.body)] == [""] * 6 + ["x"] * 6


@pytest.mark.parametrize("size", [60, 150, 10_000])
@pytest.mark.parametrize("row", [2, 7, 12])
def test_a_quoted_line_break_is_refused_by_the_row_it_is_in(
    desk: Desk, lines: list[str], monkeypatch: pytest.MonkeyPatch, size: int, row: int
) -> None:
    monkeypatch.setattr(formats, "PIECE", size)
    monkeypatch.setattr(source, "BEGINNING", 1000)
    given_lines = [f"{line},Note" for line in lines[:13]]
    given_lines[row - 1] = f'{lines[row - 1]},"MARKED\nMARKED"'

    with pytest.raises(DatasetUnreadable, match=rf"in row {row}, a quote is opened and") as refused:
        desk.answered("\n".join(given_lines).encode())

    assert "line break" in str(refused.value)
    assert "MARKED" not in str(refused.value)


@pytest.mark.usefixtures("in_small_pieces")
@pytest.mark.parametrize(
    ("spoilt", "said"),
    [
        (b'"MARKED"x', "in row 9, text follows a closing quote"),
        (b"MARKED\rMARKED", "in row 9, a carriage return is inside a row"),
        (b"MARKED\x00", "row 9 contains a NUL byte"),
        (b"MARKED\xff", "row 9 is not valid UTF-8"),
        ("MARKED Ä".encode("cp1252"), "row 9 is not valid UTF-8; save it as CSV UTF-8"),
    ],
)
def test_what_cannot_be_read_late_is_named_by_its_row(
    desk: Desk, lines: list[str], monkeypatch: pytest.MonkeyPatch, spoilt: bytes, said: str
) -> None:
    monkeypatch.setattr(source, "BEGINNING", 300)
    given_lines = [f"{line},fine".encode() for line in lines[:13]]
    given_lines[8] = lines[8].encode() + b"," + spoilt

    with pytest.raises(DatasetUnreadable, match=said) as refused:
        desk.answered(b"\n".join(given_lines))

    assert str(refused.value).startswith("score/in/patients.csv ")
    assert "MARKED" not in str(refused.value)


@pytest.mark.parametrize(("mark", "encoding"), [(codecs.BOM_UTF16_LE, "utf-16-le")])
def test_a_row_of_a_wide_text_is_counted_by_its_lines(
    desk: Desk, lines: list[str], mark: bytes, encoding: str
) -> None:
    given_lines = lines[:13]
    given_lines[5] += "\N{GURMUKHI LETTER UU}"  # U+0A0A: both of its bytes are line feeds
    given_lines[8] += '"x'
    given_lines[8] = given_lines[8].replace(",Male", ',"Male').replace(",Female", ',"Female')

    with pytest.raises(DatasetUnreadable, match="in row 9, "):
        desk.answered(mark + "\n".join(given_lines).encode(encoding))


def test_an_old_macs_rows_are_counted_by_its_own_line_ends(
    desk: Desk, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "BEGINNING", 300)
    given_lines = [line.encode() for line in lines[:13]]
    given_lines[8] += b"\xff"

    with pytest.raises(DatasetUnreadable, match="row 9 is not valid UTF-8"):
        desk.answered(b"\r".join(given_lines))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"\n\n", "is empty: it needs a header and at least one row"),
        (b"a title\n", "the header is in row 2; row 1 looks like a title"),
        (b"PK\x03\x04 xl/ ", "is an Excel workbook: save it as CSV UTF-8"),
        (b"PK\x03\x04 ", "is a ZIP archive: unpack it"),
        (b"\x89PNG\r\n\x1a\n", r"is an image \(PNG\)"),
        (b'{"patients": []}', "is JSON"),
    ],
)
def test_what_is_no_csv_is_named_as_for_a_data_set(
    desk: Desk, text: str, body: bytes, said: str
) -> None:
    with pytest.raises(DatasetUnreadable, match=said):
        desk.answered(body + (text.encode() if b"title" in body else b""))


@pytest.mark.parametrize("end", ["", "\n", "\n\n,,,\n", "\r\n"])
def test_a_header_alone_is_no_file_to_score(desk: Desk, lines: list[str], end: str) -> None:
    with pytest.raises(DatasetUnreadable, match="is empty: there are no rows below the header"):
        desk.answered(f"{lines[0]}{end}".encode())


def test_a_scored_file_can_be_scored_again(desk: Desk, text: str, plain: list[list[str]]) -> None:
    once = desk.answered(text.encode()).body

    twice = desk.answered(once)

    header, *rows = cells_of(twice.body)
    assert header[-len(ADDED) :] == [f"{name}_2" for name in ADDED]
    assert [row[1 - len(ADDED) :] for row in rows] == plain
    assert [row[: -len(ADDED)] for row in [header, *rows]] == cells_of(once)


@pytest.mark.parametrize("case", ["a01_bom_crlf", "a02_quote_all", "b03_reordered"])
def test_what_people_send_is_scored(desk: Desk, case: str) -> None:
    header, *rows = cells_of(SAMPLE.read_bytes())
    files = {
        "a01_bom_crlf": "\ufeff" + "\r\n".join(",".join(row) for row in [header, *rows[:5]]),
        "a02_quote_all": "\n".join(
            ",".join(f'"{cell}"' for cell in row) for row in [header, *rows[:5]]
        ),
        "b03_reordered": "\n".join(",".join(row[::-1]) for row in [header, *rows[:5]]),
    }

    answers = answers_in(desk.answered(files[case].encode()).body)

    expected = desk.answered("\n".join(",".join(row[:-1]) for row in [header, *rows[:5]]).encode())
    assert answers == answers_in(expected.body)


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ([b"a\nb", b"c\nd"], [b"a\n", b"bc\n", b"d"]),
        ([b"a\n", b"b\n"], [b"a\n", b"b\n"]),
        ([b"abc", b"def", b"g\n"], [b"abcdefg\n"]),
        ([], []),
    ],
)
def test_pieces_are_cut_where_lines_end(pieces: list[bytes], expected: list[bytes]) -> None:
    assert list(cut(iter(pieces), b"\n")) == expected


CELLS = st.text("ab ,;\"'é\N{ZERO WIDTH SPACE}\N{LINE SEPARATOR}\x0b\x85.-0", max_size=8)


@st.composite
def written(draw: st.DrawFn) -> tuple[str, str]:
    """Rows as anybody might write them, and how each of their lines ends."""
    with Path(SAMPLE).open(encoding="utf-8", newline="") as file:
        header, *patients = [row[:-1] for row in list(csv.reader(file))[:9]]
    separator, end = draw(st.sampled_from(",;\t|")), draw(st.sampled_from(["\n", "\r\n", "\r"]))
    quoting: Literal[0, 1] = csv.QUOTE_ALL if draw(st.booleans()) else csv.QUOTE_MINIMAL
    width = len(header) + 1
    rows = [[*row, draw(CELLS)] for row in patients]
    for place in draw(st.lists(st.integers(0, len(rows) - 1), max_size=3)):
        rows[place][draw(st.integers(0, width - 1))] = draw(CELLS)
    for place in draw(st.lists(st.integers(0, len(rows) - 1), max_size=2)):
        rows[place] = draw(st.sampled_from([rows[place][:4], [*rows[place], "x", "y,;"]]))
    for place in draw(st.lists(st.integers(0, len(rows)), max_size=3)):
        rows.insert(place, draw(st.sampled_from([[], [""] * width, [*header, "Note"], ["", ""]])))
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=separator, quoting=quoting, lineterminator=end).writerows(
        [[*header, "Note"], *rows]
    )
    text = buffer.getvalue()
    return (text.removesuffix(end) if draw(st.booleans()) else text), end


@pytest.mark.slow
@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    drawn=written(),
    mark=st.sampled_from([b"", codecs.BOM_UTF8]),
    size=st.integers(40, 400),
    at_once=st.integers(1, 10),
)
def test_parts_are_the_whole_however_a_file_is_written(
    desk: Desk, drawn: tuple[str, str], mark: bytes, size: int, at_once: int
) -> None:
    text, end = drawn
    body = mark + text.encode()
    whole = desk.answered(body)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(formats, "PIECE", size)
        patch.setattr(texts, "ROWS_AT_ONCE", at_once)
        divided = desk.answered(body)
        packed = desk.answered(gzip.compress(body))

    assert gzip.decompress(packed.body) == whole.body
    assert unnamed(divided.body) == unnamed(whole.body)
    widths = {len(row) for row in cells_of(whole.body, whole.found.reading.separator)}
    assert len(widths - {0, 1}) == 1
    assert whole.body.decode().count(end) == text.count(end)
    assert packed.problems == whole.problems
    as_data_set = read("score/in/patients.csv", body, params())
    assert sum(one.rows for one in whole.counts) == as_data_set.rows
    misfits = [rows for rule, _, rows in whole.problems if rule == "row_width"]
    assert [*chain(*misfits)] == as_data_set.ragged
    for *problem, rows in whole.problems:
        found = [numbers for *other, numbers in divided.problems if other == problem]
        assert tuple(chain(*found)) == rows


ODD_TEXT = st.text('",;|\t\n\r \x00\x1a\ufeff\N{NO-BREAK SPACE}#=.-0Aé', max_size=40)
MARK = "⟪"


@st.composite
def spoilt(draw: st.DrawFn) -> bytes:
    """A file with something odd in it, between marks."""
    with Path(SAMPLE).open(encoding="utf-8", newline="") as file:
        rows = [",".join([*row[:-1], "fine"]) for row in list(csv.reader(file))[:9]]
    text = "\n".join(rows)
    place = draw(st.integers(len(rows[0]) + 1, len(text)))
    odd = f"{MARK}{draw(ODD_TEXT)}{MARK}"
    return f"{text[:place]}{odd}{text[place:]}".encode(draw(st.sampled_from(["utf-8", "utf-16"])))


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(body=st.one_of(st.binary(min_size=1, max_size=80), spoilt()))
def test_whatever_is_handed_in_is_answered_or_refused_in_words_that_repeat_no_cell(
    desk: Desk, body: bytes
) -> None:
    try:
        answered = desk.answered(body)
    except DatasetUnreadable as error:
        refused = str(error)
    else:
        refused = str(answered.problems) + str(answered.found.notes)
        assert answered.body.decode(answered.found.reading.encoding).count(MARK) == 2

    assert MARK not in refused
