import csv
from pathlib import Path

import numpy as np
import pytest
from clinical.params import params

from data.generate import CEILING_R2, ROWS, SEED, TREATMENTS, as_csv, patients


def test_the_committed_sample_is_what_the_generator_makes(sample: Path) -> None:
    assert sample.read_text() == as_csv(patients(ROWS, SEED))


def test_another_seed_makes_other_patients() -> None:
    assert patients(10, SEED) != patients(10, SEED + 1)


def test_the_ceiling_is_what_the_noise_leaves() -> None:
    """Measured: the same patients under two noises share their signal and nothing else."""
    drawn = patients(20_000, seed=1)
    columns = ("Condition", "Drug_Name", "Dosage_mg", "Treatment_Duration_days")
    scores: dict[tuple[object, ...], list[float]] = {}
    for one in drawn:
        scores.setdefault(tuple(one[name] for name in columns), []).append(one["Improvement_Score"])
    pairs = np.array([values[:2] for values in scores.values() if len(values) > 1])

    # Two patients alike in all that counts correlate by the share of the signal: the ceiling.
    assert np.corrcoef(pairs.T)[0, 1] == pytest.approx(CEILING_R2, abs=0.02)


def test_treatments_are_those_that_the_real_data_records(real_data: Path) -> None:
    recorded: dict[str, dict[str, set[str]]] = {}
    with real_data.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            drugs = recorded.setdefault(row["Condition"], {})
            drugs.setdefault(row["Drug_Name"], set()).add(row["Side_Effects"])

    assert recorded == {
        condition: {drug: set(effects) for drug, effects in drugs.items()}
        for condition, drugs in TREATMENTS.items()
    }


def test_the_sample_has_the_contracts_columns(sample: Path) -> None:
    with sample.open(newline="") as file:
        assert next(csv.reader(file)) == list(params().columns)
