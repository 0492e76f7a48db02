"""What a shipped study's wheel brings: it is installed from its hash-pinned requirements."""

import csv
import shutil
import statistics
from collections import Counter
from pathlib import Path

from local.cloud import ROOT
from local.studies import study_of


def test_actg175_is_2139_patients_in_words(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "studies", tmp_path / "studies")
    study = study_of("actg175", tmp_path)

    data = study.data()

    with data.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    columns = study.params().columns
    assert len(rows) == 2139
    assert list(rows[0]) == list(columns)
    assert (rows[0]["pidnum"], rows[0]["cd40"], rows[0]["cd420"]) == ("10056", "422", "477")
    assert rows[0]["arms"] == "Zidovudine + zalcitabine"
    assert round(statistics.mean(int(row["cd420"]) for row in rows), 2) == 371.31
    assert Counter(row["arms"] for row in rows) == {
        "Zidovudine": 532,
        "Zidovudine + didanosine": 522,
        "Zidovudine + zalcitabine": 524,
        "Didanosine": 561,
    }
    for name, kind in study.params().read.items():
        for rule in kind.rules():
            assert all(rule.keeps(row[name]) for row in rows), (name, rule.name)
    assert columns["karnof"].listed == tuple(sorted({int(row["karnof"]) for row in rows}))
