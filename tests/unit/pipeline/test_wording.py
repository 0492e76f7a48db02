import pytest
from wording import counted, listed, ordinal, quoted


def test_one_is_no_plural() -> None:
    assert [counted(number, "empty row") for number in (0, 1, 1234)] == [
        "0 empty rows",
        "1 empty row",
        "1,234 empty rows",
    ]


def test_of_many_things_the_first_are_listed_and_the_others_counted() -> None:
    assert listed(["a"]) == "a"
    assert listed(["a", "b"]) == "a and b"
    assert listed("abc") == "a, b and c"
    assert listed(map(str, range(13))) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 3 more"


@pytest.mark.parametrize(
    ("number", "said"),
    [
        *((1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (12, "12th")),
        *((13, "13th"), (21, "21st"), (101, "101st"), (111, "111th"), (112, "112th")),
    ],
)
def test_places_are_counted_as_in_speech(number: int, said: str) -> None:
    assert ordinal(number) == said


def test_a_name_is_quoted_in_one_line_of_a_length_that_fits() -> None:
    assert quoted("Age Group") == "`Age Group`"
    assert quoted(" line one\nline\x1b[31mtwo`") == "`line one line [31mtwo`"
    assert quoted("x" * 100) == f"`{'x' * 40}…`"
