"""Whether outcomes show that a model got worse, or no longer beats the average baseline.

Live errors are compared with out-of-fold errors of training rows, which the version's intervals are
based on. A figure outside another figure's interval is not evidence, because both come from few
rows. Sources: Pitman, 1937 (permutation); Welch, The generalization of "Student's" problem,
Biometrika 34, 1947 (means of unequal variance); Vovk, Conditional validity of inductive conformal
predictors, 2012 (how many intervals miss: beta-binomial).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from bootstrap import mean, rmse, rmse_difference
from calibration import calibration
from clinical.captured import Captured
from clinical.monitored import Observed, OutcomeTest, Selection, TestName
from clinical.params import Params
from clinical.population import LeftOut, Population
from clinical.recorded import Names
from figures import bootstrap_of
from grouped import groups_of
from scipy import stats
from simultaneous import wilson
from subgroups import subgroups_of
from wording import counted, listed

from monitor.chance import deals_for, joint, mean_p_value, shares_p_value
from monitor.requests import Counted
from monitor.wording import p_in_words

MOST_JUDGED = 5_000  # newest outcomes of predictions that are averaged over the same columns
SELECTED = 0.01  # the probability under which predictions with an outcome differ from the others
MOST_TESTS = 4  # of predictions that are averaged over the same columns

type Array = np.ndarray[tuple[int], np.dtype[np.float64]]
type Which = np.ndarray[tuple[int], np.dtype[np.bool_]]


@dataclass(frozen=True)
class Came:
    """A prediction with its outcome, the recorded score in units of the target."""

    prediction: Captured
    recorded: float


@dataclass(frozen=True)
class Errors:
    """Predictions (n,) as served, recorded scores, and which intervals missed them."""

    predicted: Array
    recorded: Array
    missed: Which

    @classmethod
    def of(cls, came: Sequence[Came]) -> "Errors":
        recorded = _column(one.recorded for one in came)
        low = _column(one.prediction.low for one in came)
        high = _column(one.prediction.high for one in came)
        predicted = _column(one.prediction.score for one in came)
        return cls(predicted, recorded, (recorded < low) | (recorded > high))

    @property
    def errors(self) -> Array:
        return self.predicted - self.recorded

    def less_average(self, average: float) -> Array:
        """Return squared errors (n,) less those of the average baseline."""
        return np.asarray(self.errors**2 - (average - self.recorded) ** 2)

    def __len__(self) -> int:
        return len(self.recorded)


def left_out_errors(pairs: LeftOut, params: Params) -> Errors:
    """Return out-of-fold rows as served; which intervals miss them is not known."""
    predicted = np.round(np.clip(pairs.predicted, *params.scale), params.target.decimals)
    return Errors(predicted, np.array(pairs.recorded), np.zeros(len(predicted), np.bool_))


def by_over(came: Iterable[Came]) -> dict[Names, list[Came]]:
    """Group predictions by the columns that they are averaged over, in order of appearance."""
    divided: dict[Names, list[Came]] = {}
    for one in came:
        divided.setdefault(one.prediction.averaged_over, []).append(one)
    return dict(sorted(divided.items()))


def observed_of(
    came: Sequence[Came], population: Population | None, params: Params, *, beat_average: bool
) -> Observed:
    """Evaluate a version by the outcomes of its predictions.

    came: of this version, newest first; only some thousands are used. population: of its data; None
    if an earlier release published it. beat_average: from its verdict.
    """
    monitoring = params.monitoring
    judged = {over: some[:MOST_JUDGED] for over, some in by_over(came).items()}
    compared = {
        over: (Errors.of(some), left_out_errors(pairs, params), some[0].prediction.coverage)
        for over, some in judged.items()
        if population and len(some) >= monitoring.min_outcomes
        for pairs in [population.left_out_of(over)]
        if pairs is not None
    }
    level = monitoring.false_alarms.outcomes
    most = deals_for(monitoring.simulations, MOST_TESTS * len(compared), level)
    tests = tuple(
        test
        for place, (over, (live, left_out, coverage)) in enumerate(compared.items())
        for test in outcome_tests(
            live,
            left_out,
            coverage,
            population.average if population and beat_average else None,
            np.random.default_rng([params.seed, place]),
            most,
            over,
        )
    )
    p_value = joint([test.p_value for test in tests])
    observed = Observed(
        outcomes=len(came),
        confidence=params.evaluation.confidence,
        tests=tests,
        p_value=p_value,
        alarm_level=level,
        degraded=p_value is not None and p_value < level,
        says="",
    )
    every = [one for some in judged.values() for one in some]
    if every:
        observed = _with_figures(observed, every, population, params)
    notes = tuple(
        f"Only the newest {MOST_JUDGED:,} of {len(some):,} outcomes are evaluated."
        for some in by_over(came).values()
        if len(some) > MOST_JUDGED
    )
    return observed.model_copy(update={"says": says(observed, population, params), "notes": notes})


# ---- Tests ----


def outcome_tests(  # noqa: PLR0913, PLR0917 - what errors are compared by
    live: Errors,
    left_out: Errors,
    coverage: float,
    average: float | None,
    generator: np.random.Generator,
    most: int,
    over: Names,
) -> list[OutcomeTest]:
    """Test whether live predictions (n,) have larger errors than out-of-fold rows (m,).

    coverage: the intervals' target. average: the average baseline's prediction, if the model beat
    it. over: the columns that predictions are averaged over.
    """
    squared, of_left_out = live.errors**2, left_out.errors**2
    before = f" before {' and '.join(over)} was known" if over else ""
    outcomes, rows = f"{len(live):,} outcomes{before}", f"{len(left_out):,} out-of-fold rows"
    made = [
        _test(
            "squared_error",
            mean_p_value(of_left_out, squared, generator, most),
            f"RMSE {_root(squared):.2f} on {outcomes}, compared with {_root(of_left_out):.2f} on "
            f"{rows}",
        ),
        _test(
            "mean_error",
            welch(left_out.errors, live.errors),
            f"Mean error {live.errors.mean():+.2f} on {outcomes}, compared with "
            f"{left_out.errors.mean():+.2f} on {rows}",
        ),
        _test(
            "interval_misses",
            misses_p_value(live.missed, len(left_out), coverage),
            f"Of {outcomes}, {100 * live.missed.mean():.0f}% are outside their interval, instead "
            f"of {100 * (1 - coverage):.0f}%",
        ),
    ]
    if average is not None:
        lost, of_then = live.less_average(average), left_out.less_average(average)
        made.append(
            _test(
                "against_average",
                mean_p_value(of_then, lost, generator, most) if lost.mean() >= 0 else 1.0,
                f"RMSE {_root(squared):.2f} on {outcomes}, compared with "
                f"{_root((average - live.recorded) ** 2):.2f} for the average baseline",
            )
        )
    return made


def _test(name: TestName, p_value: float, found: str) -> OutcomeTest:
    return OutcomeTest(name=name, p_value=p_value, says=f"{found} ({p_in_words(p_value)}).")


def welch(left_out: Array, live: Array) -> float:
    """Return the p-value of a difference between the means of errors (m,) and (n,)."""
    if max(np.ptp(left_out), np.ptp(live)) == 0:  # no error varies, so none is by chance
        return 1.0 if left_out[0] == live[0] else 0.0
    return float(stats.ttest_ind(live, left_out, equal_var=False).pvalue)


def misses_p_value(missed: Which, left_out: int, coverage: float) -> float:
    """Return the p-value of the number of missed intervals among (n,).

    left_out: the rows that intervals are based on. The true miss rate of an interval from m
    residuals is itself random: beta-distributed, with m + 1 - r and r, if it ends at the r-th
    smallest.
    """
    rank = math.ceil((left_out + 1) * coverage)
    if rank > left_out:  # then intervals are the whole scale
        return 1.0
    misses = int(np.count_nonzero(missed))
    return float(stats.betabinom.sf(misses - 1, len(missed), left_out + 1 - rank, rank))


# ---- Figures ----


def _with_figures(
    observed: Observed, came: Sequence[Came], population: Population | None, params: Params
) -> Observed:
    """Add the figures of all kinds of predictions together."""
    every, bootstrap = Errors.of(came), bootstrap_of(params)
    held, target = ~every.missed, came[0].prediction.coverage
    of_average = None if population is None else population.average - every.recorded
    difference = (
        None
        if of_average is None
        else bootstrap.estimate(rmse_difference, every.errors, of_average)
    )
    groups = {
        name: groups_of([(one.prediction.features.get(name),) for one in came], (name,), params)
        for name in params.roles.subgroups
    }
    sure = float(stats.norm.ppf((1 + bootstrap.confidence) / 2))
    return observed.model_copy(
        update={
            "rmse": bootstrap.estimate(rmse, every.errors),
            "average_rmse": None if of_average is None else bootstrap.estimate(rmse, of_average),
            "rmse_difference": difference,
            "beats_average": None if difference is None else difference.high < 0,
            "mean_error": bootstrap.estimate(mean, every.errors),
            "coverage": wilson(float(held.mean()), len(every), sure),
            "coverage_target": target,
            "calibration": calibration(every.recorded, every.predicted, bootstrap),
            "subgroups": tuple(subgroups_of(groups, every.errors, held, target, params)),
        }
    )


# ---- Selection of outcomes ----


def selection_of(chosen: Counted, others: Counted, params: Params) -> Selection:
    """Test whether predictions with an outcome are about different patients than the others."""
    least = params.monitoring.min_outcomes
    if min(chosen.requests, others.requests) < least:
        few = "an outcome" if chosen.requests < least else "no outcome"
        return Selection(
            p_value=None,
            differs=False,
            says=f"Too few predictions with {few} to tell whether those with an outcome resemble "
            f"the rest ({chosen.requests:,} have one, {others.requests:,} do not).",
        )
    pairs = {
        name: (others.features[name], with_one)
        for name, with_one in chosen.features.items()
        if min(with_one.sum(), others.features[name].sum()) >= least
    }
    most = deals_for(params.monitoring.simulations, len(pairs), SELECTED)
    p_values = {
        name: shares_p_value(*pair, np.random.default_rng([params.seed, place]), most)
        for place, (name, pair) in enumerate(pairs.items())
    }
    p_value = joint(list(p_values.values()))
    differs = p_value is not None and p_value < SELECTED
    columns = tuple(
        name
        for name, alone in p_values.items()
        if differs and (joint([alone] * len(p_values)) or 0.0) < SELECTED
    )
    if p_value is None:
        told = "No column distinguishes predictions with an outcome from the rest."
    elif differs:
        told = (
            f"Predictions with an outcome differ from the rest in {listed(columns)} "
            f"({p_in_words(p_value)}): these figures only apply to patients like them."
        )
    else:
        told = f"Predictions with an outcome resemble the rest ({p_in_words(p_value)})."
    return Selection(p_value=p_value, differs=differs, columns=columns, says=told)


# ---- In words ----


def says(observed: Observed, population: Population | None, params: Params) -> str:
    """Summarise in a sentence what outcomes show about a version."""
    monitoring, number = params.monitoring, counted(observed.outcomes, "outcome")
    if observed.p_value is None:
        if population is None:
            return (
                f"{number} in {monitoring.window_days} days, but nothing to compare them with: an "
                "earlier release published this version without its out-of-fold rows."
            )
        return (
            f"Too few to tell: {number} in {monitoring.window_days} days; at least "
            f"{monitoring.min_outcomes} are needed, of predictions with the same columns known."
        )
    if observed.rmse is None or observed.average_rmse is None:
        raise ValueError("what was tested has figures")
    if not observed.degraded:
        return (
            f"On {number}, its errors are no larger than in its verdict: RMSE "
            f"{observed.rmse.value:.2f}, compared with {observed.average_rmse.value:.2f} for the "
            f"average baseline ({p_in_words(observed.p_value)})."
        )
    by = [
        test
        for test in observed.tests
        if (joint([test.p_value] * len(observed.tests)) or 0.0) < observed.alarm_level
    ]
    is_average = any(test.name == "against_average" for test in by)
    what = "performs worse than in its verdict" + (
        ", and no better than the average baseline" if is_average else ""
    )
    return f"On {number}, it {what}. {' '.join(test.says for test in by)}"


def _root(squared: Array) -> float:
    return float(np.sqrt(squared.mean()))


def _column(values: Iterable[float]) -> Array:
    return np.array(list(values), np.float64)
