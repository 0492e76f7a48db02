"""`make bench-wins`: win probabilities on the synthetic sample, whose truth is known.

Of each data set a model is trained as `train` does, and asked about 200 other patients: for every
pair of the treatments recorded with a patient's condition, how probable is it that the first does
better? The truth follows from data/generate.py. And on the held-out rows, which the model never
saw, how often was it so?
"""

import argparse
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from clinical import hyperparameters
from clinical.params import Params, params
from clinical.verdict import WinBin
from model.winning import win_probability
from retrain.averaging import Averaging, counting
from retrain.encoding import encoded, fitted_encoder, table_of
from retrain.families import REGRESSOR, family_of, model_of, on_one_thread
from retrain.intervals import by_table, differences, predicted_when_left_out
from retrain.stages.extract_combinations import valid_combinations
from retrain.wins import wins_of
from rich.console import Console
from rich.table import Table
from rows import Rows
from sklearn.model_selection import train_test_split

from data.generate import (
    CONDITION_EFFECTS,
    DOSAGES,
    DRUG_EFFECTS,
    NOISE,
    TREATMENTS,
    as_csv,
    patients,
)
from tests.pipeline import rows_of

SEEDS = 20

ASKED = 200
OTHERS = 100_000  # added to a seed: other patients than those of any data set
FAMILIES: dict[str, hyperparameters.Model] = {
    "random forest, as in params.yaml": params().model,
    "gradient boosting, additive": hyperparameters.GradientBoosting(
        learning_rate=0.1,
        max_iter=600,
        max_leaf_nodes=2,  # no two features interact, as in the truth
        min_samples_leaf=20,
        l2_regularization=0,
    ),
    "ridge": hyperparameters.Ridge(alpha=30),
}

type Floats = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
type Patient = dict[str, Any]


@dataclass(frozen=True)
class Found:
    """Of one data set: the mean error of win probabilities, and its held-out pairs by bins."""

    error: float
    bins: tuple[WinBin, ...]
    holds: bool


def expected(patient: Patient) -> float:
    """Give the score that data/generate.py means for a patient, before noise."""
    condition, drug = patient["Condition"], patient["Drug_Name"]
    score: float = (
        6
        + CONDITION_EFFECTS[condition]
        + DRUG_EFFECTS[list(TREATMENTS[condition]).index(drug)]
        + 0.3 * (DOSAGES.index(patient["Dosage_mg"]) - 2)
        + (patient["Treatment_Duration_days"] - 32) / 27
    )
    return score


def treated(patient: Patient) -> Iterator[Patient]:
    """Give a patient every treatment of the condition."""
    for drug, dosage in itertools.product(TREATMENTS[patient["Condition"]], DOSAGES):
        yield {**patient, "Drug_Name": drug, "Dosage_mg": dosage}


def measured(rows: int, seed: int, decided: hyperparameters.Model) -> Found:
    """Train on a data set of so many rows, and compare with its truth."""
    decisions = params().model_copy(update={"seed": seed})
    drawn = patients(rows, seed)
    parts = train_test_split(drawn, test_size=decisions.split.test_fraction, random_state=seed)
    training, held_out = (rows_with(part, decisions) for part in parts)
    family = family_of(decided, decisions)
    table, target = table_of(training), training.target()
    encoder = fitted_encoder(table, decisions)
    features = encoded(encoder, table)
    model = model_of(family, encoder)
    recorded = valid_combinations(rows_with(drawn, decisions), decisions)
    counted = counting(recorded, training, decisions)
    with on_one_thread():
        left_out = predicted_when_left_out(model, features, training, counted, decisions)
        model[REGRESSOR].fit(features, target)
    family.settle(model[REGRESSOR])
    over = decisions.roles.known_after_treatment
    residuals = target[left_out.rows] - left_out.scores[over]
    alike = np.ones(len(residuals))
    probability = win_probability(differences(residuals, alike, 1.0), decisions.target.higher_is)

    def scores(asked: Rows) -> Floats:
        averaging = Averaging(asked, counted(np.arange(training.number)), decisions)
        predicted = averaging.predict(by_table(model), over, np.arange(asked.number))
        return np.clip(predicted, *decisions.scale)

    asked = [one for patient in patients(ASKED, seed + OTHERS) for one in treated(patient)]
    each = len(asked) // ASKED
    said, truth = (
        pairs(values.reshape(ASKED, each))
        for values in (scores(rows_with(asked, decisions)), np.array([*map(expected, asked)]))
    )
    normal = np.vectorize(NormalDist(0, NOISE * 2**0.5).cdf)
    wins = wins_of(
        held_out.target(), scores(held_out), np.ones(held_out.number), probability, decisions
    )
    error = np.abs(probability(said) - normal(truth)).mean()
    return Found(float(error), wins.bins, wins.holds)


def pairs(values: Floats) -> Floats:
    """Give the differences within all pairs of each row (n, k): (n x pairs,)."""
    first, second = np.triu_indices(values.shape[1], 1)
    return (values[:, first] - values[:, second]).reshape(-1)


def rows_with(drawn: list[Patient], decisions: Params) -> Rows:
    return rows_of(as_csv(drawn), decisions)


def main() -> None:
    """Print how far win probabilities are off, by family, and their ten bins."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    asked = parser.parse_args()
    console = Console(width=100)
    title = f"{asked.rows:,} rows, {asked.seeds} data sets: predicted, and how often it was so"
    table = Table(title=title, title_justify="left")
    table.add_column("")
    errors = Table(title="Mean absolute error against the truth", title_justify="left")
    errors.add_column("")
    columns: list[list[str]] = []
    for name, decided in FAMILIES.items():
        found = [measured(asked.rows, seed, decided) for seed in range(asked.seeds)]
        off = [one.error for one in found]
        errors.add_row(name, f"{np.mean(off):.3f}", f"{min(off):.3f} to {max(off):.3f}")
        held = sum(one.holds for one in found)
        table.add_column(f"{name} ({held} of {len(found)} hold)", justify="right")
        columns.append([*map(told, zip(*(one.bins for one in found), strict=True))])
    for number, row in enumerate(zip(*columns, strict=True)):
        table.add_row(f"{number * 10} to {number * 10 + 10}%", *row)
    console.print(errors, table)


def told(bins: tuple[WinBin, ...]) -> str:
    """Write what all data sets' bins of the same place come to."""
    pairs = np.array([one.pairs for one in bins if one.won])
    if not pairs.sum():
        return "too few"
    predicted = np.average([one.predicted for one in bins if one.won], weights=pairs)
    won = np.average([one.won.value for one in bins if one.won], weights=pairs)
    return f"{predicted:.3f}  {won:.3f}"


if __name__ == "__main__":
    main()
