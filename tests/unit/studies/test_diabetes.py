import csv
import statistics
from pathlib import Path

from local.cloud import ROOT
from local.studies import study_of
from studies.diabetes.data import main, written


def test_a_measurement_is_written_with_the_decimals_that_it_has() -> None:
    assert [written(number) for number in (59.0, 32.1, 4.859800000000001, 100.0)] == [
        *("59", "32.1", "4.8598", "100")
    ]


def test_the_data_are_442_patients_in_real_units(tmp_path: Path) -> None:
    main(tmp_path / "data.csv")

    header, *rows = csv.reader((tmp_path / "data.csv").read_text(encoding="utf-8").splitlines())
    assert header == ["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6", "progression"]
    assert rows[0] == ["59", "2", "32.1", "101", "157", "93.2", "38", "4", "4.8598", "87", "151"]
    assert len(rows) == 442
    progression = [int(row[-1]) for row in rows]
    assert (min(progression), max(progression)) == (25, 346)
    assert round(statistics.mean(progression), 2) == 152.13


def test_every_row_keeps_the_studys_rules(tmp_path: Path) -> None:
    main(tmp_path / "data.csv")

    with (tmp_path / "data.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    columns = study_of("diabetes").params().columns
    assert list(columns) == list(rows[0])
    for name, kind in columns.items():
        for rule in kind.rules():
            assert all(rule.keeps(row[name]) for row in rows), (name, rule.name)


def test_the_data_are_not_committed() -> None:
    assert not list((ROOT / "studies").rglob("*.csv"))
