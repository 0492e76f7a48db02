"""`make bench-monitoring`: how often monitoring alarms where nothing changed, and when it should.

Patients are those of data/generate.py, drawn anew for every reference and every window, and judged
by the functions that the stages call. The tables go to docs/monitoring.md. It takes two cores about
a quarter of an hour.
"""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from bootstrap import Bootstrap, rmse
from clinical.kinds import Value
from clinical.params import Params, params
from clinical.population import Levels, Population
from levels import levels_of, levels_of_scores, places_of, places_of_numbers
from model.scored import interval_around
from monitor.chance import deals_for, joint
from monitor.degraded import MOST_TESTS, Errors, tests_of
from monitor.drift import LARGE, drift_of
from monitor.requests import Counted, Tally
from retrain.encoding import as_table, encoded
from retrain.families import ENCODER, REGRESSOR, family_of, model_of
from retrain.folds import folds
from retrain.intervals import conformal
from sklearn.base import clone

from bench.markdown import table
from data.generate import DOSAGES, DRUG_EFFECTS, NOISE, TREATMENTS, patients

WRITTEN = Path(__file__).parent.parent / "docs" / "monitoring.md"
SEED = 42
POOL = 100_000  # patients, of whom every sample is drawn
DATA, HELD_OUT = 1_000, 200  # rows of a data set, as the sample has them
SIZES = (50, 100, 200, 500, 2_000)
REFERENCES = 200
WINDOWS = 10  # of each size, of a reference
A_DAY = 50
OUTCOMES_A_DAY = 10
YEAR = 365
NOMINAL = 0.01  # of a window or of a set of outcomes by itself
PROCESSES = 2
RIDGE = {"family": "ridge", "alpha": 30.0}  # fitted six times a reference: a forest takes minutes

type Array = np.ndarray[tuple[int], np.dtype[np.float64]]
type Which = np.ndarray[tuple[int], np.dtype[np.int64]]
type Codes = dict[str, Which]


# ---- Patients ----


@dataclass(frozen=True)
class World:
    """All patients there are (n,), as codes of what they say, encoded (n, d), and their scores.

    signal: what their scores are without noise. effect: the drug's part of it.
    """

    params: Params
    distinct: dict[str, list[tuple[Value, ...]]]
    codes: Codes
    features: np.ndarray[tuple[int, ...], np.dtype[np.floating]]
    recorded: Array
    signal: Array
    effect: Array


@cache
def world() -> World:
    """Draw all patients, once."""
    decisions = params()
    decisions = decisions.model_copy(
        update={"model": type(decisions).model_validate(_with_ridge(decisions)).model}
    )
    drawn = patients(POOL, SEED)
    distinct, codes, columns = {}, {}, {}
    for name, kind in decisions.features.items():
        values, places = np.unique([one[name] for one in drawn], return_inverse=True)
        distinct[name] = [(value,) for value in values.tolist()]
        codes[name] = places
        taken = [kind.feature(value) for value in values.tolist()]
        columns[name] = np.array(taken, object if isinstance(taken[0], str) else None)[places]
    family = family_of(decisions.model, decisions)
    features = as_table(columns)
    model = model_of(family, family.encoder(features))
    effects = {
        drug: effect
        for drugs in TREATMENTS.values()
        for drug, effect in zip(drugs, DRUG_EFFECTS, strict=True)
    }
    effect = np.array([effects[one["Drug_Name"]] for one in drawn])
    return World(
        decisions,
        distinct,
        codes,
        encoded(model[ENCODER], features),
        np.array([one["Improvement_Score"] for one in drawn]),
        np.array([_signal(one, effects) for one in drawn]),
        effect,
    )


def _with_ridge(decisions: Params) -> dict[str, object]:
    return decisions.model_dump(mode="json", by_alias=True) | {"model": RIDGE}


def _signal(patient: Mapping[str, object], effects: Mapping[str, float]) -> float:
    from data.generate import CONDITION_EFFECTS  # noqa: PLC0415

    return float(
        6
        + CONDITION_EFFECTS[str(patient["Condition"])]
        + effects[str(patient["Drug_Name"])]
        + 0.3 * (DOSAGES.index(int(str(patient["Dosage_mg"]))) - 2)
        + (int(str(patient["Treatment_Duration_days"])) - 32) / 27
    )


@dataclass(frozen=True)
class Serving:
    """A version that was made of a thousand patients, as monitoring knows it.

    places: the level of each code, by feature. predicted: of all patients (n,), as it serves them.
    low, high: the ends of their intervals. left_out, held_out: what the data set came to.
    """

    population: Population
    places: dict[str, Which]
    scores: Levels
    predicted: Array
    low: Array
    high: Array
    left_out: Errors
    held_out: Errors


def served_from(number: int) -> Serving:
    """Make the version of a reference, by its number."""
    there = world()
    generator = np.random.default_rng([SEED, number])
    rows = generator.choice(POOL, DATA, replace=False)
    held_out, training = rows[:HELD_OUT], rows[HELD_OUT:]
    features, target = there.features[training], there.recorded[training]
    family = family_of(there.params.model, there.params)
    regressor = model_of(family, None)[REGRESSOR]
    left_out = np.empty(len(training))
    for fitted_on, fold in folds(there.params.intervals.folds, there.params).split(features):
        fitted = clone(regressor).fit(features[fitted_on], target[fitted_on])
        left_out[fold] = fitted.predict(features[fold])
    scores = regressor.fit(features, target).predict(there.features)
    half = conformal(target - left_out, there.params).half_width
    low, high = interval_around(scores, half, there.params)
    predicted = _served(scores)
    levels = tuple(
        levels_of(
            name,
            there.params.columns[name],
            there.distinct[name],
            np.bincount(codes[rows], minlength=len(there.distinct[name])),
        )
        for name, codes in there.codes.items()
    )
    of_scores = levels_of_scores(there.params.target.column, predicted[held_out], 2)
    return Serving(
        population=Population(
            rows=DATA,
            average=float(target.mean()),
            features=levels,
            scores=(of_scores,),
            score_mean=float(predicted[held_out].mean()),
            score_variance=float(predicted[held_out].var()),
            left_out=(),
        ),
        places={
            one.column: places_of(one, there.params.columns[one.column], there.distinct[one.column])
            for one in levels
        },
        scores=of_scores,
        predicted=predicted,
        low=low,
        high=high,
        left_out=Errors(_served(left_out), target, np.zeros(len(target), np.bool_)),
        held_out=_came(held_out, there.recorded[held_out], predicted, low, high),
    )


def _served(scores: Array) -> Array:
    decisions = world().params
    return np.round(np.clip(scores, *decisions.scale), decisions.target.decimals)


def _came(rows: Which, recorded: Array, predicted: Array, low: Array, high: Array) -> Errors:
    missed = (recorded < low[rows]) | (recorded > high[rows])
    return Errors(predicted[rows], recorded, missed)


# ---- Drift ----


def counted(serving: Serving, rows: Which) -> Counted:
    """Count a window of patients, as the stage counts predictions."""
    there = world()
    features = {
        name: np.bincount(
            places[there.codes[name][rows]], minlength=_levels(serving, name) + 1
        )
        for name, places in serving.places.items()
    }
    scores = np.bincount(
        places_of_numbers(serving.scores, serving.predicted[rows]),
        minlength=len(serving.scores.names) + 1,
    )
    return Counted(len(rows), len(rows), features, {(): scores}, Tally())


def _levels(serving: Serving, name: str) -> int:
    return next(len(one.names) for one in serving.population.features if one.column == name)


def watching(least: int, drift: float) -> Params:
    """Give the decisions, with other alarms."""
    decisions = world().params
    monitoring = decisions.monitoring
    alarms = monitoring.false_alarms.model_copy(update={"drift": drift, "outcomes": drift})
    return decisions.model_copy(
        update={
            "monitoring": monitoring.model_copy(
                update={"min_requests": least, "false_alarms": alarms}
            )
        }
    )


def clean_windows(number: int) -> list[list[bool]]:
    """Tell of each size's windows whether they alarm, and whether the stability index would."""
    serving, decisions = served_from(number), watching(min(SIZES), NOMINAL)
    generator = np.random.default_rng([SEED, number, 1])
    told = []
    for size in SIZES:
        for _ in range(WINDOWS):
            rows = generator.integers(0, POOL, size)
            found = drift_of(counted(serving, rows), serving.population, decisions)
            told.append([found.drifted, any((one.psi or 0) >= LARGE for one in found.columns)])
    return told


def days_until_drift(
    serving: Serving, days: int, a_day: int, draw: Callable[[int], Which], least: int
) -> int | None:
    """Tell on which day an alarm goes off, the first being 1; None where none does.

    draw: gives a day's patients, by its number. Each is looked back on for a window of days.
    """
    window = world().params.monitoring.window_days
    decisions = watching(least, params().monitoring.false_alarms.drift)
    drawn: list[Which] = [draw(day) for day in range(-window, 0)] if least == 0 else []
    raise NotImplementedError
