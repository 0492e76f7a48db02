import numpy as np
import pytest
from clinical.kinds import Category, Date, Level, Number, WholeNumber, YesNo
from hypothesis import given
from hypothesis import strategies as st
from levels import (
    BINS,
    edges_between,
    levels_of,
    levels_of_scores,
    named,
    places_of,
    places_of_numbers,
)

AGE = WholeNumber(kind="whole_number", min=18, max=79)


def test_listed_values_are_levels_in_the_order_of_the_contract() -> None:
    drug = Category(kind="category", values=("B", "A", "C"))

    found = levels_of("Drug", drug, [("A",), ("B",), ("A",)], np.array([3, 1, 2]))

    assert (found.names, found.counts, found.rows) == (("B", "A", "C"), (1, 5, 0), 6)


def test_what_may_be_missing_has_a_last_level_of_its_own() -> None:
    drug = Category(kind="category", values=("A", "missing"), nullable=True)
    weight = Number(kind="number", min=0, max=200, decimals=1, nullable=True)

    words = levels_of("Drug", drug, [(None,), ("missing",)], np.array([4, 1]))
    numbers = levels_of("Weight", weight, [(None,), (60.5,), (70.0,)], np.array([4, 5, 5]))

    assert (words.names, words.counts) == (("A", "missing", "missing"), (0, 1, 4))
    assert (numbers.names, numbers.counts) == (("under 70", "70 and over", "missing"), (5, 5, 4))


def test_a_column_of_nothing_but_missing_values_is_one_level() -> None:
    weight = Number(kind="number", min=0, max=200, decimals=1, nullable=True)

    found = levels_of("Weight", weight, [(None,)], np.array([9]))

    assert (found.names, found.edges, found.counts) == (("all", "missing"), (), (0, 9))


def test_numbers_are_in_ten_bins_of_about_as_many_rows() -> None:
    ages = list(range(18, 80))

    found = levels_of("Age", AGE, [(age,) for age in ages], np.full(62, 100))

    assert len(found.counts) == BINS
    assert max(found.counts) - min(found.counts) <= 100
    assert found.names[0] == "under 24"
    assert found.names[1] == "24-29"
    assert found.names[-1] == "74 and over"


def test_few_distinct_numbers_are_a_level_each() -> None:
    found = levels_of("Age", AGE, [(20,), (30,), (31,)], np.array([1, 50, 949]))

    assert (found.names, found.edges) == (("under 30", "30", "31 and over"), (30.0, 31.0))
    assert found.counts == (1, 50, 949)


def test_a_number_that_never_varied_is_told_from_others() -> None:
    found = levels_of("Age", AGE, [(50,)], np.array([10]))

    assert (found.names, found.counts) == (("under 50", "50", "51 and over"), (0, 10, 0))
    assert places_of(found, AGE, [(49,), (50,), (51,)]).tolist() == [0, 1, 2]


def test_a_level_of_numbers_is_found_however_json_writes_it() -> None:
    dosage = Level(kind="level", values=(50, 100))
    found = levels_of("Dosage", dosage, [(50,), (100,)], np.array([1, 2]))

    assert places_of(found, dosage, [(50.0,), (100,), (70,)]).tolist() == [0, 1, 2]


def test_yes_and_no_are_levels() -> None:
    found = levels_of("Smokes", YesNo(kind="yes_no"), [(True,), (False,)], np.array([3, 4]))

    assert (found.names, found.counts) == (("no", "yes"), (4, 3))


def test_days_are_binned_as_the_model_takes_them() -> None:
    day = Date(kind="date", since="Birth", min="2026-01-01", max="2026-12-31")
    said = [(f"2026-01-{number:02}", "2026-01-01") for number in range(1, 31)]

    found = levels_of("Visit", day, said, np.ones(30, np.int64))

    assert (found.names[0], found.names[-1], found.rows) == ("under 3", "27 and over", 30)


def test_a_value_that_the_data_have_no_level_for_is_none_of_them() -> None:
    drug = Category(kind="category", values=("A", "B"))
    found = levels_of("Drug", drug, [("A",)], np.array([1]))

    assert places_of(found, drug, [("C",), (None,)]).tolist() == [2, 2]


def test_scores_have_bins_of_their_own() -> None:
    found = levels_of_scores("Score", np.arange(1000) / 100, 2, ("Later",))

    assert (found.column, found.over, found.rows) == ("Score", ("Later",), 1000)
    assert found.edges == tuple(float(one) for one in range(1, 10))


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=200))
def test_every_number_is_in_the_bin_that_its_edges_say(numbers: list[int]) -> None:
    found = levels_of_scores("Score", np.array(numbers, float), 0)

    places = places_of_numbers(found, np.array(numbers, float))

    bounds = [-np.inf, *found.edges, np.inf]
    assert all(bounds[p] <= n < bounds[p + 1] for n, p in zip(numbers, places, strict=True))
    assert found.counts == tuple(np.bincount(places, minlength=len(found.names)).tolist())
    assert 1 <= len(found.names) <= BINS + 1
    assert len(set(found.names)) == len(found.names)


@pytest.mark.parametrize(
    ("edges", "step", "names"),
    [
        ((), 1, ("all",)),
        ((1.5,), 0.1, ("under 1.5", "1.5 and over")),
        ((10.0, 12.0, 13.0), 1, ("under 10", "10-11", "12", "13 and over")),
        (
            (1_000_000.0, 2_000_000.0),
            0,
            ("under 1000000", "1000000 to under 2000000", "2000000 and over"),
        ),
    ],
)
def test_bins_are_named_by_their_ends(
    edges: tuple[float, ...], step: float, names: tuple[str, ...]
) -> None:
    assert named(edges, step) == names


def test_no_numbers_have_no_edges() -> None:
    assert edges_between(np.empty(0), np.empty(0, np.int64), 1) == ()
