from typing import Any

import numpy as np
import pytest
from bootstrap import Bootstrap, rmse_difference
from clinical.params import Gate, params
from clinical.verdict import (
    AgainstChampion,
    Baseline,
    Calibration,
    CalibrationBin,
    Coverage,
    Estimate,
    Figures,
    Parity,
    Quantiles,
    Replayed,
    Scores,
    Verdict,
    WinBin,
    Wins,
)
from hypothesis import given
from hypothesis import strategies as st
from retrain.approval import approval_needed
from retrain.gate import coverage_tolerance, judged

GATE = params().gate
ANY = Estimate(value=1, low=0.9, high=1.1)
SCORES = Scores(rmse=ANY, mae=ANY, r2=ANY)
BETTER = Estimate(value=-0.5, low=-0.6, high=-0.4)
ABOUT_EQUAL = Estimate(value=0.01, low=-0.03, high=0.05)
WORSE = Estimate(value=0.5, low=0.4, high=0.6)


def champion(
    difference: Estimate | None = ABOUT_EQUAL, *, beats: bool = False, **other: Any
) -> AgainstChampion:
    return AgainstChampion(
        version="v-11111111",
        sequence=3,
        rows=200,
        scores=SCORES,
        rmse_difference=difference,
        beats_average=beats,
        **other,
    )


def figures(**other: Any) -> Figures:
    parity = Parity(max_error=1e-6, holds=other.pop("parity", True))
    coverage = Coverage(
        target=0.9, measured=0.91, tolerance=0.05, holds=other.pop("coverage", True)
    )
    return Figures(
        **{
            "rows": 200,
            "confidence": 0.95,
            "candidate": SCORES,
            "average": SCORES,
            "skill": ANY,
            "rmse_difference": BETTER,
            "parity": parity,
            "coverage": coverage,
            **other,
        }
    )


def decided(gate: Gate = GATE, **other: Any) -> Verdict:
    return judged(figures(**other), params().model_copy(update={"gate": gate}))


def test_a_candidate_that_beats_the_average_is_promoted() -> None:
    verdict = decided()

    assert verdict.decision == "promoted"
    assert verdict.beats_average
    assert verdict.reasons[0].startswith("It beats the average baseline")


@pytest.mark.parametrize("difference", [ABOUT_EQUAL, WORSE])
@pytest.mark.parametrize("policy", ["promoted_with_warning", "rejected"])
def test_one_that_does_not_is_what_params_say(difference: Estimate, policy: str) -> None:
    gate = GATE.model_copy(update={"without_skill": policy})

    verdict = decided(gate, rmse_difference=difference)

    assert verdict.decision == policy
    assert not verdict.beats_average
    assert "does not beat the average baseline" in verdict.reasons[0]
    assert f"{difference.low:+.3f} to {difference.high:+.3f}" in verdict.reasons[0]


def test_one_that_does_not_beat_the_average_leaves_a_champion_that_does() -> None:
    verdict = decided(rmse_difference=ABOUT_EQUAL, champion=champion(beats=True))

    assert verdict.decision == "rejected"
    assert "so it stays" in verdict.reasons[2]


def test_one_that_does_not_beat_the_average_follows_a_champion_that_does_not_either() -> None:
    assert decided(rmse_difference=ABOUT_EQUAL, champion=champion()).decision == (
        "promoted_with_warning"
    )


@pytest.mark.parametrize("high", [-0.001, 0.0])
def test_only_an_interval_that_is_whole_below_0_beats_the_average(high: float) -> None:
    verdict = decided(rmse_difference=Estimate(value=-0.1, low=-0.2, high=high))

    assert verdict.beats_average is (high < 0)


@pytest.mark.parametrize("low", [0.0, 0.001])
def test_only_an_interval_that_is_whole_above_0_is_worse_than_the_champion(low: float) -> None:
    verdict = decided(champion=champion(Estimate(value=0.1, low=low, high=0.2)))

    assert (verdict.decision == "rejected") is (low > 0)
    assert ("is significantly worse than" in verdict.reasons[1]) is (low > 0)


def test_one_that_does_not_leaves_a_champion_that_did_and_cannot_be_compared() -> None:
    verdict = decided(rmse_difference=ABOUT_EQUAL, champion=champion(None, beats=True))

    assert verdict.decision == "rejected"


def test_significantly_worse_than_the_champion_is_rejected_even_if_it_beats_the_average() -> None:
    verdict = decided(champion=champion(WORSE, beats=True))

    assert verdict.decision == "rejected"
    assert "is significantly worse than the champion v-11111111" in verdict.reasons[1]
    assert "stays" not in "".join(verdict.reasons)  # it is not for its own want of skill


@pytest.mark.parametrize(
    ("difference", "said"),
    [
        (BETTER, "is significantly better than"),
        (ABOUT_EQUAL, "is not significantly different from"),
    ],
)
def test_what_is_not_worse_than_the_champion_is_promoted(difference: Estimate, said: str) -> None:
    verdict = decided(champion=champion(difference, beats=True))

    assert verdict.decision == "promoted"
    assert said in verdict.reasons[1]


def test_what_could_not_be_compared_with_a_champion_that_beats_the_average_is_withheld() -> None:
    verdict = decided(champion=champion(None, beats=True))

    assert verdict.decision == "withheld"
    assert "was not compared with" in verdict.reasons[1]
    assert "promote the version by name" in verdict.reasons[2]


@pytest.mark.parametrize("difference", [BETTER, ABOUT_EQUAL])
def test_what_could_not_be_compared_with_a_champion_without_skill_follows_it(
    difference: Estimate,
) -> None:
    verdict = decided(rmse_difference=difference, champion=champion(None))

    assert verdict.decision == ("promoted" if difference is BETTER else "promoted_with_warning")


@pytest.mark.parametrize(
    ("lost", "decision"), [(0, "promoted"), (22, "promoted"), (23, "withheld"), (222, "withheld")]
)
@pytest.mark.parametrize("beats", [True, False])
def test_the_gate_limits_how_many_recorded_combinations_may_be_lost(
    lost: int, decision: str, *, beats: bool
) -> None:
    knowing = {"combinations": 222, "lost_combinations": lost}

    verdict = decided(champion=champion(beats=beats).model_copy(update=knowing))

    assert verdict.decision == decision
    said = [one for one in verdict.reasons if f"lack {lost} of the 222 combinations" in one]
    assert len(said) == (lost > 0)
    assert any("more than the 10%" in one for one in verdict.reasons) is (decision == "withheld")


def test_what_is_rejected_is_not_withheld_besides() -> None:
    knowing = {"combinations": 222, "lost_combinations": 222}

    verdict = decided(champion=champion(WORSE).model_copy(update=knowing))

    assert verdict.decision == "rejected"
    assert not any("by name" in one for one in verdict.reasons)  # for it is not published


@given(
    parity=st.booleans(),
    coverage=st.booleans(),
    rmse_difference=st.sampled_from([BETTER, ABOUT_EQUAL, WORSE]),
    champion=st.sampled_from([None, champion(), champion(beats=True), champion(WORSE)]),
)
def test_whatever_else_holds_parity_and_coverage_must(**other: Any) -> None:
    verdict = decided(**other)

    if not (other["parity"] and other["coverage"]):
        assert verdict.decision == "rejected"
    assert ("ONNX and scikit-learn agree" in verdict.reasons[-1]) is other["parity"]
    assert ("within" in verdict.reasons[-2]) is other["coverage"]
    assert all(reason.endswith(".") for reason in verdict.reasons)


def test_reasons_are_sentences_with_their_figures() -> None:
    verdict = decided(rmse_difference=ABOUT_EQUAL, champion=champion(BETTER, beats=True))

    average, compared, stays, ridge, coverage, parity = verdict.reasons
    assert average == (
        "It does not beat the average baseline: on 200 held-out rows, its RMSE is 1.000 and the "
        "baseline's 1.000, a difference of +0.010 (95% interval -0.030 to +0.050; below 0 is "
        "better)."
    )
    assert compared == (
        "It is significantly better than the champion v-11111111: on the 200 held-out rows that "
        "neither was trained on, its RMSE differs by -0.500 (95% interval -0.600 to -0.400)."
    )
    assert stays == "The champion does beat the average baseline, so it stays."
    assert ridge == "No ridge regression could be fitted on the same rows for comparison."
    assert coverage == (
        "Its 90% intervals contain 91.0% of 200 recorded scores, within the tolerance of 5.0 "
        "percentage points."
    )
    assert parity == (
        "ONNX and scikit-learn agree: the largest difference is 1.0e-06, and at most 1e-04 points "
        "is allowed."
    )


LOWER = Estimate(value=-0.06, low=-0.1, high=-0.02)
HIGHER = Estimate(value=0.04, low=0.002, high=0.08)


@pytest.mark.parametrize(
    ("candidate_beats", "against_ridge", "ridge_against_average", "ends"),
    [
        (True, LOWER, BETTER, "the model's is 0.060 lower (95% interval -0.100 to -0.020)."),
        (True, HIGHER, BETTER, "the model's is 0.040 higher (95% interval +0.002 to +0.080)."),
        (
            True,
            ABOUT_EQUAL,
            BETTER,
            (
                "the model's is not significantly different, by +0.010 (95% interval -0.030 to "
                "+0.050)."
            ),
        ),
        (True, LOWER, ABOUT_EQUAL, "-0.020); it does not beat the average baseline."),
        (False, LOWER, ABOUT_EQUAL, "-0.020); it does not beat the average baseline either."),
        (False, ABOUT_EQUAL, WORSE, "+0.050); it does not beat the average baseline either."),
        (False, HIGHER, BETTER, "+0.080); it does beat the average baseline."),
    ],
)
def test_a_ridge_regression_is_set_beside_the_candidate_and_decides_nothing(
    candidate_beats: bool, against_ridge: Estimate, ridge_against_average: Estimate, ends: str
) -> None:
    difference = BETTER if candidate_beats else ABOUT_EQUAL
    baseline = Baseline(
        name="Ridge regression",
        scores=SCORES,
        rmse_difference=against_ridge,
        average_difference=ridge_against_average,
    )

    verdict = decided(rmse_difference=difference, baseline=baseline)

    assert verdict.decision == decided(rmse_difference=difference).decision
    (said,) = [one for one in verdict.reasons if "idge" in one]
    assert said.startswith("Ridge regression, on the same rows, has an RMSE of 1.000; the model's ")
    assert said.endswith(ends)


def test_without_a_champion_that_is_said() -> None:
    assert decided().reasons[1] == "There is no champion to compare it with."


@given(rows=st.integers(1, 10_000), more=st.integers(1, 10_000))
def test_the_fewer_rows_the_more_coverage_may_be_off(rows: int, more: int) -> None:
    few, many = (coverage_tolerance(0.9, one, GATE) for one in (rows, rows + more))

    assert few >= many >= GATE.coverage_tolerance
    assert few > many or few == GATE.coverage_tolerance


def test_coverage_may_be_off_by_5_points_of_200_rows_and_by_more_of_fewer() -> None:
    assert coverage_tolerance(0.9, 200, GATE) == 0.05
    assert coverage_tolerance(0.9, 20_000, GATE) == 0.05
    assert coverage_tolerance(0.9, 50, GATE) == pytest.approx(0.0987, abs=1e-4)


@pytest.mark.parametrize(
    "other",
    [
        champion(WORSE, beats=True, serves=False),
        champion(None, beats=True, serves=False),
        champion(beats=True, serves=False, combinations=100, lost_combinations=100),
        champion(None, beats=False, serves=False, not_compared="it is of another study"),
    ],
)
def test_a_champion_that_cannot_serve_any_more_stops_no_successor(other: AgainstChampion) -> None:
    better = decided(champion=other)
    no_better = decided(champion=other, rmse_difference=ABOUT_EQUAL)

    assert better.decision == "promoted"
    assert no_better.decision == GATE.without_skill
    assert not any("promote the version by name" in one for one in better.reasons)
    assert not any("so it stays" in one for one in no_better.reasons)


def test_why_a_champion_was_not_compared_and_what_it_cannot_do_are_said() -> None:
    gone = decided(champion=champion(None, serves=False, not_compared="`BMI` is gone"))
    outgrown = decided(champion=champion(BETTER, serves=False))

    assert gone.reasons[1] == "It was not compared with the champion v-11111111: `BMI` is gone."
    assert "is significantly better than the champion v-11111111" in outgrown.reasons[1]
    assert outgrown.reasons[2].endswith("cannot answer them, so it does not block a successor.")


def test_one_that_serves_still_stops_what_is_worse_than_it() -> None:
    assert decided(champion=champion(WORSE)).decision == "rejected"
    assert decided(champion=champion(None, beats=True)).decision == "withheld"


def line(slope: Estimate, *bins: CalibrationBin) -> Calibration:
    return Calibration(intercept=ANY, slope=slope, in_the_large=ANY, bins=bins)


LOW = CalibrationBin(predicted=3.9, recorded=Estimate(value=4.012, low=3.7, high=4.3049), rows=20)
HIGH = CalibrationBin(predicted=8.1, recorded=Estimate(value=7.6, low=7.3, high=7.9), rows=20)


@pytest.mark.parametrize(
    ("slope", "said"),
    [
        (Estimate(value=0.93, low=0.86, high=1.01), "0.93 (0.86 to 1.01; ideally 1)."),
        (
            Estimate(value=0.6, low=0.5, high=0.7),
            "0.60 (0.50 to 0.70; ideally 1; below 1, predictions are too far apart).",
        ),
        (
            Estimate(value=1.6, low=1.5, high=1.7),
            "1.60 (1.50 to 1.70; ideally 1; above 1, predictions are too close together).",
        ),
    ],
)
def test_calibration_is_told_in_words(slope: Estimate, said: str) -> None:
    verdict = decided(calibration=line(slope, LOW, HIGH))

    assert verdict.reasons[3] == (
        "Where it predicts 8.10 points, the recorded mean is 7.60 (95% interval 7.30 to 7.90), "
        "and where it predicts 3.90, 4.01 (3.70 to 4.30); the calibration slope is " + said
    )
    assert verdict.decision == "promoted"


def test_the_calibration_of_a_constant_has_no_slope() -> None:
    nothing = Estimate(value=0, low=0, high=0)

    verdict = decided(calibration=line(nothing, HIGH))

    assert verdict.reasons[3] == (
        "It predicts 8.10 points on average; recorded are 7.60 (95% interval 7.30 to 7.90)."
    )


def bins(*, won: float | None) -> tuple[WinBin, ...]:
    known = None if won is None else Estimate(value=won, low=won - 0.1, high=won + 0.1)
    right = None if won is None else Estimate(value=0.25, low=0.1, high=0.4)
    return (
        WinBin(predicted=0.25, won=right, pairs=900),
        WinBin(predicted=0.55, won=None, pairs=3),
        WinBin(predicted=0.8, won=known, pairs=900),
    )


@pytest.mark.parametrize(
    ("won", "said"),
    [
        (
            0.78,
            (
                "In pairs of held-out patients, the one predicted to do better did so as often as "
                "predicted, within chance, in all 2 bins of predicted probabilities."
            ),
        ),
        (
            0.64,
            (
                "The predicted probabilities that one patient does better than another are off by "
                "more than chance allows: in pairs of held-out patients with a predicted 80%, 64% "
                "did (54% to 74%)."
            ),
        ),
        (
            None,
            (
                "The 40 held-out rows are too few to check the predicted probabilities that "
                "one patient does better than another."
            ),
        ),
    ],
)
def test_win_probabilities_that_are_off_are_told_and_stop_nothing(
    won: float | None, said: str
) -> None:
    verdict = decided(wins=Wins(rows=40, bins=bins(won=won), holds=won != 0.64))

    assert verdict.decision == "promoted"
    assert verdict.reasons[3] == said


# ---- Requests that were asked once more ----

CHANGE = Quantiles(p05=-0.41, p25=-0.1, p50=0.0, p75=0.1, p95=0.38)
JUST_WORSE = Estimate(value=0.1, low=0.01, high=0.19)  # by itself
WITHIN_TWO = Estimate(value=0.1, low=-0.01, high=0.21)  # and as one of two


def replay(difference: Estimate | None = None, **other: Any) -> Replayed:
    return Replayed(
        **{
            "champion": "v-11111111",
            "requests": 1412,
            "change": CHANGE,
            "moved": 0.031,
            "outcomes": 120 if difference else 3,
            "rmse_difference": difference,
            "rmse_difference_of_two": difference,
            **other,
        }
    )


def about(verdict: Verdict, *words: str) -> str:
    (said,) = [one for one in verdict.reasons if any(word in one for word in words)]
    return said


def test_the_verdict_says_what_the_candidate_would_have_answered() -> None:
    verdict = decided(champion=champion(), replay=replay(refused=12))

    assert verdict.decision == "promoted"
    assert about(verdict, "In a replay") == (
        "In a replay of the last 1,412 requests, 3.1% of its scores differ from the champion's by "
        "more than the half-width of the champion's interval; nine in ten scores change by -0.41 "
        "to +0.38."
    )
    assert "It would refuse 12 requests that the champion answers" in about(verdict, "refuse")
    assert about(verdict, "on outcomes") == (
        "It was not compared with the champion on outcomes of these requests, because only 3 are "
        "known that neither was trained on, which is too few."
    )


def test_significantly_worse_on_outcomes_is_rejected() -> None:
    verdict = decided(champion=champion(beats=True), replay=replay(WORSE))

    assert verdict.decision == "rejected"
    assert about(verdict, "120 outcomes") == (
        "On the 120 outcomes of these requests that neither was trained on, it is significantly "
        "worse than the champion: its RMSE differs by +0.500 (97.5% interval +0.400 to +0.600). "
        "Because there are two comparisons, each uses a 97.5% interval."
    )


@pytest.mark.parametrize("difference", [BETTER, ABOUT_EQUAL])
def test_what_is_not_worse_on_outcomes_is_promoted(difference: Estimate) -> None:
    assert decided(champion=champion(), replay=replay(difference)).decision == "promoted"


def test_each_of_two_comparisons_takes_a_wider_interval_than_one_alone() -> None:
    of_two = {"rmse_difference_of_two": WITHIN_TWO}
    held_out = champion(JUST_WORSE).model_copy(update=of_two)
    outcomes = replay(JUST_WORSE).model_copy(update=of_two)

    assert decided(champion=held_out).decision == "rejected"
    assert decided(champion=held_out, replay=replay()).decision == "rejected"
    assert decided(champion=champion(None), replay=outcomes).decision == "rejected"
    both = decided(champion=held_out, replay=outcomes)
    assert both.decision == "promoted"
    assert "97.5% interval -0.010 to +0.210" in both.reasons[1]


def test_a_champion_that_was_compared_on_outcomes_alone_is_compared() -> None:
    verdict = decided(champion=champion(None, beats=True), replay=replay(ABOUT_EQUAL))

    assert verdict.decision == "promoted"
    assert "was not compared with" in verdict.reasons[1]
    assert "95% interval" in about(verdict, "120 outcomes")
    assert not any("by name" in one for one in verdict.reasons)


def test_one_that_was_compared_on_neither_is_not() -> None:
    verdict = decided(champion=champion(None, beats=True), replay=replay())

    assert verdict.decision == "withheld"


def test_a_replay_that_is_void_decides_nothing_and_says_so() -> None:
    void = replay(void="The replay is void: the champion answers otherwise.", change=None)

    verdict = decided(champion=champion(), replay=void)

    assert verdict.decision == "promoted"
    assert void.void in verdict.reasons
    assert not any("once more" in one for one in verdict.reasons)


def test_a_champion_that_serves_no_more_stops_nobody_by_outcomes_either() -> None:
    gone = champion(None, serves=False, not_compared="it can no longer be read or scored")

    assert decided(champion=gone, replay=replay(WORSE)).decision == "promoted"


def compared(rows: int, seed: int, more: float) -> tuple[Estimate, Estimate]:
    """Compare two models, of which the candidate's own errors are larger by so much."""
    draw = np.random.default_rng(seed)
    noise = draw.normal(0, 0.7, rows)
    candidate, champion = (draw.normal(0, 0.4 + off, rows) - noise for off in (more, 0))
    bootstrap = Bootstrap(400, 0.95, seed)
    alone, of_two = (
        one.estimate(rmse_difference, candidate, champion)
        for one in (bootstrap, bootstrap.of_two())
    )
    return alone, of_two


@pytest.mark.parametrize(
    ("more", "tries", "least", "most"), [(0.0, 400, 0.0, 0.045), (0.4, 100, 0.9, 1.0)]
)
def test_two_comparisons_reject_one_that_is_as_good_no_more_often_than_one(
    more: float, tries: int, least: float, most: float
) -> None:
    rejected = 0
    for seed in range(tries):
        held_out, on_outcomes = (compared(100, 2 * seed + place, more) for place in (0, 1))
        verdict = decided(
            champion=champion(held_out[0], rmse_difference_of_two=held_out[1]),
            replay=replay(on_outcomes[0], rmse_difference_of_two=on_outcomes[1]),
        )
        rejected += verdict.decision == "rejected"

    # 2.5% are meant; of 400, chance allows 2 points more.
    assert least <= rejected / tries <= most


# ---- Who has to approve ----


def asked(approval: object, **other: Any) -> tuple[str, ...]:
    """Say why somebody has to approve of a candidate with some figures."""
    gate = Gate.model_validate(GATE.model_dump() | {"approval": approval})
    return approval_needed(decided(gate, **other), gate)


def replayed(**other: Any) -> Replayed:
    return Replayed.model_validate(
        {"champion": "v-11111111", "requests": 1000, "moved": 0.05} | other
    )


@pytest.mark.parametrize("approval", ["none", "always", {"when": ["with_warning"]}])
@pytest.mark.parametrize(
    "other",
    [
        {"parity": False},
        {"champion": champion(WORSE)},
        {"champion": champion(None, beats=True)},
        {"champion": champion(combinations=10, lost_combinations=9)},
    ],
)
def test_what_does_not_serve_by_itself_needs_no_approval(
    approval: object, other: dict[str, Any]
) -> None:
    assert asked(approval, **other) == ()


def test_nobody_or_somebody_has_to_approve_of_every_candidate() -> None:
    assert asked("none") == ()
    assert asked("none", rmse_difference=ABOUT_EQUAL) == ()
    assert asked("always") == ("Every candidate needs approval (gate.approval: always).",)


WARNED: dict[str, Any] = {"rmse_difference": ABOUT_EQUAL}
LOSES: dict[str, Any] = {"champion": champion(combinations=100, lost_combinations=3)}
CALM: dict[str, Any] = {"champion": champion(), "replay": replayed()}
MOVES = {"replay_moves_more_than": 0.1}


@pytest.mark.parametrize(
    ("rules", "other", "said"),
    [
        (["with_warning"], {}, []),
        (
            ["with_warning"],
            WARNED,
            ["It does not beat the average baseline, and would serve with a"],
        ),
        (["loses_combinations"], {}, []),
        (["loses_combinations"], {"champion": champion(combinations=100)}, []),
        (["loses_combinations"], LOSES, ["Its data lack 3 of the 100 combinations rec"]),
        (["with_warning", "loses_combinations"], WARNED | LOSES, ["It does not", "Its data lack"]),
        ([MOVES], {}, []),  # there is no champion whose scores could move
        ([MOVES], CALM, []),
        ([MOVES], CALM | {"replay": replayed(moved=0.1)}, []),
        ([MOVES], CALM | {"replay": replayed(moved=0.11)}, ["Of 1,000 replayed requests, 11.0% c"]),
        ([MOVES], CALM | {"replay": replayed(refused=40)}, []),
        ([MOVES], CALM | {"replay": replayed(refused=80)}, ["Of 1,080 replayed requests, 12.0% c"]),
        (
            [MOVES],
            CALM | {"replay": None},
            ["There is no replay to show how its scores differ from"],
        ),
        (
            [MOVES],
            CALM | {"replay": replayed(requests=0, moved=None)},
            ["There is no replay to show"],
        ),
        ([MOVES], CALM | {"replay": replayed(void="It is void.")}, ["There is no replay to show"]),
        ([{"replay_moves_more_than": 0}], CALM, ["Of 1,000 replayed requests, 5.0% change"]),
        (["with_warning", MOVES], WARNED | CALM, ["It does not beat"]),
        (["loses_combinations", MOVES], LOSES, ["Its data lack", "There is no replay"]),
    ],
)
def test_each_rule_that_asks_for_an_approval_says_why(
    rules: list[object], other: dict[str, Any], said: list[str]
) -> None:
    found = asked({"when": rules}, **other)

    assert len(found) == len(said)
    for one, begins in zip(found, said, strict=True):
        assert one.startswith(begins)


@given(
    requests=st.integers(0, 10_000),
    refused=st.integers(0, 10_000),
    moved=st.floats(0, 1),
    most=st.floats(0, 0.999),
)
def test_no_replay_in_which_too_many_move_serves_without_an_approval(
    requests: int, refused: int, moved: float, most: float
) -> None:
    replay = replayed(requests=requests, refused=refused, moved=moved)

    found = asked({"when": [{"replay_moves_more_than": most}]}, champion=champion(), replay=replay)

    too_many = not requests or moved * requests + refused > most * (requests + refused)
    assert bool(found) == too_many
