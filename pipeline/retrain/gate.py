"""Decide whether a candidate may serve, and say why in sentences."""

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
    """How far measured coverage may be off: what params.yaml says, or more where rows are few.

    The latter is the normal bound of a binomial fraction, which is 0.05 for 0.9 of 200 rows.
    checks: among how many predictions this one is, any of which might be off by chance.
    """
    bound = NormalDist().inv_cdf(1 - CHANCE / checks)
    return max(gate.coverage_tolerance, bound * sqrt(target * (1 - target) / rows))


def judged(figures: Figures, params: Params) -> Verdict:
    """Decide on figures; the decision follows from the first reason that stands against it."""
    gate = params.gate
    beats_average = figures.rmse_difference.high < 0
    # One that cannot answer requests any more is compared, and told of, and stops nobody.
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
    """Whether intervals hold what they promise, of every prediction that is served."""
    return figures.coverage.holds and all(one.coverage.holds for one in figures.averaged)


@dataclass(frozen=True)
class Comparison:
    """The candidate's RMSE less the champion's, and how sure its interval is."""

    difference: Estimate
    confidence: float

    @property
    def found(self) -> str:
        if self.difference.low > 0:
            return "is significantly worse than"
        return "is significantly better than" if self.difference.high < 0 else "cannot be told from"

    def __str__(self) -> str:
        one = self.difference
        return (
            f"its RMSE differs by {one.value:+.3f} ({self.confidence:.3g}% interval {one.low:+.3f} "
            f"to {one.high:+.3f})"
        )


def _comparisons(figures: Figures) -> list[Comparison]:
    """Give the comparisons with the champion: on held-out rows, and on outcomes of requests.

    Each of two is judged by a wider interval than one alone would be: otherwise a candidate that is
    as good as the champion would be rejected twice as often.
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
        f"It {'beats' if beats else 'does not beat'} the plain average: on {figures.rows:,} "
        f"held-out rows its RMSE is {figures.candidate.rmse.value:.3f}, the average's "
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
        return [compared, "The champion does beat the plain average, so it stays."]
    if not champion.serves and not champion.not_compared:
        return [
            compared,
            (
                "The champion was trained under other columns than requests have now, and cannot "
                "answer them: it stops no successor."
            ),
        ]
    if champion.beats_average and not _comparisons(figures):
        return [
            compared,
            (
                "The champion beats the plain average, so what was not compared with it does not "
                "replace it by itself. Promote the version by name to let it serve."
            ),
        ]
    return [compared]


def _of_replayed(figures: Figures, params: Params) -> list[str]:
    """Say what it would have answered to the last requests, beside the champion."""
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
            f"Asked the last {counted(replay.requests, 'request')} once more, it answers "
            f"{replay.moved:.1%} of them differently from the champion by more than the half-width "
            f"of the champion's interval; nine in ten scores change by {low} to {high}."
        )
    if replay.refused:
        yield (
            f"It would refuse {counted(replay.refused, 'request')} that the champion answers, for "
            "its data do not record them together."
        )


def _of_outcomes(replay: Replayed, compared: Comparison | None, *, both: bool) -> Iterator[str]:
    if compared is None:
        yield (
            "It was not compared with the champion on outcomes of these requests: "
            f"{replay.outcomes:,} are known and new to both, which is too few."
        )
        return
    told = (
        f"On the {replay.outcomes:,} outcomes of these requests that are new to both, it "
        f"{compared.found} the champion: {compared}."
    )
    if both:
        told += (
            f" Two comparisons, so each takes an interval of {compared.confidence:.3g}% to tell."
        )
    yield told


def _of_combinations(champion: AgainstChampion | None, decision: Decision, gate: Gate) -> list[str]:
    if champion is None or not champion.lost_combinations:
        return []
    fraction = champion.lost_combinations / champion.combinations
    lost = (
        f"Its data lack {champion.lost_combinations:,} of the {champion.combinations:,} "
        f"combinations that the champion's recorded ({fraction:.0%}); requests for them would be "
        "refused."
    )
    if not champion.serves or not _loses(champion, gate):
        return [lost]
    too_many = f"That is more than the {gate.max_lost_combinations:.0%} that the gate allows."
    if decision == "withheld":  # what is rejected is not published
        too_many += " Promote the version by name to let it serve."
    return [lost, too_many]


def _compared(champion: AgainstChampion, compared: Comparison | None) -> str:
    if compared is None:
        return _not_compared(champion)
    return (
        f"It {compared.found} the champion {champion.version}: on the {champion.rows:,} held-out "
        f"rows that are new to both, {compared}."
    )


def _not_compared(champion: AgainstChampion) -> str:
    if champion.not_compared:
        return f"It was not compared with the champion {champion.version}: {champion.not_compared}."
    return (
        f"It was not compared with the champion {champion.version}: of the held-out rows, "
        f"{champion.rows} are new to both and can be scored by both, which is too few."
    )


def _of_baseline(figures: Figures, *, beats: bool) -> str:
    """Say what a simple model of the same rows is worth beside the candidate."""
    baseline = figures.baseline
    if baseline is None:
        return "No ridge regression could be fitted on the same rows, to compare it with."
    difference = baseline.rmse_difference
    if difference.low <= 0 <= difference.high:
        compared = f"cannot be told from it, at a difference of {difference.value:+.3f}"
    else:
        way = "lower" if difference.high < 0 else "higher"
        compared = f"is {abs(difference.value):.3f} {way}"
    if baseline.average_difference.high >= 0:
        average = f"; it does not beat the plain average{'' if beats else ' either'}"
    else:
        average = "" if beats else "; it does beat the plain average"
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
        said = (
            f"It predicts {predicted} {unit} on average, where {recorded} were recorded {interval}"
        )
    else:
        said = (
            f"Where it predicts {predicted} {unit}, {recorded} were recorded on average {interval}"
        )
        predicted, recorded, low, high = figures(lowest)
        said += f", and where it predicts {predicted}, {recorded} ({low} to {high})"
    slope = calibration.slope
    if slope.low == slope.high == 0:  # all predictions are the same
        return [f"{said}."]
    said += f"; the calibration slope is {slope.value:z.2f} ({slope.low:z.2f} to {slope.high:z.2f}"
    return [f"{said}; 1 is best{_of_slope(calibration)})."]


def _of_slope(calibration: Calibration) -> str:
    if calibration.slope.high < 1:
        return ", and below it predictions are too far apart"
    if calibration.slope.low > 1:
        return ", and above it predictions are too close together"
    return ""


def _of_wins(wins: Wins | None) -> list[str]:
    if wins is None:
        return []
    told = [(one, one.won) for one in wins.bins if one.won is not None]
    if not told:
        said = (
            f"The {wins.rows} held-out rows are too few to check how probable it says it is that "
            "one patient does better than another."
        )
    elif wins.holds:
        said = (
            "Of pairs of held-out patients, the one predicted to do better did so as often as was "
            f"predicted, within chance, in {_counted(len(told))} of predicted probabilities."
        )
    else:
        worst, won = max(told, key=lambda one: _outside(one[0]))
        said = (
            "How probable it says it is that one patient does better than another is off by more "
            "than chance allows: of pairs of held-out patients where it said "
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
        f"Its {coverage.target:.0%} intervals held {coverage.measured:.1%} of {rows:,} recorded "
        f"scores, {'within' if coverage.holds else 'outside'} the {100 * coverage.tolerance:.1f} "
        "points allowed."
    )


def _of_averaged(figures: Figures, params: Params) -> list[str]:
    """Say what predictions are worth for which something is not known yet."""
    return [
        f"Without {_listed(one.over, params)}, averaged over what was recorded, its RMSE is "
        f"{one.scores.rmse.value:.3f}, and the intervals of these predictions held "
        f"{one.coverage.measured:.1%}, {'within' if one.coverage.holds else 'outside'} what is "
        "allowed."
        for one in figures.averaged
    ]


def _listed(columns: tuple[str, ...], params: Params) -> str:
    *rest, last = map(params.label, columns)
    return f"{', '.join(rest)} and {last}" if rest else last


def _of_parity(figures: Figures, params: Params) -> str:
    return (
        f"ONNX answers {'as' if figures.parity.holds else 'otherwise than'} scikit-learn does: "
        f"the largest difference is {figures.parity.max_error:.1e}, allowed are "
        f"{params.gate.max_parity_error * params.width:.0e} {params.unit}."
    )
