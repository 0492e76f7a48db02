from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from clinical.monitored import Observed
from clinical.params import params
from clinical.population import LeftOut
from monitor import degraded
from monitor.chance import joint
from monitor.degraded import (
    Came,
    Errors,
    left_out_errors,
    misses_p_value,
    observed_of,
    outcome_tests,
    selection_of,
    welch,
)
from monitor.requests import counted
from scipy import stats

from tests.unit.pipeline.monitor.made import (
    VERSION,
    captured,
    population,
    predictions,
    told_otherwise,
    watching,
)

type Array = np.ndarray[tuple[int], np.dtype[np.float64]]
POPULATION = population()


def came(
    outcomes: int, noise: float = 0.7, bias: float = 0.0, seed: int = 3, **of: Any
) -> list[Came]:
    """Predictions of patients, and what came of them: off by noise, as left-out rows are."""
    generator = np.random.default_rng(seed)
    scores = generator.normal(6, 1.4, outcomes)
    recorded = scores + generator.normal(-bias, noise, outcomes)
    features = [one.features for one in predictions(outcomes, seed=seed)]
    return [
        Came(
            captured(number, features[number], float(scores[number]), **of), float(recorded[number])
        )
        for number in range(outcomes)
    ]


def observed(some: list[Came], *, beat_average: bool = True, **monitoring: Any) -> Observed:
    return observed_of(some, POPULATION, watching(**monitoring), beat_average=beat_average)


def p_values(found: Observed) -> dict[str, float]:
    return {test.name: test.p_value for test in found.tests}


def test_outcomes_as_they_were_promised_degrade_nothing() -> None:
    found = observed(came(143))

    assert not found.degraded
    assert found.outcomes == 143
    assert set(p_values(found)) == {
        "squared_error", "mean_error", "interval_misses", "against_average"
    }  # fmt: skip
    assert found.says.startswith(
        "On 143 outcomes, its errors are no larger than in its verdict: RMSE "
    )


def test_more_noise_degrades_and_is_named() -> None:
    found = observed(came(143, noise=1.4))

    assert found.degraded
    assert p_values(found)["squared_error"] < 0.0005
    assert p_values(found)["mean_error"] > 0.01
    assert found.rmse is not None
    assert found.says.startswith(
        "On 143 outcomes, it performs worse than in its verdict. "
        f"RMSE {found.rmse.value:.2f} on 143 outcomes, compared with 0.69 on 800 out-of-fold rows "
        "(p < 0.0001)"
    )


def test_outcomes_that_are_all_lower_are_a_mean_error() -> None:
    found = observed(came(143, bias=0.5))

    assert found.degraded
    assert p_values(found)["mean_error"] < 0.0001
    assert found.says == (
        "On 143 outcomes, it performs worse than in its verdict. Mean error +0.44 on 143 "
        "outcomes, compared with +0.04 on 800 out-of-fold rows (p < 0.0001)."
    )
    assert found.mean_error is not None
    assert found.mean_error.value == pytest.approx(0.5, abs=0.2)


def test_a_model_no_better_than_the_average_is_said_to_be() -> None:
    some = came(143)
    of_others = [replace(one, recorded=other.recorded) for one, other in pairwise(some)]

    found = observed(of_others)

    assert found.beats_average is False
    assert "and no better than the average baseline" in found.says


def test_a_model_that_never_beat_the_average_is_not_held_to_it() -> None:
    found = observed(came(143, noise=3.0), beat_average=False)

    assert "against_average" not in p_values(found)


def test_a_model_that_still_beats_the_average_is_not_said_to_be_no_better() -> None:
    assert p_values(observed(came(143, noise=0.9)))["against_average"] == 1


def test_no_outcomes_are_no_evidence() -> None:
    found = observed([])

    assert (found.outcomes, found.p_value, found.degraded, found.rmse) == (0, None, False, None)
    assert found.says == (
        "Too few to tell: 0 outcomes in 28 days; at least 50 are needed, of predictions with the "
        "same columns known."
    )


def test_too_few_outcomes_have_figures_and_no_test() -> None:
    found = observed(came(49, noise=9.0))

    assert (found.p_value, found.tests, found.degraded) == (None, (), False)
    assert found.rmse is not None
    assert found.rmse.low < found.rmse.value < found.rmse.high
    assert found.says.startswith("Too few to tell: 49 outcomes in 28 days")


def test_a_single_outcome_has_figures() -> None:
    found = observed(came(1))

    assert found.outcomes == 1
    assert found.coverage is not None
    assert found.coverage.low < found.coverage.high


def test_a_version_without_a_population_is_not_judged() -> None:
    found = observed_of(came(100, noise=9.0), None, params(), beat_average=True)

    assert (found.p_value, found.degraded, found.average_rmse) == (None, False, None)
    assert found.rmse is not None
    assert "nothing to compare them with" in found.says


def test_each_kind_of_prediction_is_set_beside_left_out_rows_of_its_kind() -> None:
    later = POPULATION.left_out[0]
    wide = LeftOut(
        over=("Side_Effects",),
        predicted=tuple(np.add(later.recorded, np.tile([3.0, -3.0], 400)).tolist()),
        recorded=later.recorded,
    )
    both = POPULATION.model_copy(update={"left_out": (later, wide)})
    some = came(80) + came(80, noise=2.0, seed=4, averaged_over=("Side_Effects",))

    found = observed_of(some, both, params(), beat_average=False)

    assert [test.name for test in found.tests] == [
        "squared_error", "mean_error", "interval_misses"
    ] * 2  # fmt: skip
    squared = [test for test in found.tests if test.name == "squared_error"]
    assert "before Side_Effects was known" in squared[1].says
    assert squared[1].p_value > 0.5


def test_the_newest_outcomes_are_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(degraded, "MOST_JUDGED", 60)

    found = observed(came(60) + came(60, noise=9.0, seed=5))

    assert (found.outcomes, found.degraded) == (120, False)
    assert found.notes == ("Only the newest 60 of 120 outcomes are evaluated.",)


def test_a_target_that_never_varies_breaks_nothing() -> None:
    constant = POPULATION.model_copy(
        update={"left_out": (LeftOut(predicted=(6.0,) * 100, recorded=(6.0,) * 100),)}
    )
    same = [Came(one, 6.0) for one in predictions(60, score=6.0)]
    other = [Came(one, 5.0) for one in predictions(60, score=6.0)]

    as_ever = observed_of(same, constant, params(), beat_average=True)
    changed = observed_of(other, constant, params(), beat_average=True)

    assert (as_ever.degraded, changed.degraded) == (False, True)
    assert as_ever.p_value == pytest.approx(1)


def test_figures_of_a_window_are_those_of_its_rows() -> None:
    some = came(200)

    found = observed(some)

    errors = np.array([one.prediction.score - one.recorded for one in some])
    assert found.rmse is not None
    assert found.rmse.value == pytest.approx(np.sqrt((errors**2).mean()), abs=1e-6)
    assert found.coverage is not None
    assert found.coverage.value == pytest.approx((np.abs(errors) <= 1.2).mean())
    assert found.coverage.low < found.coverage.value < found.coverage.high
    assert found.coverage_target == 0.9
    assert found.beats_average is True
    assert found.calibration is not None
    assert {one.feature for one in found.subgroups} == {*params().roles.subgroups}
    assert sum(one.rows for one in found.subgroups if one.feature == "Gender") == 200


@pytest.mark.slow
def test_outcomes_alarm_as_seldom_as_is_said() -> None:
    """At 5%, of a hundred sets; noise half as large again is found in nearly all of them."""
    left_out = left_out_errors(POPULATION.left_out[0], params())

    def alarms(noise: float, seed: int) -> bool:
        live, generator = Errors.of(came(60, noise, seed=seed)), np.random.default_rng(seed)
        tests = outcome_tests(live, left_out, 0.9, POPULATION.average, generator, 1000, ())
        return (joint([test.p_value for test in tests]) or 0.0) < 0.05

    def alarmed(noise: float) -> int:
        return sum(alarms(noise, seed) for seed in range(100))

    assert alarmed(0.7) <= 11
    assert alarmed(1.05) >= 90


def test_a_mean_error_is_tested_as_welch_did() -> None:
    generator = np.random.default_rng(1)
    before, now = generator.normal(0, 1, 300), generator.normal(0.3, 2, 80)

    assert welch(before, now) == stats.ttest_ind(now, before, equal_var=False).pvalue


def test_errors_that_are_all_the_same_differ_or_do_not() -> None:
    assert welch(np.zeros(9), np.zeros(5)) == 1
    assert welch(np.zeros(9), np.ones(5)) == 0


@pytest.mark.parametrize("left_out", [100, 800])
def test_misses_are_as_likely_as_intervals_of_so_few_residuals_make_them(left_out: int) -> None:
    """The known answer: simulate intervals of so many residuals, and what they miss."""
    generator = np.random.default_rng(1)
    rank = int(np.ceil((left_out + 1) * 0.9))
    half = np.sort(np.abs(generator.normal(size=(4000, left_out))), axis=1)[:, rank - 1]
    misses = (np.abs(generator.normal(size=(4000, 100))) > half[:, np.newaxis]).sum(axis=1)

    for number in (12, 16, 20):
        found = misses_p_value(np.arange(100) < number, left_out, 0.9)
        assert found == pytest.approx((misses >= number).mean(), abs=0.025)


def test_an_interval_of_too_few_residuals_is_the_whole_scale_and_misses_nothing() -> None:
    assert misses_p_value(np.ones(50, np.bool_), 8, 0.9) == 1


def test_errors_are_of_what_was_served() -> None:
    (one,) = came(1)
    outside = replace(one, recorded=one.prediction.high + 0.01)

    found = Errors.of([one, outside])

    assert found.errors[0] == pytest.approx(one.prediction.score - one.recorded)
    assert found.missed[1]


def test_predictions_with_an_outcome_that_are_like_the_rest_speak_for_all() -> None:
    some = predictions(600)

    found = selection_of(
        counted(some[:200], POPULATION, VERSION, params()),
        counted(some[200:], POPULATION, VERSION, params()),
        params(),
    )

    assert (found.differs, found.columns) == (False, ())
    assert found.says.startswith("Predictions with an outcome resemble the rest (p")


def test_outcomes_of_the_old_alone_speak_for_them_alone() -> None:
    some = predictions(600)

    found = selection_of(
        counted([told_otherwise(one, Age=79) for one in some[:200]], POPULATION, VERSION, params()),
        counted(some[200:], POPULATION, VERSION, params()),
        params(),
    )

    assert (found.differs, found.columns) == (True, ("Age",))
    assert "differ from the rest in Age" in found.says


def test_of_few_predictions_with_an_outcome_nobody_can_tell() -> None:
    some = predictions(100)

    found = selection_of(
        counted(some[:9], POPULATION, VERSION, params()),
        counted(some[9:], POPULATION, VERSION, params()),
        params(),
    )

    assert (found.p_value, found.differs) == (None, False)
    assert "9 have one, 91 do not" in found.says
