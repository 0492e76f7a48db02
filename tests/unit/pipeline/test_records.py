import pytest
from clinical.errors import DatasetUnreadable
from records import first_records, is_empty, records, unpadded


def rows(text: str, separator: str = ",", width: int = 3) -> list[tuple[int, list[str]]]:
    return list(records("raw/data.csv", text, separator, width))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_rows_are_counted_from_1_with_the_empty_ones(end: str) -> None:
    text = end.join(["a,b,c", "", "1,2,3", "4,5,6"])

    assert rows(text) == [
        (1, ["a", "b", "c"]),
        (2, []),
        (3, ["1", "2", "3"]),
        (4, ["4", "5", "6"]),
    ]


def test_line_ends_may_be_mixed() -> None:
    assert [number for number, _ in rows("a,b,c\r\n1,2,3\n4,5,6\r7,8,9")] == [1, 2, 3, 4]


def test_a_cell_of_several_lines_is_in_one_row_as_a_spreadsheet_has_it() -> None:
    assert rows('a,b,c\n1,"two\nlines",3\n4,5,6\n')[1:] == [
        (2, ["1", "two\nlines", "3"]),
        (3, ["4", "5", "6"]),
    ]


def test_a_cell_may_be_very_long() -> None:
    assert rows(f"a,b,c\n1,2,{'x' * 1_000_000}\n")[1][1][2] == "x" * 1_000_000


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('a,b,c\n1,2,3\n4,"5,6\n7,8,9\n', "in row 3, a quote is opened and never closed"),
        ('a,b,c\n1,2,3\n4,5,"6\n', "in row 3, a quote is opened and never closed"),
        ('"a,b,c\n1,2,3\n', "in row 1, a quote is opened and never closed"),
        ('\n\na,b,c\n1,"two\nlines",3\n4,"5,6', "in row 5, a quote is opened and never closed"),
        ('a,b,c\n1,"2"x,3\n', "in row 2, text follows a closing quote"),
        ('a,b,c\n1,"two \\"lines\\"",3\n', "in row 2, text follows a closing quote"),
        ('a,b,c\n1,"2,3\n4,5,6\n7,"8,9\n', "in row 2, a quote is opened and closed only several"),
        ('a,b,c\n1,2,"3\n4,5,6\n7,8,9"\n', "in row 2, a quote is opened and closed only several"),
        (f'a,b,c\n1,"2,{"x" * 200_000}\n', "in row 2, a quote is opened and never closed"),
    ],
)
def test_a_quote_that_does_not_close_as_it_should_is_told_by_the_row_where_it_opens(
    text: str, fault: str
) -> None:
    with pytest.raises(DatasetUnreadable, match=f"raw/data.csv cannot be read: {fault}"):
        rows(text)


@pytest.mark.parametrize("blanks", [" ", "\t", "\xa0", "   "])
def test_blanks_around_quotes_are_taken_away_and_those_within_stay(blanks: str) -> None:
    text = f'"a",{blanks}"b, ""c"" ,"{blanks},d\n{blanks}"1"{blanks},2,"3"{blanks}\n'

    assert unpadded(text, ",") == '"a","b, ""c"" ,",d\n"1",2,"3"\n'


def test_a_tab_that_separates_is_no_blank() -> None:
    assert unpadded('"a"\t"b" \t"c"\t', "\t") == '"a"\t"b"\t"c"\t'


@pytest.mark.parametrize("row", [[], [""], ["", ""], [" ", "\t", "\xa0"]])
def test_blanks_say_nothing(row: list[str]) -> None:
    assert is_empty(row)
    assert not is_empty([*row, "0"])


def test_the_first_rows_are_there_though_a_later_one_is_spoilt() -> None:
    assert first_records('a,b\n1,2\n3,"4\n', ",") == [(1, ["a", "b"]), (2, ["1", "2"])]
