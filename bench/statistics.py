"""`make bench-statistics`: what the verdict's statistics find where the truth is known.

Each figure is a fraction of simulated held-out sets, which the pipeline's own code evaluates. The
tables go to docs/explanation/statistics.md. It takes a core about five minutes.
"""

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing import Pool
from pathlib import Path

import numpy as np
from bootstrap import Array, Bootstrap, mean, one_of_two, rmse_difference
from calibration import calibration
from clinical.verdict import Estimate
from retrain.wins import Probability, check
from simultaneous import Members, coverage_by_group, errors_by_group

from bench.markdown import table

WRITTEN = Path(__file__).parent.parent / "docs/explanation/statistics.md"
SEED = 42
RESAMPLES = 500  # the pipeline has 2,000; fewer make each interval noisier, not narrower
CONFIDENCE = 0.95
COVERAGE = 0.9
LEAST_ROWS = 10  # of a group that has figures
SHARES = ((0.5, 0.5), (0.1, 0.25, 0.35, 0.3), (0.3, 0.25, 0.2, 0.12, 0.08, 0.05))
HELD_OUT = 200  # rows, beside which outcomes are a second comparison
NOISE, RMSE = 0.7, 0.8  # of outcomes around what can be known, and of a champion
SHIFTS = 100  # each residual is compared with so many others: enough, and all would take long

type Noise = Callable[[np.random.Generator, int], Array]
NOISES: dict[str, Noise] = {
    "normal": lambda generator, rows: generator.normal(size=rows),
    "skewed": lambda generator, rows: generator.exponential(size=rows) - 1,
}


@dataclass(frozen=True)
class Setting:
    """A truth to simulate so many times; what is off, in standard deviations of the noise."""

    what: str
    rows: int
    noise: str
    repetitions: int
    off: float = 0.0
    spread: float = 1.0


def _holds(estimate: Estimate, truth: float) -> bool:
    return estimate.low <= truth <= estimate.high


def groups(generator: np.random.Generator, rows: int) -> Members:
    """Draw twelve groups of three columns, members (n, g), without those of too few rows."""
    columns = []
    for shares in SHARES:
        drawn = generator.choice(len(shares), size=rows, p=shares)
        columns.append(drawn[:, np.newaxis] == np.arange(len(shares)))
    members: Members = np.concatenate(columns, axis=1)
    return members[:, members.sum(axis=0) >= LEAST_ROWS]


def line(setting: Setting, generator: np.random.Generator, bootstrap: Bootstrap) -> list[bool]:
    """Tell if the intervals of intercept, slope and the difference of the means hold the truth."""
    predicted = generator.normal(6, 1.5, setting.rows)
    recorded = 1 + 0.8 * predicted + NOISES[setting.noise](generator, setting.rows)
    found = calibration(recorded, predicted, bootstrap)
    return [
        _holds(found.intercept, 1),
        _holds(found.slope, 0.8),
        _holds(found.in_the_large, 1 - 0.2 * 6),
    ]


def marks(setting: Setting, generator: np.random.Generator, bootstrap: Bootstrap) -> list[bool]:
    """Tell what happens to a dozen groups none of which is off.

    Whether any is marked, whether any is by intervals of their own, and if the intervals of all
    RMSE and of all MAE hold the truth.
    """
    members = groups(generator, setting.rows)
    errors = NOISES[setting.noise](generator, setting.rows)
    found = errors_by_group(errors, members, bootstrap)
    alone = [bootstrap.estimate(mean, errors[one]) for one in members.T]
    size = np.sqrt(2 / np.pi) if setting.noise == "normal" else 2 / np.e  # mean |error|
    return [
        any(one.off_zero for one in found),
        not all(_holds(one, 0) for one in alone),
        all(_holds(one.rmse, 1) for one in found),
        all(_holds(one.mae, size) for one in found),
    ]


def marked(setting: Setting, generator: np.random.Generator, bootstrap: Bootstrap) -> list[bool]:
    """Tell if a group that is off is marked: one of 8% of the rows, and one of 25%."""
    marked = []
    for share in (0.08, 0.25):
        members = groups(generator, setting.rows)
        off = np.zeros(setting.rows, np.bool_)
        number = max(LEAST_ROWS, round(share * setting.rows))
        off[generator.permutation(setting.rows)[:number]] = True
        errors = NOISES[setting.noise](generator, setting.rows) + setting.off * off
        found = errors_by_group(errors, np.column_stack([off, members]), bootstrap)
        marked.append(found[0].off_zero)
    return marked


def covers(setting: Setting, generator: np.random.Generator, bootstrap: Bootstrap) -> list[bool]:
    """Tell if the intervals of all groups' coverage hold the truth.

    Once where it is as promised, and once where it is lower by `off` in the first group.
    """
    members = groups(generator, setting.rows)
    found = []
    for less in (0.0, setting.off):
        true = COVERAGE - less * members[:, 0]
        held = generator.random(setting.rows) < true
        estimates = coverage_by_group(held, members, COVERAGE, bootstrap)
        truths = [float(true[one].mean()) for one in members.T]
        found.append(all(map(_holds, estimates, truths)))
    return [*found, not _holds(estimates[0], COVERAGE)]


def alarms(setting: Setting, generator: np.random.Generator, bootstrap: Bootstrap) -> list[bool]:
    """Tell if win probabilities are said to be off: noise is as much larger as `off` says.

    spread: by how much the differences of scores are exaggerated.
    """
    noise = NOISES[setting.noise]
    score = generator.normal(scale=1.2, size=setting.rows)
    outcome = score + (1 + setting.off) * noise(generator, setting.rows)
    probability = probability_of(noise(generator, 4 * setting.rows))
    at_level = Bootstrap(bootstrap.resamples, 0.99, bootstrap.seed)
    return [not check(outcome, setting.spread * score, probability, at_level).holds]


def replayed(setting: Setting, generator: np.random.Generator, bootstrap: Bootstrap) -> list[bool]:
    """Tell if a candidate whose RMSE is larger by `off` is found worse than the champion.

    On held-out rows alone, on `rows` outcomes alone, on either of both by the same intervals, and
    on either by those that the gate takes for two.
    """
    found = {}
    for where, rows in (("held out", HELD_OUT), ("outcomes", setting.rows)):
        noise = NOISE * NOISES[setting.noise](generator, rows)
        candidate, champion = (
            generator.normal(scale=np.sqrt(rmse**2 - NOISE**2), size=rows) - noise
            for rmse in (RMSE + setting.off, RMSE)
        )
        found[where] = [
            one.estimate(rmse_difference, candidate, champion).low > 0
            for one in (bootstrap, bootstrap.of_two())
        ]
    (held_out, held_out_of_two), (outcomes, outcomes_of_two) = found.values()
    return [held_out, outcomes, held_out or outcomes, held_out_of_two or outcomes_of_two]


def probability_of(residuals: Array) -> Probability:
    """Make win probabilities of residuals (n,): how often one exceeds another by less than that."""
    shifts = range(1, min(len(residuals), SHIFTS + 1))
    apart = np.concatenate([residuals - np.roll(residuals, shift) for shift in shifts])
    levels = np.linspace(0, 1, 401)
    quantiles = np.quantile(apart, levels)
    return lambda score: np.interp(score, quantiles, levels)


SIMULATIONS = {
    "line": line,
    "marks": marks,
    "marked": marked,
    "covers": covers,
    "alarms": alarms,
    "replayed": replayed,
}


def rates(setting: Setting) -> list[float]:
    """Simulate a setting; how often each of what it tells is so."""
    generator = np.random.default_rng([SEED, setting.rows, *setting.what.encode()])
    told = [
        SIMULATIONS[setting.what](setting, generator, Bootstrap(RESAMPLES, CONFIDENCE, seed))
        for seed in range(setting.repetitions)
    ]
    return [float(one) for one in np.mean(told, axis=0)]


def settings(scale: float) -> list[Setting]:
    """List what is simulated, `scale` of the repetitions of each."""

    def times(number: int) -> int:
        return max(2, round(scale * number))

    both = tuple(NOISES)
    return [
        *(Setting("line", rows, one, times(1000)) for rows in (40, 200, 1000) for one in both),
        *(Setting("marks", rows, one, times(1000)) for rows in (200, 1000) for one in both),
        *(
            Setting("marked", rows, "normal", times(500), off=off)
            for rows in (200, 1000)
            for off in (0.5, 1.0)
        ),
        *(Setting("covers", rows, "normal", times(1000), off=0.15) for rows in (200, 1000)),
        *(Setting("alarms", rows, one, times(1000)) for rows in (40, 200, 500) for one in both),
        *(
            Setting("alarms", rows, "normal", times(300), off, spread)
            for rows in (40, 200, 500)
            for off, spread in ((0.5, 1.0), (0.0, 1.5))
        ),
        *of_replay(times),
    ]


def of_replay(times: Callable[[int], int]) -> Iterator[Setting]:
    """List what is simulated of two comparisons with a champion."""
    for rows in (50, 100, 300):
        yield Setting("replayed", rows, "normal", times(2000))
        for off in (0.05, 0.1, 0.2):
            yield Setting("replayed", rows, "normal", times(300), off)
    yield Setting("replayed", 100, "skewed", times(2000))


def document(found: dict[Setting, list[float]]) -> Iterator[str]:
    """Write the tables as Markdown."""

    def of(what: str) -> Iterator[tuple[Setting, list[str]]]:
        for setting, told in found.items():
            if setting.what == what:
                yield setting, [f"{one:.1%}" for one in told]

    yield "# What the statistics find where the truth is known\n"
    yield (
        "For statisticians and reviewers: how often the checks in a verdict raise a false alarm, "
        "and how often they find a real fault. `make bench-statistics` writes this page. Each "
        "figure is a fraction of simulated held-out sets, evaluated by the pipeline's own code "
        f"with {RESAMPLES} resamples each, seed {SEED}. With 1,000 repetitions, a rate of 5% is "
        "uncertain by 1.4 points and a rate of 1% by 0.6 (95% intervals). Skewed noise is "
        "exponential minus its mean; all noise has a standard deviation of 1.\n"
    )
    yield "## Calibration\n"
    yield (
        f"How often {CONFIDENCE:.0%} intervals contain the truth, where recorded scores are 1 + "
        "0.8 times the predicted scores, plus noise.\n"
    )
    yield from table(
        ("held-out rows", "noise", "intercept", "slope", "in the large", "repetitions"),
        *((one.rows, one.noise, *told, f"{one.repetitions:,}") for one, told in of("line")),
    )
    yield "## Errors by subgroup\n"
    yield (
        "A dozen overlapping groups from three columns, none of them off: how often any group is "
        "marked, which should happen in at most 5%; how often any would be marked if each had a "
        "percentile interval of its own, as in an earlier release; and how often the intervals of "
        "a measure contain the truth for all groups at once, which should happen in 95%.\n"
    )
    yield from table(
        (
            "held-out rows",
            "noise",
            "any marked",
            "any, each alone",
            "all RMSE held",
            "all MAE held",
            "repetitions",
        ),
        *((one.rows, one.noise, *told, f"{one.repetitions:,}") for one, told in of("marks")),
    )
    yield (
        "How often a group beside that dozen is marked if its mean error is this many standard "
        "deviations of the noise.\n"
    )
    yield from table(
        ("held-out rows", "mean error", "8% of the rows", "25% of the rows", "repetitions"),
        *((one.rows, one.off, *told, f"{one.repetitions:,}") for one, told in of("marked")),
    )
    yield "## Coverage by subgroup\n"
    yield (
        "How often the intervals for the coverage of a dozen groups contain the truth at once, "
        f"which should happen in 95%: where coverage is {COVERAGE:.0%} in all groups, and where "
        "it is 15 points lower in half of the rows; and how often that half is then detected.\n"
    )
    yield from table(
        ("held-out rows", "as promised", "15 points lower", "detected", "repetitions"),
        *((one.rows, *told, f"{one.repetitions:,}") for one, told in of("covers")),
    )
    yield "## Win probabilities\n"
    yield (
        "How often win probabilities are reported as off, at the 1% level. They are computed from "
        "the residuals of four times as many rows; scores explain 59% of the variance. Where "
        "nothing is off, the report is a false alarm; the goal is at most 1.5%.\n"
    )
    yield from table(
        ("held-out rows", "noise", "what is off", "reported as off", "repetitions"),
        *(
            (one.rows, one.noise, _what_is_off(one), *told, f"{one.repetitions:,}")
            for one, told in of("alarms")
        ),
    )
    yield from replay_section(of("replayed"))


def replay_section(told: Iterable[tuple[Setting, list[str]]]) -> Iterator[str]:
    found = list(told)
    yield "## Replay's comparison on outcomes\n"
    yield (
        "How often a candidate is rejected for its errors: on "
        f"{HELD_OUT} held-out rows alone, on this many outcomes of requests alone, by either "
        f"comparison at {CONFIDENCE:.0%}, and by either at the {one_of_two(CONFIDENCE):.1%} that "
        f"the gate uses if it has both. The champion's RMSE is {RMSE:g}, the noise {NOISE:g}, and "
        "the two models' own errors are independent. In the first table the candidate is exactly "
        "as good, so every rejection is false: one comparison is meant to have 2.5% of them and "
        "has about 3%, because percentile intervals of so few rows are a little too narrow; two "
        "should not have more. With 2,000 repetitions, a rate of 3% is uncertain by 0.7 points. "
        "Outcomes are recorded at random here. If they are not, the comparison speaks for the "
        "patients whose outcome is recorded, and for all patients only if recording does not "
        "depend on which model errs less there.\n"
    )
    columns = ("held out alone", "outcomes alone", "either, 95%", "either, as in the gate")
    yield from table(
        ("outcomes", "noise", *columns, "repetitions"),
        *(
            (one.rows, one.noise, *rates, f"{one.repetitions:,}")
            for one, rates in found
            if not one.off
        ),
    )
    yield "In the second table its RMSE is larger by this much, with normal noise.\n"
    yield from table(
        ("outcomes", "larger by", *columns, "repetitions"),
        *((one.rows, one.off, *rates, f"{one.repetitions:,}") for one, rates in found if one.off),
    )


def _what_is_off(setting: Setting) -> str:
    if setting.off:
        return f"{1 + setting.off:g} times the noise"
    if setting.spread != 1:
        return f"differences of scores {setting.spread:g} times too large"
    return "nothing"


def main(scale: float) -> None:
    """Simulate on all cores and write the tables; scale: of the repetitions, 1 for all."""
    simulated = settings(scale)
    with Pool(os.cpu_count()) as pool:
        found = dict(zip(simulated, pool.map(rates, simulated, chunksize=1), strict=True))
    written = "\n".join(document(found))
    WRITTEN.write_text(written.rstrip() + "\n")
    print(written)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 1.0)
