import pytest
from clinical.recorded import Choice, Combination, Recorded

RECORDED = Recorded(
    [
        Combination(values={"drug": drug, "effect": effect}, training_rows=rows)
        for drug, effect, rows in (
            ("A", "rash", 3),
            ("A", "none", 1),
            ("A", None, 0),
            ("B", "rash", 0),
            ("B", "none", 0),
        )
    ]
)


def test_what_is_unknown_weighs_as_its_training_rows() -> None:
    assert RECORDED.choices({"drug": "A"}, ("effect",)) == (
        Choice(("rash",), 0.75),
        Choice(("none",), 0.25),
    )


def test_what_no_training_row_has_weighs_the_same() -> None:
    assert RECORDED.choices({"drug": "B"}, ("effect",)) == (
        Choice(("rash",), 0.5),
        Choice(("none",), 0.5),
    )


def test_where_nothing_was_recorded_with_the_rest_all_that_was_counts() -> None:
    assert RECORDED.choices({"drug": "C"}, ("effect",)) == (
        Choice(("rash",), 0.75),
        Choice(("none",), 0.25),
    )


def test_several_columns_may_be_unknown() -> None:
    choices = RECORDED.choices({}, ("drug", "effect"))

    assert [choice.values for choice in choices] == [("A", "rash"), ("A", "none")]
    assert sum(choice.weight for choice in choices) == pytest.approx(1)


def test_training_rows_are_counted_by_what_some_columns_say() -> None:
    assert RECORDED.grouped(("drug",), ()) == {("A",): {(): 4}, ("B",): {(): 0}}
    assert RECORDED.grouped((), ("effect",)) == {(): {("rash",): 3, ("none",): 1, (None,): 0}}


def test_nothing_recorded_has_no_columns() -> None:
    assert Recorded([]).columns == ()
