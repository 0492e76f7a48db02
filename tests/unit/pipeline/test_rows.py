import numpy as np
import pytest
from cells import as_meant, canonical
from clinical.kinds import WholeNumber
from clinical.params import Params, params
from columns import Column, dumped
from rows import Rows
from tables import read

from tests.pipeline import rows_of
from tests.unit.conftest import with_column

HEADER = ",".join(params().columns)
ROWS = (
    "P1,56,Male,Infection,Ciprofloxacin,500,9,Nausea,8.5",
    "P2,57,Female,Diabetes,Metformin,850,12,Diarrhea,7.0",
)


def as_kept(*rows: str, decisions: Params | None = None) -> Rows:
    """Rows of an upload as preprocess writes them, which is without `Patient_ID`."""
    decided = decisions or params()
    upload = read("raw/data.csv", "\n".join([HEADER, *rows, ""]).encode(), decided)
    return Rows(dumped(canonical(as_meant(upload, decided)[0], decided)), decided)


def digests(*rows: str) -> list[str]:
    kept = as_kept(*rows)
    return kept.digests(kept.columns)


def test_rows_are_columns_of_whole_numbers_and_strings() -> None:
    rows = as_kept(*ROWS)

    columns = rows.features()

    words = {name for name, kind in params().features.items() if kind.categories is not None}
    assert tuple(columns) == tuple(params().features)
    assert columns["Age"].tolist() == [56, 57]
    assert columns["Condition"].tolist() == ["Infection", "Diabetes"]
    assert {columns[name].dtype for name in set(columns) - words} == {np.dtype(np.int64)}
    assert {columns[name].dtype for name in words} == {np.dtype(object)}
    assert rows.target().tolist() == [8.5, 7.0]
    assert rows.number == 2


def test_values_are_those_of_json() -> None:
    rows = as_kept(*ROWS)

    assert [(type(value), value) for value in rows.values("Dosage_mg")] == [(int, 500), (int, 850)]
    assert rows.values("Improvement_Score") == [8.5, 7.0]
    assert rows.together(["Condition", "Dosage_mg"]) == [("Infection", 500), ("Diabetes", 850)]
    assert rows.together([]) == [(), ()]


def test_what_looks_like_nothing_is_read_as_what_it_says() -> None:
    row = ROWS[0].replace("Infection", "None").replace("Nausea", "NA")

    columns = rows_of(f"{HEADER}\n{row}\n", params()).features()

    assert columns["Condition"].tolist() == ["None"]
    assert columns["Side_Effects"].tolist() == ["NA"]


def test_what_is_missing_is_none_in_json_and_for_a_model_a_category_or_no_number() -> None:
    nullable = with_column(params(), "Age", nullable=True)
    nullable = with_column(nullable, "Side_Effects", nullable=True)

    rows = as_kept(ROWS[0].replace("56", "").replace("Nausea", ""), ROWS[1], decisions=nullable)

    columns = rows.features()
    assert rows.values("Age") == [None, 57]
    assert rows.values("Side_Effects") == [None, "Diarrhea"]
    assert np.isnan(columns["Age"].astype(np.float64)).tolist() == [True, False]
    assert columns["Age"].dtype == np.float64
    assert columns["Side_Effects"].tolist() == ["", "Diarrhea"]


@pytest.mark.parametrize(("column", "form"), [("Age", "whole_number"), ("Patient_ID", None)])
def test_a_column_that_is_kept_has_a_form(column: str, form: str | None) -> None:
    assert as_kept(*ROWS).form(column) == form


def test_every_row_has_a_digest_and_the_header_has_none() -> None:
    assert len(digests(*ROWS)) == len(set(digests(*ROWS))) == 2


def test_a_row_is_the_same_wherever_it_stands_and_whoever_the_patient_is() -> None:
    one, other = ROWS

    assert digests(one, other) == digests(other, one)[::-1]
    assert digests(one) == digests(one.replace("P1", "P9"))


def test_a_number_written_otherwise_is_the_same_row() -> None:
    written_otherwise = ROWS[0].replace(",56,", ",56.0,").replace("8.5", "8.50")

    assert digests(ROWS[0]) == digests(written_otherwise)


def test_another_value_is_another_row() -> None:
    changed = [
        ROWS[0].replace(old, new)
        for old, new in (("56", "57"), ("Male", "Female"), ("Nausea", "Rash"), ("8.5", "8.4"))
    ]

    assert len({*digests(ROWS[0]), *digests(*changed)}) == 5


def test_rows_that_differ_elsewhere_are_the_same_in_the_columns_that_they_share() -> None:
    older = as_kept(ROWS[0].replace("56", "57"))

    shared = [name for name in older.columns if name != "Age"]
    assert older.digests(older.columns) != digests(ROWS[0])
    assert older.digests(shared) == as_kept(ROWS[0]).digests(shared)


def test_rows_of_more_combinations_than_an_integer_counts_are_told_apart() -> None:
    cells = [[f"{(row * (place + 3)) % 997}" for row in range(2_000)] for place in range(9)]
    names = [f"level_{place}" for place in range(9)]
    columns = {name: Column.of(of_rows) for name, of_rows in zip(names, cells, strict=True)}
    kind = WholeNumber(kind="whole_number", min=0, max=1000)
    decisions = params().model_copy(update={"columns": dict.fromkeys(names, kind)})

    rows = Rows(dumped(columns), decisions)

    assert 997 ** len(names) > 2**64
    assert rows.together(names) == [tuple(map(int, row)) for row in zip(*cells, strict=True)]
    distinct, codes = rows.coded(names)
    assert len(distinct) == len(set(distinct)) == len(set(codes.tolist())) == 997
