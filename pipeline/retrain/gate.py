"""Decide whether a candidate is promoted, and give the reasons in sentences."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

from bootstrap import one_of_two
from clinical.params import Gate, Params
from clinical.verdict import (
    AgainstChampion,
    Calibration,
    CalibrationBin,
    Coverage,
    Decision,
    Estimate,
    Figures,
    Replayed,
    Verdict,
    WinBin,
    Wins,
)
from wording import counted

CHANCE = 0.01  # to either side: correct intervals are off by more in 2 of 100 runs


def coverage_tolerance(target: float, rows: int, gate: Gate, checks: int = 1) -> float:
    """Return the tolerance of measured coverage: that in params.yaml, or more if rows are few.

    The latter is the normal bound of a binomial fraction, which is 0.05 for 0.9 of 200 rows.
    checks: the number of coverages that are checked, any of which might be off by chance.
    """
    bound = NormalDist().inv_cdf(1 - CHANCE / checks)
    return max(gate.coverage_tolerance, bound * sqrt(target * (1 - target) / rows))


def judged(figures: Figures, params: Params) -> Verdict:
    """Decide on figures; the first reason against promotion determines the decision."""
    gate = params.gate
    beats_average = figures.rmse_difference.high < 0
    # A champion that cannot answer current requests is compared and reported, but does not block.
    champion = figures.champion if figures.champion and figures.champion.serves else None
    compared = _comparisons(figures)
    is_worse = champion is not None and any(one.difference.low > 0 for one in compared)
    is_unproven = champion is not None and champion.beats_average and not compared
    decision: Decision
    if not (figures.parity.holds and _covers(figures)) or is_worse:
        decision = "rejected"
    elif beats_average:
        decision = "promoted"
    elif champion and champion.beats_average:
        decision = "rejected"
    else:
        decision = gate.without_skill
    if decision != "rejected" and (is_unproven or _loses(champion, gate)):
        decision = "withheld"
    return Verdict(
        **dict(figures),
        decision=decision,
        beats_average=beats_average,
        reasons=(
            _of_average(figures, beats=beats_average),
            *_of_champion(figures, decision, beats=beats_average),
            *_of_replayed(figures, params),
            *_of_combinations(figures.champion, decision, gate),
            _of_baseline(figures, beats=beats_average),
            *_of_calibration(figures.calibration, figures.confidence, params),
            *_of_wins(figures.wins),
            _of_coverage(figures.coverage, figures.rows),
            *_of_averaged(figures, params),
            _of_parity(figures, params),
        ),
    )


def _covers(figures: Figures) -> bool:
    """Whether the intervals of all kinds of served predictions meet their target coverage."""
    return figures.coverage.holds and all(one.coverage.holds for one in figures.averaged)


@dataclass(frozen=True)
class Comparison:
    """The candidate's RMSE less the champion's, and the confidence of its interval."""

    difference: Estimate
    confidence: float

    @property
    def found(self) -> str:
        if self.difference.low > 0:
            return "is significantly worse than"
        if self.difference.high < 0:
            return "is significantly better than"
        return "is not significantly different from"

    def __str__(self) -> str:
        one = self.difference
        return (
            f"its RMSE differs by {one.value:+.3f} ({self.confidence:.3g}% interval {one.low:+.3f} "
            f"to {one.high:+.3f})"
        )


def _comparisons(figures: Figures) -> list[Comparison]:
    """Return the comparisons with the champion: on held-out rows, and on outcomes of requests.

    If there are two, each uses a wider interval: otherwise a candidate as good as the champion
    would be rejected twice as often.
    """
    return [one for one in (_on_held_out(figures), _on_outcomes(figures)) if one]


def _on_held_out(figures: Figures) -> Comparison | None:
    return _compared_on(figures.champion, figures.replay, figures.confidence)


def _on_outcomes(figures: Figures) -> Comparison | None:
    return _compared_on(figures.replay, figures.champion, figures.confidence)


def _compared_on(
    one: AgainstChampion | Replayed | None,
    other: AgainstChampion | Replayed | None,
    confidence: float,
) -> Comparison | None:
    if one is None or one.rmse_difference is None:
        return None
    if other is None or other.rmse_difference is None or one.rmse_difference_of_two is None:
        return Comparison(one.rmse_difference, 100 * confidence)
    return Comparison(one.rmse_difference_of_two, 100 * one_of_two(confidence))


def _loses(champion: AgainstChampion | None, gate: Gate) -> bool:
    return bool(
        champion and champion.lost_combinations > gate.max_lost_combinations * champion.combinations
    )


def _of_average(figures: Figures, *, beats: bool) -> str:
    difference = figures.rmse_difference
    return (
        f"It {'beats' if beats else 'does not beat'} the average baseline: on {figures.rows:,} "
        f"held-out rows, its RMSE is {figures.candidate.rmse.value:.3f} and the baseline's "
        f"{figures.average.rmse.value:.3f}, a difference of {difference.value:+.3f} "
        f"({figures.confidence:.0%} interval {difference.low:+.3f} to {difference.high:+.3f}; "
        "below 0 is better)."
    )


def _of_champion(figures: Figures, decision: Decision, *, beats: bool) -> list[str]:
    champion = figures.champion
    if champion is None:
        return ["There is no champion to compare it with."]
    compared = _compared(champion, _on_held_out(figures))
    if decision == "rejected" and champion.serves and champion.beats_average and not beats:
        return [compared, "The champion does beat the average baseline, so it stays."]
    if not champion.serves and not champion.not_compared:
        return [
            compared,
            (
                "The champion was trained on columns other than those that requests have now and "
                "cannot answer them, so it does not block a successor."
            ),
        ]
    if champion.beats_average and not _comparisons(figures):
        return [
            compared,
            (
                "The champion beats the average baseline, so a candidate that was not compared "
                "with it does not replace it automatically. To let it serve, promote the version "
                "by name."
            ),
        ]
    return [compared]


def _of_replayed(figures: Figures, params: Params) -> list[str]:
    """Describe the replay of the last requests, compared with the champion."""
    replay = figures.replay
    if replay is None:
        return []
    if replay.void:
        return [*replay.notes, replay.void]
    return [
        *_of_change(replay, params),
        *replay.notes,
        *_of_outcomes(replay, _on_outcomes(figures), both=len(_comparisons(figures)) > 1),
    ]


def _of_change(replay: Replayed, params: Params) -> Iterator[str]:
    if replay.change is not None and replay.moved is not None:
        low, high = (
            f"{one:+z.{params.target.decimals}f}" for one in (replay.change.p05, replay.change.p95)
        )
        yield (
            f"In a replay of the last {counted(replay.requests, 'request')}, {replay.moved:.1%} of "
            "its scores differ from the champion's by more than the half-width of the champion's "
            f"interval; nine in ten scores change by {low} to {high}."
        )
    if replay.refused:
        yield (
            f"It would refuse {counted(replay.refused, 'request')} that the champion answers, "
            "because their combinations are not recorded in its data."
        )


def _of_outcomes(replay: Replayed, compared: Comparison | None, *, both: bool) -> Iterator[str]:
    if compared is None:
        yield (
            "It was not compared with the champion on outcomes of these requests, because only "
            f"{replay.outcomes:,} are known that neither was trained on, which is too few."
        )
        return
    told = (
        f"On the {replay.outcomes:,} outcomes of these requests that neither was trained on, it "
        f"{compared.found} the champion: {compared}."
    )
    if both:
        told += (
            f" Because there are two comparisons, each uses a {compared.confidence:.3g}% interval."
        )
    yield told


def _of_combinations(champion: AgainstChampion | None, decision: Decision, gate: Gate) -> list[str]:
    if champion is None or not champion.lost_combinations:
        return []
    fraction = champion.lost_combinations / champion.combinations
    lost = (
        f"Its data lack {champion.lost_combinations:,} of the {champion.combinations:,} "
        f"combinations recorded in the champion's data ({fraction:.0%}); requests for them would "
        "be refused."
    )
    if not champion.serves or not _loses(champion, gate):
        return [lost]
    too_many = f"That is more than the {gate.max_lost_combinations:.0%} that the gate allows."
    if decision == "withheld":  # what is rejected is not published
        too_many += " To let it serve, promote the version by name."
    return [lost, too_many]


def _compared(champion: AgainstChampion, compared: Comparison | None) -> str:
    if compared is None:
        return _not_compared(champion)
    return (
        f"It {compared.found} the champion {champion.version}: on the {champion.rows:,} held-out "
        f"rows that neither was trained on, {compared}."
    )


def _not_compared(champion: AgainstChampion) -> str:
    if champion.not_compared:
        return f"It was not compared with the champion {champion.version}: {champion.not_compared}."
    return (
        f"It was not compared with the champion {champion.version}: of the held-out rows, "
        f"only {champion.rows} are new to both and can be scored by both, which is too few."
    )


def _of_baseline(figures: Figures, *, beats: bool) -> str:
    """Compare a simple model of the same rows with the candidate."""
    baseline = figures.baseline
    if baseline is None:
        return "No ridge regression could be fitted on the same rows for comparison."
    difference = baseline.rmse_difference
    if difference.low <= 0 <= difference.high:
        compared = f"is not significantly different, by {difference.value:+.3f}"
    else:
        way = "lower" if difference.high < 0 else "higher"
        compared = f"is {abs(difference.value):.3f} {way}"
    if baseline.average_difference.high >= 0:
        average = f"; it does not beat the average baseline{'' if beats else ' either'}"
    else:
        average = "" if beats else "; it does beat the average baseline"
    return (
        f"{baseline.name}, on the same rows, has an RMSE of {baseline.scores.rmse.value:.3f}; the "
        f"model's {compared} ({figures.confidence:.0%} interval {difference.low:+.3f} to "
        f"{difference.high:+.3f}){average}."
    )


def _of_calibration(
    calibration: Calibration | None, confidence: float, params: Params
) -> list[str]:
    if calibration is None:
        return []
    decimals, unit = params.target.decimals, params.unit

    def figures(one: CalibrationBin) -> tuple[str, str, str, str]:
        found = one.recorded
        shown = [f"{x:z.{decimals}f}" for x in (one.predicted, found.value, found.low, found.high)]
        return shown[0], shown[1], shown[2], shown[3]

    lowest, highest = calibration.bins[0], calibration.bins[-1]
    predicted, recorded, low, high = figures(highest)
    interval = f"({confidence:.0%} interval {low} to {high})"
    if lowest == highest:
        said = f"It predicts {predicted} {unit} on average; recorded are {recorded} {interval}"
    else:
        said = f"Where it predicts {predicted} {unit}, the recorded mean is {recorded} {interval}"
        predicted, recorded, low, high = figures(lowest)
        said += f", and where it predicts {predicted}, {recorded} ({low} to {high})"
    slope = calibration.slope
    if slope.low == slope.high == 0:  # all predictions are the same
        return [f"{said}."]
    said += f"; the calibration slope is {slope.value:z.2f} ({slope.low:z.2f} to {slope.high:z.2f}"
    return [f"{said}; ideally 1{_of_slope(calibration)})."]


def _of_slope(calibration: Calibration) -> str:
    if calibration.slope.high < 1:
        return "; below 1, predictions are too far apart"
    if calibration.slope.low > 1:
        return "; above 1, predictions are too close together"
    return ""


def _of_wins(wins: Wins | None) -> list[str]:
    if wins is None:
        return []
    told = [(one, one.won) for one in wins.bins if one.won is not None]
    if not told:
        said = (
            f"The {wins.rows} held-out rows are too few to check the predicted probabilities that "
            "one patient does better than another."
        )
    elif wins.holds:
        said = (
            "In pairs of held-out patients, the one predicted to do better did so as often as "
            f"predicted, within chance, in {_counted(len(told))} of predicted probabilities."
        )
    else:
        worst, won = max(told, key=lambda one: _outside(one[0]))
        said = (
            "The predicted probabilities that one patient does better than another are off by more "
            "than chance allows: in pairs of held-out patients with a predicted "
            f"{worst.predicted:.0%}, {won.value:.0%} did ({won.low:.0%} to {won.high:.0%})."
        )
    return [said]


def _outside(one: WinBin) -> float:
    """How far a predicted probability is outside its interval."""
    if one.won is None:
        return 0.0
    return max(one.won.low - one.predicted, one.predicted - one.won.high)


def _counted(bins: int) -> str:
    return "one bin" if bins == 1 else f"all {bins} bins"


def _of_coverage(coverage: Coverage, rows: int) -> str:
    return (
        f"Its {coverage.target:.0%} intervals contain {coverage.measured:.1%} of {rows:,} recorded "
        f"scores, {'within' if coverage.holds else 'outside'} the tolerance of "
        f"{100 * coverage.tolerance:.1f} percentage points."
    )


def _of_averaged(figures: Figures, params: Params) -> list[str]:
    """Describe the performance of predictions without columns that are not known yet."""
    return [
        f"Without {_listed(one.over, params)}, averaged over the recorded values, its RMSE is "
        f"{one.scores.rmse.value:.3f}, and the intervals of these predictions contain "
        f"{one.coverage.measured:.1%}, {'within' if one.coverage.holds else 'outside'} the "
        "tolerance."
        for one in figures.averaged
    ]


def _listed(columns: tuple[str, ...], params: Params) -> str:
    *rest, last = map(params.label, columns)
    return f"{', '.join(rest)} and {last}" if rest else last


def _of_parity(figures: Figures, params: Params) -> str:
    return (
        f"ONNX and scikit-learn {'agree' if figures.parity.holds else 'disagree'}: the largest "
        f"difference is {figures.parity.max_error:.1e}, and at most "
        f"{params.gate.max_parity_error * params.width:.0e} {params.unit} is allowed."
    )
