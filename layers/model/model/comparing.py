"""One patient, every recorded treatment: their scores, and how often each does better."""

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
    """A treatment that was recorded with what a patient has, and in how many training rows."""

    treatment: Treatment
    training_rows: int


@dataclass(frozen=True)
class Compared:
    """A treatment of a patient, its score, and how often it does better than the reference."""

    fitting: Fitting
    score: Score
    win_probability: float


def fitting(model: Model, patient: Row) -> list[Fitting]:
    """List the treatments recorded with what a patient has, in the order of the contract's values.

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
    """Name what a patient has, of the columns of which combinations were recorded."""
    chosen = {*params.compared, *params.roles.known_after_treatment}
    return tuple(name for name in params.roles.recorded_together if name not in chosen)


def place(name: str, value: Value, params: Params) -> tuple[int, Value]:
    """Give what a value is sorted by: its place in the contract, or itself; missing comes first."""
    listed = params.columns[name].listed
    if value is None:
        return (-1, 0)
    return (listed.index(value), 0) if value in listed else (len(listed), value)


def most_recorded(treatments: Sequence[Fitting]) -> Fitting:
    """Take the treatment with the most training rows, the first of them."""
    return max(treatments, key=lambda one: one.training_rows)


def compare(
    model: Model, patient: Row, treatments: Sequence[Fitting], reference: Fitting
) -> list[Compared]:
    """Set treatments of a patient beside one of them, with nothing known of what follows.

    patient: without treatment. reference: one of the treatments.
    Raises ModelUnavailable where the model is of a release that could not compare.
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
