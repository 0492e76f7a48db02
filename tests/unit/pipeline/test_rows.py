import numpy as np
from cells import as_meant, canonical_csv
from clinical.params import params
from reading import read
from rows import read_rows, row_digests
from stages.preprocess import as_csv, read_table

HEADER = ",".join(params().columns)
ROWS = (
    "P1,56,Male,Infection,Ciprofloxacin,500,9,Nausea,8.5",
    "P2,57,Female,Diabetes,Metformin,850,12,Diarrhea,7.0",
)


def as_kept(*rows: str) -> bytes:
    """Rows of an upload as preprocess writes them, which is without `Patient_ID`."""
    upload = read("raw/data.csv", "\n".join([HEADER, *rows, ""]).encode(), params())
    validated = canonical_csv(as_meant(upload, params())[0], params())
    return as_csv(read_table(validated, params()))


def test_rows_are_columns_of_whole_numbers_and_strings() -> None:
    columns, recorded = read_rows(as_kept(*ROWS), params())

    assert tuple(columns) == params().features.names
    assert columns["Age"].tolist() == [56, 57]
    assert columns["Condition"].tolist() == ["Infection", "Diabetes"]
    assert {columns[name].dtype for name in params().features.numeric} == {np.dtype(np.int64)}
    assert {columns[name].dtype for name in params().features.categorical} == {np.dtype(object)}
    assert recorded.tolist() == [8.5, 7.0]


def test_what_looks_like_nothing_is_read_as_what_it_says() -> None:
    row = ROWS[0].replace("Infection", "None").replace("Nausea", "NA")
    body = as_csv(read_table(f"{HEADER}\n{row}\n".encode(), params()))

    columns, _ = read_rows(body, params())

    assert columns["Condition"].tolist() == ["None"]
    assert columns["Side_Effects"].tolist() == ["NA"]


def test_every_row_has_a_digest_and_the_header_has_none() -> None:
    assert len(row_digests(as_kept(*ROWS))) == len(set(row_digests(as_kept(*ROWS)))) == 2


def test_a_row_is_the_same_wherever_it_stands_and_whoever_the_patient_is() -> None:
    one, other = ROWS

    assert row_digests(as_kept(one, other)) == row_digests(as_kept(other, one))[::-1]
    assert row_digests(as_kept(one)) == row_digests(as_kept(one.replace("P1", "P9")))


def test_a_number_written_otherwise_is_the_same_row() -> None:
    written_otherwise = ROWS[0].replace(",56,", ",56.0,").replace("8.5", "8.50")

    assert row_digests(as_kept(ROWS[0])) == row_digests(as_kept(written_otherwise))


def test_another_value_is_another_row() -> None:
    changed = [
        ROWS[0].replace(old, new)
        for old, new in (("56", "57"), ("Male", "Female"), ("Nausea", "Rash"), ("8.5", "8.4"))
    ]

    assert len({*row_digests(as_kept(ROWS[0])), *row_digests(as_kept(*changed))}) == 5
