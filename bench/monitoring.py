"""`make bench-monitoring`: how often monitoring alarms where nothing changed, and when it should.

Patients are those of data/generate.py, drawn anew for every reference and every window, and judged
by the functions that the stages call. The tables go to docs/explanation/monitoring.md, all of them
or those that are named: `python -m bench.monitoring 1 windows years`. It takes two cores about a
quarter of an hour.
"""

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from multiprocessing.pool import Pool
from pathlib import Path
from typing import Any

import numpy as np
from bootstrap import Bootstrap, rmse
from clinical.kinds import Value
from clinical.params import Params, params
from clinical.population import Levels, Population
from levels import levels_of, levels_of_scores, places_of, places_of_numbers
from model.scored import interval_around
from monitor import chance
from monitor.chance import deals_for, joint
from monitor.degraded import MOST_TESTS, Errors, outcome_tests
from monitor.drift import LARGE, drift_of
from monitor.requests import Counted, Tally
from retrain.encoding import as_table, encoded
from retrain.families import ENCODER, REGRESSOR, family_of, model_of
from retrain.folds import folds
from retrain.intervals import conformal
from simultaneous import wilson
from sklearn.base import clone

from bench.markdown import table
from data.generate import DOSAGES, DRUG_EFFECTS, NOISE, TREATMENTS, patients

WRITTEN = Path(__file__).parent.parent / "docs/explanation/monitoring.md"
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
DEALS = 2_000  # at most, of a set of outcomes at that level: the stage has ten times as many
PROCESSES = 2
YEARS, YEARS_OF_OTHERS, DELAYS, POWER_REFERENCES = 200, 100, 50, 50
POWER_SIZES, POWER_SETS = (50, 100, 200, 500), 5
NICE = 5
CANNOT_ALARM = 3.3  # standard errors: a day on which nothing moved by as much is not dealt out
BARELY = 2.5  # likewise, of what is skewed
RIDGE = {"family": "ridge", "alpha": 30.0}  # fitted six times a reference: a forest takes minutes

type Array = np.ndarray[tuple[int], np.dtype[np.float64]]
type Which = np.ndarray[tuple[int], np.dtype[np.int64]]
type Table = np.ndarray[tuple[int, int], np.dtype[np.int64]]
type Codes = dict[str, Which]
type Some = Callable[[int], range]


# ---- Patients ----


@dataclass(frozen=True)
class World:
    """All patients there are (n,), as codes of what they say, encoded (n, d), and their scores.

    signal: what their scores are without noise. effect: the drug's part of it.
    """

    params: Params
    distinct: Mapping[str, Sequence[tuple[Value, ...]]]
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

    places: the level of each code, by feature. regressor, half_width: of its answers. left_out,
    held_out: what the data set came to.
    """

    population: Population
    places: dict[str, Which]
    scores: Levels
    regressor: Any
    half_width: float
    left_out: Errors
    held_out: Errors

    def predicted(self, rows: Which) -> Array:
        """Score patients by their numbers (n,), as they are served."""
        return _served(self.regressor.predict(world().features[rows]))

    def came(self, rows: Which, recorded: Array) -> Errors:
        """Give the errors of patients by their numbers (n,), of whom so much is recorded."""
        return _came(self.regressor, self.half_width, rows, recorded)


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
    regressor.fit(features, target)
    half = conformal(target - left_out, there.params).half_width
    predicted = _served(regressor.predict(there.features[held_out]))
    levels = tuple(
        levels_of(
            name,
            there.params.columns[name],
            there.distinct[name],
            np.bincount(codes[rows], minlength=len(there.distinct[name])),
        )
        for name, codes in there.codes.items()
    )
    of_scores = levels_of_scores(there.params.target.column, predicted, 2)
    return Serving(
        population=Population(
            rows=DATA,
            average=float(target.mean()),
            features=levels,
            scores=(of_scores,),
            score_mean=float(predicted.mean()),
            score_variance=float(predicted.var()),
            left_out=(),
        ),
        places={
            one.column: places_of(one, there.params.columns[one.column], there.distinct[one.column])
            for one in levels
        },
        scores=of_scores,
        regressor=regressor,
        half_width=half,
        left_out=Errors(_served(left_out), target, np.zeros(len(target), np.bool_)),
        held_out=_came(regressor, half, held_out, there.recorded[held_out]),
    )


def _served(scores: Array) -> Array:
    decisions = world().params
    return np.round(np.clip(scores, *decisions.scale), decisions.target.decimals)


def _came(regressor: Any, half_width: float, rows: Which, recorded: Array) -> Errors:  # noqa: ANN401
    scores = regressor.predict(world().features[rows])
    low, high = interval_around(scores, half_width, world().params)
    return Errors(_served(scores), recorded, (recorded < low) | (recorded > high))


# ---- Drift ----


def counted(serving: Serving, rows: Which) -> Counted:
    """Count a window of patients, as the stage counts predictions."""
    there = world()
    features = {
        name: np.bincount(places[there.codes[name][rows]], minlength=_levels(serving, name) + 1)
        for name, places in serving.places.items()
    }
    scores = np.bincount(
        places_of_numbers(serving.scores, serving.predicted(rows)),
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


def alarmed_days(serving: Serving, drawn: Table, from_day: int, decisions: Params) -> Iterator[int]:
    """Tell on which days an alarm goes off, of those from `from_day` on.

    drawn: patients (days, a day). Each day looks back on the window of days that ends with it.
    """
    window = decisions.monitoring.window_days
    before = {
        key: np.vstack([np.zeros((1, one.shape[1]), np.int64), one.cumsum(axis=0)])
        for key, one in counted_by_day(serving, drawn).items()
    }
    firsts = np.maximum(0, np.arange(len(drawn)) + 1 - window)
    within = {key: one[1:] - one[firsts] for key, one in before.items()}
    furthest = np.max(
        [
            differences(reference_of(serving, key), counts).max(axis=1)
            for key, counts in within.items()
        ],
        axis=0,
    )
    for day in range(from_day, len(drawn)):
        if furthest[day] < CANNOT_ALARM:
            continue
        first = firsts[day]
        found = {key: one[day + 1] - one[first] for key, one in before.items()}
        scores = found.pop("")
        requests = drawn[first : day + 1].size
        of_window = Counted(requests, requests, found, {(): scores}, Tally())
        if drift_of(of_window, serving.population, decisions).drifted:
            yield day


def reference_of(serving: Serving, name: str) -> Which:
    """Give the rows of a version's data by the level of a feature, or of scores under no name."""
    levels = (*serving.population.features, serving.scores)
    found = next(one for one in levels if one.column == (name or world().params.target.column))
    return np.array([*found.counts, 0])


def differences(reference: Which, windows: Table) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Give how far shares lie apart in each of some windows (w, k), in standard errors."""
    rows, of_data = windows.sum(axis=1, keepdims=True), reference.sum()
    pooled = (windows + reference) / (rows + of_data)
    error = np.sqrt(pooled * (1 - pooled) * (1 / rows + 1 / of_data))
    apart = np.abs(windows / rows - reference / of_data)
    return np.asarray(np.divide(apart, error, out=np.zeros_like(apart), where=error > 0))


def counted_by_day(serving: Serving, drawn: Table) -> dict[str, Table]:
    """Count patients (days, a day) by day and level; scores are under no name."""
    there = world()
    days = np.arange(len(drawn))[:, np.newaxis]
    of_scores = places_of_numbers(serving.scores, serving.predicted(drawn.ravel()))
    places = {
        name: (of_codes[there.codes[name][drawn]], _levels(serving, name) + 1)
        for name, of_codes in serving.places.items()
    } | {"": (of_scores.reshape(drawn.shape), len(serving.scores.names) + 1)}
    return {
        name: np.bincount((days * width + of_rows).ravel(), minlength=len(drawn) * width).reshape(
            len(drawn), width
        )
        for name, (of_rows, width) in places.items()
    }


def clean_year(task: tuple[int, int]) -> bool:
    """Tell whether any day of a clean year alarms: of a reference, and so many requests a day."""
    number, a_day = task
    drawn = np.random.default_rng([SEED, number, 2, a_day]).integers(0, POOL, (YEAR, a_day))
    decisions = world().params
    first = -(-decisions.monitoring.min_requests // a_day) - 1
    return any(True for _ in alarmed_days(served_from(number), drawn, first, decisions))


SHIFTS: dict[str, Callable[[World], Array]] = {
    "a drug twice as often": lambda there: 1.0 + _says(there, "Drug_Name", "Sertraline"),
    "ages five years older": lambda there: 1.0 - _says(there, "Age", *range(18, 23)),
    "high doses half as often": lambda there: 1 - 0.5 * _says(there, "Dosage_mg", 500, 850),
}


def _says(there: World, name: str, *values: Value) -> Array:
    said = np.array([one[0] in values for one in there.distinct[name]])
    return np.asarray(said[there.codes[name]], np.float64)


def delay(task: tuple[int, int, str]) -> tuple[int | None, bool]:
    """Tell how many days after a shift an alarm goes off, and whether a window of it has a PSI.

    The shift follows clean days as many as are looked back on. None where 56 days do not find it.
    """
    number, a_day, shift = task
    there, decisions = world(), world().params
    generator = np.random.default_rng([SEED, number, 3, a_day])
    window = decisions.monitoring.window_days
    clean = generator.integers(0, POOL, (window, a_day))
    weights = np.cumsum(SHIFTS[shift](there))
    shifted = np.searchsorted(weights, generator.random((2 * window, a_day)) * weights[-1])
    serving = served_from(number)
    drawn = np.vstack([clean, shifted])
    found = next(alarmed_days(serving, drawn, window, decisions), None)
    by_itself = drift_of(counted(serving, shifted[:window].ravel()), serving.population, decisions)
    return (
        None if found is None else found + 1 - window,
        any((one.psi or 0) >= LARGE for one in by_itself.columns),
    )


# ---- Outcomes ----


def tested(live: Errors, serving: Serving, level: float, seed: list[int]) -> bool:
    """Tell whether outcomes alarm, as the stage tests them."""
    decisions = world().params
    most = deals_for(DEALS, MOST_TESTS, level)
    generator = np.random.default_rng(seed)
    average = serving.population.average
    coverage = decisions.intervals.coverage
    tests = outcome_tests(live, serving.left_out, coverage, average, generator, most, ())
    return (joint([test.p_value for test in tests]) or 0.0) < level


def naively(live: Errors, serving: Serving) -> list[bool]:
    """Tell what simple rules say of outcomes, in the order of `NAIVE`."""
    of_verdict = Bootstrap(500, 0.95, SEED).estimate(rmse, serving.held_out.errors)
    missed = live.missed.mean() > 1 - world().params.intervals.coverage
    return [float(rmse(live.errors)) > of_verdict.high, bool(missed)]


NAIVE = ("RMSE above the verdict's interval", "coverage under 90%")


def _noisy(generator: np.random.Generator, signal: Array, noise: float) -> Array:
    found = signal + generator.normal(0, noise, len(signal))
    return np.round(np.clip(found, *world().params.scale), 1)


# What is recorded of patients, by what is different.
OUTCOMES: dict[str, Callable[[np.random.Generator, Which], Array]] = {
    "nothing": lambda _, rows: world().recorded[rows],
    "noise 0.7 → 1.0": lambda generator, rows: _noisy(generator, world().signal[rows], 1.0),
    "drug effects reversed": lambda generator, rows: _noisy(
        generator, world().signal[rows] - 2 * world().effect[rows], NOISE
    ),
    "0.3 points less": lambda generator, rows: _noisy(generator, world().signal[rows] - 0.3, NOISE),
}


def judged(task: tuple[int, str, tuple[int, ...], int]) -> list[list[bool]]:
    """Tell of sets of outcomes of each size whether they alarm, and whether simple rules would."""
    number, what, sizes, sets = task
    serving = served_from(number)
    generator = np.random.default_rng([SEED, number, 4, *what.encode()])
    told = []
    for size in sizes:
        for one in range(sets):
            rows = generator.integers(0, POOL, size)
            recorded = OUTCOMES[what](generator, rows)
            live = serving.came(rows, recorded)
            alarms = tested(live, serving, NOMINAL, [SEED, number, one])
            told.append([alarms, *naively(live, serving)])
    return told


def alarmed_days_of_outcomes(serving: Serving, every: Errors, from_day: int) -> Iterator[int]:
    """Tell on which days outcomes alarm, the first being 1, of those from `from_day` on.

    every: outcomes, so many a day. Each day looks back on the window of days that ends with it.
    """
    decisions = world().params.monitoring
    level, a_day = decisions.false_alarms.outcomes, OUTCOMES_A_DAY
    for day in range(from_day, len(every) // a_day + 1):
        some = slice(max(0, day - decisions.window_days) * a_day, day * a_day)
        live = Errors(every.predicted[some], every.recorded[some], every.missed[some])
        if len(live) < decisions.min_outcomes or cannot_alarm(live, serving):
            continue
        if tested(live, serving, level, [SEED, day]):
            yield day


def cannot_alarm(live: Errors, serving: Serving) -> bool:
    """Tell whether no test of outcomes can come to an alarm: then nothing need be dealt out.

    Of what each test looks at, chance alone goes beyond a normal distribution's more often than
    that says, for squared errors and misses are skewed.
    """
    then, now = serving.left_out.errors, live.errors
    promised = 1 - world().params.intervals.coverage
    of_misses = promised * (1 - promised) * (1 / len(now) + 1 / len(then))
    return bool(
        live.less_average(serving.population.average).mean() < 0
        and live.missed.mean() - promised < BARELY * np.sqrt(of_misses)
        and _apart(then**2, now**2, np.concatenate([then**2, now**2]).var()) < BARELY
        and abs((now.mean() - then.mean()) / _error(then, now)) < CANNOT_ALARM
    )


def _apart(then: Array, now: Array, variance: float) -> float:
    return float((now.mean() - then.mean()) / np.sqrt(variance * (1 / len(now) + 1 / len(then))))


def _error(then: Array, now: Array) -> float:
    return float(np.sqrt(then.var() / len(then) + now.var() / len(now)))


def clean_year_of_outcomes(number: int) -> bool:
    """Tell whether any day of a year alarms though predictions are as good as they were."""
    serving = served_from(number)
    generator = np.random.default_rng([SEED, number, 5])
    rows = generator.integers(0, POOL, YEAR * OUTCOMES_A_DAY)
    every = serving.came(rows, world().recorded[rows])
    return any(True for _ in alarmed_days_of_outcomes(serving, every, 1))


def delay_of_outcomes(task: tuple[int, str]) -> int | None:
    """Tell how many days after a change outcomes alarm, which follows clean days; None in 56."""
    number, what = task
    serving, window = served_from(number), world().params.monitoring.window_days
    generator = np.random.default_rng([SEED, number, 6])
    rows = generator.integers(0, POOL, 3 * window * OUTCOMES_A_DAY)
    clean = window * OUTCOMES_A_DAY
    recorded = np.concatenate(
        [world().recorded[rows[:clean]], OUTCOMES[what](generator, rows[clean:])]
    )
    every = serving.came(rows, recorded)
    found = next(alarmed_days_of_outcomes(serving, every, window + 1), None)
    return None if found is None else found - window


# ---- The document ----


def share(told: Sequence[bool] | np.ndarray[Any, np.dtype[np.bool_]]) -> str:
    return f"{np.mean(told):.1%}"


def between(told: Sequence[bool]) -> str:
    """Give a rate with its interval of 95%: Wilson's."""
    found = wilson(float(np.mean(told)), len(told), 1.96)
    return f"{found.value:.1%} ({found.low:.1%} to {found.high:.1%})"


def windows_in(pool: Pool, some: Some) -> Iterator[str]:
    found = pool.map(clean_windows, some(REFERENCES), 4)
    told = np.array(found).reshape(len(found), len(SIZES), WINDOWS, 2)
    yield (
        f"How often a window in which nothing changed triggers the alarm, at a nominal "
        f"{NOMINAL:.0%}. With {told[:, 0, :, 0].size:,} windows of each size, 1% is uncertain by "
        "0.4 points. Beside it: how often the population stability index of any feature is "
        f"{LARGE} or more, which the usual rule calls a large shift and which triggers no alarm "
        "here.\n"
    )
    yield from table(
        ("requests", "alarms", f"any PSI ≥ {LARGE}", "windows"),
        *(
            (f"{size:,}", share(told[:, place, :, 0]), share(told[:, place, :, 1]), f"{number:,}")
            for place, size in enumerate(SIZES)
            for number in [told[:, place, :, 0].size]
        ),
    )


def years_in(pool: Pool, some: Some) -> Iterator[str]:
    numbers = {A_DAY: YEARS, 10: YEARS_OF_OTHERS, 200: YEARS_OF_OTHERS}
    decisions = params().monitoring
    yield (
        f"Each day covers the last {decisions.window_days} days, from the first day with "
        f"{decisions.min_requests} requests on, and the alarm level is "
        f"{decisions.false_alarms.drift:.2%} a day. The table has the fraction of years with any "
        "alarm although nothing changed, with its 95% interval.\n"
    )
    found = {
        a_day: pool.map(clean_year, [(one, a_day) for one in some(years)], 4)
        for a_day, years in numbers.items()
    }
    yield from table(
        ("requests a day", "years with an alarm", "years"),
        *((a_day, between(told), len(told)) for a_day, told in sorted(found.items())),
    )


def delays_in(pool: Pool, some: Some) -> Iterator[str]:
    yield (
        f"{A_DAY} requests a day, after 28 clean days, at an alarm level of "
        f"{params().monitoring.false_alarms.drift:.2%} a day. The median is over all runs. The "
        "last column but one says how often the PSI of any feature over the first 28 shifted days "
        f"is {LARGE} or more.\n"
    )
    found = {
        shift: pool.map(delay, [(one, A_DAY, shift) for one in some(DELAYS)], 4) for shift in SHIFTS
    }
    yield from table(
        ("shift", "days, median", "within 28 days", "within 56 days", f"any PSI ≥ {LARGE}", "runs"),
        *(
            (
                shift,
                f"{median:.0f}" if np.isfinite(median) else "over 56",
                share(days <= 28),  # noqa: PLR2004
                share(np.isfinite(days)),
                share([index for _, index in told]),
                len(told),
            )
            for shift, told in found.items()
            for days in [np.array([day or np.inf for day, _ in told])]
            for median in [float(np.median(days))]
        ),
    )


def sets_in(pool: Pool, some: Some) -> Iterator[str]:
    tasks = [(one, "nothing", SIZES, WINDOWS) for one in some(REFERENCES)]
    clean = np.array(pool.map(judged, tasks, 4))
    clean = clean.reshape(-1, len(SIZES), WINDOWS, 1 + len(NAIVE))
    yield (
        "How often outcomes trigger the alarm although predictions are as good as they were, at a "
        f"nominal {NOMINAL:.0%} for all four tests jointly; and how often simple rules would.\n"
    )
    yield from table(
        ("outcomes", "alarms", *NAIVE, "sets"),
        *(
            (f"{size:,}", *(share(rates) for rates in np.moveaxis(clean[:, place], -1, 0)), number)
            for place, size in enumerate(SIZES)
            for number in [f"{clean[:, place, :, 0].size:,}"]
        ),
    )


def years_of_outcomes_in(pool: Pool, some: Some) -> Iterator[str]:
    decisions = params().monitoring
    yield (
        f"{OUTCOMES_A_DAY} outcomes a day. Each day covers the last {decisions.window_days} days, "
        f"from the first day with {decisions.min_outcomes} outcomes on, and the alarm level is "
        f"{decisions.false_alarms.outcomes:.1%} a day. Fractions have their 95% intervals.\n"
    )
    told = pool.map(clean_year_of_outcomes, some(YEARS), 4)
    yield from table(
        ("outcomes a day", "years with an alarm", "years"),
        (OUTCOMES_A_DAY, between(told), len(told)),
    )


def power_in(pool: Pool, some: Some) -> Iterator[str]:
    yield (
        f"How often so many outcomes, all observed after the change, trigger the alarm at "
        f"{NOMINAL:.0%}.\n"
    )
    found = {}
    for what in [one for one in OUTCOMES if one != "nothing"]:
        tasks = [(one, what, POWER_SIZES, POWER_SETS) for one in some(POWER_REFERENCES)]
        told = np.array(pool.map(judged, tasks, 4))[..., 0]
        found[what] = told.reshape(-1, len(POWER_SIZES), POWER_SETS)
    yield from table(
        ("change", *(f"{size} outcomes" for size in POWER_SIZES), "sets"),
        *(
            (what, *(share(told[:, place]) for place in range(len(POWER_SIZES))), told[:, 0].size)
            for what, told in found.items()
        ),
    )


def delays_of_outcomes_in(pool: Pool, some: Some) -> Iterator[str]:
    yield (
        f"{OUTCOMES_A_DAY} outcomes a day, after 28 clean days, at an alarm level of "
        f"{params().monitoring.false_alarms.outcomes:.1%} a day. The median is over all runs.\n"
    )
    found = {
        what: pool.map(delay_of_outcomes, [(one, what) for one in some(DELAYS)], 4)
        for what in OUTCOMES
        if what != "nothing"
    }
    yield from table(
        ("change", "days, median", "within 28 days", "within 56 days", "runs"),
        *(
            (
                what,
                f"{median:.0f}" if np.isfinite(median) else "over 56",
                share(days <= 28),  # noqa: PLR2004
                share(np.isfinite(days)),
                len(told),
            )
            for what, told in found.items()
            for days in [np.array([day or np.inf for day in told])]
            for median in [float(np.median(days))]
        ),
    )


# The parts of the document, in their order: by their names on the command line.
PARTS: dict[str, tuple[str, Callable[[Pool, Some], Iterator[str]]]] = {
    "windows": ("Drift: one clean window", windows_in),
    "years": ("Drift: a clean year", years_in),
    "delays": ("Drift: how soon a shift is found", delays_in),
    "sets": ("Outcomes: one set in which nothing changed", sets_in),
    "years_of_outcomes": ("Outcomes: a clean year", years_of_outcomes_in),
    "power": ("Outcomes: how often a change is found", power_in),
    "delays_of_outcomes": ("Outcomes: how soon a change is found", delays_of_outcomes_in),
}
HEADING = "\n## "
TITLE = "# How often monitoring alarms, and how soon"
INTRODUCTION = f"""{TITLE}

For statisticians and reviewers: how often the monitor's alarms are false, and how soon they find
a real change. `make bench-monitoring` writes all sections but the last, which says how its own
table was made.

Patients are those of `data/generate.py`. For each of {REFERENCES} references, {DATA:,} patients
are drawn, a ridge regression is fitted on {DATA - HELD_OUT} of them, and windows are drawn from
the same population. The functions that the monitor's stages call judge them.

**Drift.** For each of the seven features and for the score, the test statistic is the largest
difference in the shares of its levels, in standard errors; numbers are in ten bins. A permutation
test says how often chance alone produces a difference as large: rows of data set and window are
pooled and dealt out at random. That needs no assumption about rare levels or few rows. The alarm
depends on the joint probability of all columns (Šidák).

**Outcomes.** Live errors are compared with those on training rows that were left out of the fit:
squared errors and, if the verdict says that the model beat the average, their distance to the
average's, by permutation tests; mean errors by Welch's test; misses of intervals by the
beta-binomial distribution. The alarm depends on the joint probability of all four.

Both treat requests as independent. If the same patients are asked about day after day, they are
fewer than they seem, and the alarm goes off sooner than stated here.
"""


def write(heading: str, text: str) -> None:
    """Put a section in its place, and leave the others as they are."""
    before = WRITTEN.read_text(encoding="utf-8") if WRITTEN.exists() else ""
    sections = {
        name: body.strip()
        for name, _, body in (part.partition("\n") for part in before.split(HEADING)[1:])
    }
    sections[heading] = text.strip()
    order = [name for name, _ in PARTS.values()]
    ours = [name for name in order if name in sections]
    named = [*ours, *(name for name in sections if name not in order)]
    body = "".join(f"{HEADING}{name}\n\n{sections[name]}\n" for name in named)
    WRITTEN.write_text(INTRODUCTION + body, encoding="utf-8")


def main(scale: float, parts: Sequence[str]) -> None:
    """Simulate, and write each part as it comes.

    scale: of the repetitions, 1 for all. parts: by their names; all of them where none is named.
    """

    def some(number: int) -> range:
        return range(max(2, round(scale * number)))

    # Alarms are dealt out to the end all the same; what is no alarm may be told less exactly.
    chance.ENOUGH, chance.FIRST_DEALS = 5, 25
    world()  # once, for all processes
    with get_context("fork").Pool(PROCESSES, os.nice, (NICE,)) as pool:
        for part in parts or PARTS:
            heading, found_in = PARTS[part]
            text = "\n".join(found_in(pool, some))
            write(heading, text)
            print(f"## {heading}\n\n{text}", flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 1.0, sys.argv[2:])
