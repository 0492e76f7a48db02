"""A candidate's figures on the held-out set, and the gate's verdict.

Every figure is in units of the target, unless its name says otherwise.
"""

from datetime import datetime
from typing import Literal

from clinical.frozen import Frozen

type Decision = Literal["promoted", "promoted_with_warning", "withheld", "rejected"]


class Estimate(Frozen):
    """A figure on the held-out rows, with its bootstrap interval."""

    value: float
    low: float
    high: float


class Scores(Frozen):
    """`r2` is 1 - squared errors / squared deviations from the rows' own mean."""

    rmse: Estimate
    mae: Estimate
    r2: Estimate


class Parity(Frozen):
    """The largest |ONNX - scikit-learn| on the held-out rows, and whether it is small enough."""

    max_error: float
    holds: bool


class Coverage(Frozen):
    """The fraction of held-out scores within their intervals, and whether it meets the target."""

    target: float
    measured: float
    tolerance: float
    holds: bool


class Averaged(Frozen):
    """Predictions without columns that are not known yet, on the held-out rows.

    over: the columns that were left out and averaged over.
    """

    over: tuple[str, ...]
    scores: Scores
    coverage: Coverage


class Baseline(Frozen):
    """A simpler model fitted on the same training rows, on the same held-out rows.

    rmse_difference: the candidate's RMSE less this one's; below 0, the candidate is better.
    average_difference: this one's RMSE less the average baseline's; below 0, this one is better.
    """

    name: str
    scores: Scores
    rmse_difference: Estimate
    average_difference: Estimate


class CalibrationBin(Frozen):
    """Held-out rows with similar predictions: mean predicted and mean recorded score."""

    predicted: float
    recorded: Estimate
    rows: int


class Calibration(Frozen):
    """Calibration on the held-out rows: recorded compared with predicted scores.

    intercept, slope: of the regression of recorded on predicted scores; 0 and 1 are best.
    in_the_large: the mean recorded less the mean predicted score; 0 is best.
    bins: of about equal size, from the lowest predictions to the highest.
    """

    intercept: Estimate
    slope: Estimate
    in_the_large: Estimate
    bins: tuple[CalibrationBin, ...]


class WinBin(Frozen):
    """Pairs of held-out rows, by the predicted probability that the first does better.

    predicted: its mean over the pairs. won: how often the first did better, ties counting half;
    None if there are too few pairs.
    """

    predicted: float
    won: Estimate | None
    pairs: int


class Wins(Frozen):
    """Calibration of win probabilities: how often the first of two patients did better.

    bins: ten, of equal width from 0 to 1. holds: whether they agree with the predictions, within
    chance.
    """

    rows: int
    bins: tuple[WinBin, ...]
    holds: bool


class AgainstChampion(Frozen):
    """The champion, on the held-out rows that it was not trained on.

    sequence: the number of the promotion that made it the champion.
    scores, rmse_difference: None if those rows are too few for a comparison.
    rmse_difference: the candidate's RMSE less the champion's, on the same rows.
    rmse_difference_of_two: the same with the wider interval that counts if the two are compared on
    outcomes as well, so that both intervals hold jointly with the verdict's confidence.
    beats_average: on those rows or, if they are too few, on its own held-out rows.
    combinations: recorded in its data, and how many of those are missing from the candidate's.
    serves: whether it can answer current requests; if not, it does not block a successor.
    not_compared: why it could not be scored at all.
    """

    version: str
    sequence: int
    rows: int
    scores: Scores | None = None
    rmse_difference: Estimate | None = None
    rmse_difference_of_two: Estimate | None = None
    beats_average: bool
    combinations: int = 0
    lost_combinations: int = 0
    serves: bool = True
    not_compared: str = ""


class Quantiles(Frozen):
    """The 5th, 25th, 50th, 75th and 95th percentile of a figure over many requests."""

    p05: float
    p25: float
    p50: float
    p75: float
    p95: float


class Replayed(Frozen):
    """The last captured requests, replayed against candidate and champion.

    champion: its version. requests: the newest that both answer, from since to until. notes: what
    was left out, in sentences. reproduced: the champion's own predictions among them. mismatches:
    those that differ from what was served. void: why the replay decides nothing, in a sentence;
    empty if it is valid. refused: requests that the champion answers and the candidate would not.
    change: of the score, candidate less champion. moved: the fraction of requests whose score
    changes by more than the half-width of the champion's interval. half_width: the median of those
    half-widths. outcomes: requests with a known outcome that neither model was trained on.
    candidate_scores, champion_scores, rmse_difference: on those; None if they are too few.
    rmse_difference: below 0, the candidate is better. rmse_difference_of_two: as against the
    champion on held-out rows.
    """

    champion: str
    requests: int = 0
    since: datetime | None = None
    until: datetime | None = None
    notes: tuple[str, ...] = ()
    reproduced: int = 0
    mismatches: int = 0
    void: str = ""
    refused: int = 0
    change: Quantiles | None = None
    moved: float | None = None
    half_width: float | None = None
    outcomes: int = 0
    candidate_scores: Scores | None = None
    champion_scores: Scores | None = None
    rmse_difference: Estimate | None = None
    rmse_difference_of_two: Estimate | None = None


class Figures(Frozen):
    """The figures that the gate decides on.

    skill: 1 - RMSE / RMSE of the average baseline.
    rmse_difference: the candidate's RMSE less the average baseline's; below 0 is better.
    averaged: one for each combination of columns that may be left out.
    baseline, calibration, wins: None in verdicts of earlier releases.
    replay: None if there is no champion, and in verdicts of earlier releases.
    """

    rows: int
    confidence: float
    candidate: Scores
    average: Scores
    skill: Estimate
    rmse_difference: Estimate
    parity: Parity
    coverage: Coverage
    averaged: tuple[Averaged, ...] = ()
    baseline: Baseline | None = None
    calibration: Calibration | None = None
    wins: Wins | None = None
    champion: AgainstChampion | None = None
    replay: Replayed | None = None


class Verdict(Figures):
    """The gate's decision, and its reasons in sentences.

    beats_average: whether the whole interval of `rmse_difference` is below 0.
    """

    decision: Decision
    reasons: tuple[str, ...]
    beats_average: bool


class Subgroup(Frozen):
    """Errors in a subgroup of the held-out rows; no figures if it is too small.

    mean_error: prediction less recorded score, so above 0 is too optimistic.
    coverage: the fraction of recorded scores within their intervals.
    off_zero: whether the interval of `mean_error` excludes 0.
    """

    feature: str
    group: str
    rows: int
    rmse: Estimate | None = None
    mae: Estimate | None = None
    mean_error: Estimate | None = None
    coverage: Estimate | None = None
    off_zero: bool = False


class Importance(Frozen):
    """The increase in RMSE when a feature is shuffled: mean and standard deviation of repeats."""

    feature: str
    mean: float
    std: float


class CurvePoint(Frozen):
    """A point of the smoothed calibration curve: recorded over predicted."""

    predicted: float
    recorded: Estimate


class ReplayedGroup(Frozen):
    """A subgroup of the replayed requests: its size, and how its scores change.

    mean_change: of the score, candidate less champion, with its bootstrap interval.
    moved: as for all requests.
    """

    feature: str
    group: str
    requests: int
    refused: int = 0
    mean_change: Estimate | None = None
    moved: float | None = None


class Evaluation(Frozen):
    """All findings about a candidate on the held-out rows and on replayed requests.

    simultaneous: whether the intervals of each figure hold for all subgroups jointly; otherwise
    each interval holds only by itself, as in earlier releases.
    """

    verdict: Verdict
    subgroups: tuple[Subgroup, ...]
    importances: tuple[Importance, ...]
    simultaneous: bool = False
    calibration_curve: tuple[CurvePoint, ...] = ()
    replayed: tuple[ReplayedGroup, ...] = ()
