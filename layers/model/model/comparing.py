"""Compare all recorded treatments for one patient: scores and win probabilities."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from clinical.kinds import Value
from clinical.params import Params
from clinical.reference import Row

from model.loader import Model, Score
from model.winning import as_wide, comparable

type Treatment = dict[str, Value]


@dataclass(frozen=True)
class Fitting:
    """A treatment recorded for such patients, and its number of training rows."""

    treatment: Treatment
    training_rows: int


@dataclass(frozen=True)
class Compared:
    """A treatment, the patient's score on it, and how often it does better than the reference."""

    fitting: Fitting
    score: Score
    win_probability: float


def fitting(model: Model, patient: Row) -> list[Fitting]:
    """List the treatments recorded for such patients, in the order of the contract's values.

    patient: without treatment.
    """
    params = model.params
    recorded = model.reference.treated.grouped(fixed(params), params.compared)
    found = recorded.get(tuple(patient.get(name) for name in fixed(params)), {})
    in_order = sorted(
        found,
        key=lambda values: [
            place(name, value, params) for name, value in zip(params.compared, values, strict=True)
        ],
    )
    return [
        Fitting(dict(zip(params.compared, values, strict=True)), found[values])
        for values in in_order
    ]


def fixed(params: Params) -> tuple[str, ...]:
    """Name the columns of recorded combinations that belong to the patient."""
    chosen = {*params.compared, *params.roles.known_after_treatment}
    return tuple(name for name in params.roles.recorded_together if name not in chosen)


def place(name: str, value: Value, params: Params) -> tuple[int, Value]:
    """Return a value's sort key: its place in the contract, or itself; missing comes first."""
    listed = params.columns[name].listed
    if value is None:
        return (-1, 0)
    return (listed.index(value), 0) if value in listed else (len(listed), value)


def most_recorded(treatments: Sequence[Fitting]) -> Fitting:
    """Return the treatment with the most training rows; the first one if there are several."""
    return max(treatments, key=lambda one: one.training_rows)


def compare(
    model: Model, patient: Row, treatments: Sequence[Fitting], reference: Fitting
) -> list[Compared]:
    """Compare treatments of a patient with one of them, before anything that follows is known.

    patient: without treatment. reference: one of the treatments.
    Raises ModelUnavailable if the model is from a release that could not compare.
    """
    probability = model.probability
    patients = [{**patient, **one.treatment} for one in treatments]
    scored = model.scored(patients)
    scores = np.clip(scored.scores, *model.params.scale)
    own = treatments.index(reference)
    wide = as_wide(scored.half_widths, model.reference.intervals[scored.unknown[own]])
    won = probability(comparable(scores - scores[own], wide, wide[own]))
    return [
        Compared(treatment, score, win)
        for treatment, score, win in zip(
            treatments, model.served(patients, scored), won.tolist(), strict=True
        )
    ]
