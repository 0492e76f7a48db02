"""Changes to the patients of the sample, for `make simulate`; generate.py has the true effects.

Patients are drawn as for the sample. A change in the population leaves some of them out; a change
in outcomes affects only their scores.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from data.generate import AGES, DRUG_EFFECTS, NOISE, TREATMENTS

type Patient = dict[str, Any]

TARGET = "Improvement_Score"
DOUBLED = "Sertraline"
DRUGS = [drug for treats in TREATMENTS.values() for drug in treats]
YOUNGEST = min(AGES) + 5
NOISIER = 1.0  # the standard deviation, in place of NOISE


@dataclass(frozen=True)
class Shift:
    """A change from some day on.

    says: its description. comes: whether a patient of the sample is kept.
    scores: the outcome of a patient, before it is clipped to the scale.
    """

    says: str
    comes: Callable[[Patient, Random], bool] = lambda _patient, _draw: True
    scores: Callable[[Patient, Random], float] = lambda patient, _draw: patient[TARGET]


def _doubled(patient: Patient, draw: Random) -> bool:
    """Keep patients on other drugs so rarely that this drug's share doubles."""
    others = len(DRUGS) - 1
    return patient["Drug_Name"] == DOUBLED or draw.random() < (others - 1) / (2 * others)


def _older(patient: Patient, _draw: Random) -> bool:
    age: int = patient["Age"]
    return age >= YOUNGEST


def _reversed(patient: Patient, _draw: Random) -> float:
    treats = list(TREATMENTS[patient["Condition"]])
    score: float = patient[TARGET]
    return score - 2 * DRUG_EFFECTS[treats.index(patient["Drug_Name"])]


def _noisier(patient: Patient, draw: Random) -> float:
    score: float = patient[TARGET]
    return score + draw.gauss(0, (NOISIER**2 - NOISE**2) ** 0.5)


SHIFTS = {
    "none": Shift("nothing changes"),
    "doubled_drug": Shift(f"twice as many patients get {DOUBLED}", comes=_doubled),
    "older": Shift(
        f"patients are at least {YOUNGEST} years old, instead of {min(AGES)}", comes=_older
    ),
    "reversed_effects": Shift("the best drug for each condition is the worst", scores=_reversed),
    "noisier": Shift(
        f"outcomes vary more: the noise is {NOISIER:g} instead of {NOISE:g}", scores=_noisier
    ),
}
