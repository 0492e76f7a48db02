"""What a candidate is worth: its figures on held-out rows, and what the gate made of them.

Every figure is in units of the target, unless its name says otherwise.
"""

from datetime import datetime
from typing import Literal

from clinical.frozen import Frozen

type Decision = Literal["promoted", "promoted_with_warning", "withheld", "rejected"]


class Estimate(Frozen):
    """A figure on the held-out rows, and the bootstrap interval around it."""

    value: float
    low: float
    high: float


class Scores(Frozen):
    """`r2` is 1 - squared errors / squared deviations from the rows' own mean."""

    rmse: Estimate
    mae: Estimate
    r2: Estimate


class Parity(Frozen):
    """The largest |ONNX - scikit-learn| over the held-out rows, and whether it is small enough."""

    max_error: float
    holds: bool


class Coverage(Frozen):
    """Which fraction of held-out scores their intervals held, and whether it is as promised."""

    target: float
    measured: float
    tolerance: float
    holds: bool


class Averaged(Frozen):
    """Predictions for which some columns were not known yet, on the held-out rows.

    over: the columns that were left out, and averaged over.
    """

    over: tuple[str, ...]
    scores: Scores
    coverage: Coverage


class Baseline(Frozen):
    """Another model of the same training rows, on the same held-out rows.

    rmse_difference: the candidate's RMSE less this one's; below 0, the candidate is better.
    average_difference: this one's RMSE less the plain average's; below 0, this one is better.
    """

    name: str
    scores: Scores
    rmse_difference: Estimate
    average_difference: Estimate


class CalibrationBin(Frozen):
    """Held-out rows with about the same prediction: its mean, and the mean of what was recorded."""

    predicted: float
    recorded: Estimate
    rows: int


class Calibration(Frozen):
    """What was recorded on held-out rows, for what was predicted.

    intercept, slope: of the regression of recorded on predicted scores; 0 and 1 are best.
    in_the_large: the mean recorded less the mean predicted score; 0 is best.
    bins: of about as many rows each, from the lowest predictions to the highest.
    """

    intercept: Estimate
    slope: Estimate
    in_the_large: Estimate
    bins: tuple[CalibrationBin, ...]


class WinBin(Frozen):
    """Pairs of held-out rows by the predicted probability that the first does better.

    predicted: its mean over the pairs. won: how often it was so, ties counting half; None where the
    pairs are too few to say.
    """

    predicted: float
    won: Estimate | None
    pairs: int


class Wins(Frozen):
    """How often the first of two patients did better, where a win probability was predicted.

    bins: ten, of equal width from 0 to 1. holds: whether they are as predicted, but for chance.
    """

    rows: int
    bins: tuple[WinBin, ...]
    holds: bool


class AgainstChampion(Frozen):
    """The champion on the held-out rows that it was not trained on either.

    sequence: which promotion it was that made it the champion.
    scores, rmse_difference: None where those rows are too few to compare anything.
    rmse_difference: the candidate's RMSE less the champion's, on the same rows.
    rmse_difference_of_two: the same with the wider interval that counts where the two are compared
    on outcomes as well, so that both intervals hold with the verdict's confidence.
    beats_average: on those rows or, where they are too few, on its own when it was evaluated.
    combinations: that its data recorded, and how many of those the candidate's did not.
    serves: whether requests as they are now can be answered by it; else it stops no successor.
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
    """How a figure of many requests is spread: 5, 25, 50, 75 and 95 of 100 are at most these."""

    p05: float
    p25: float
    p50: float
    p75: float
    p95: float


class Replayed(Frozen):
    """The last captured requests, asked of the candidate and of the champion once more.

    champion: its version. requests: the newest that both answer, from since to until. notes: what
    was left out, in sentences. reproduced: the champion's own predictions among them, and
    mismatches: those of them that came out otherwise than they were served. void: why nothing
    follows from it, in a sentence; empty where something does. refused: requests that the champion
    answers and the candidate would not. change: of the score, the candidate's less the champion's.
    moved: the fraction of requests whose score changes by more than the half-width of the
    champion's interval. half_width: the median of those. outcomes: requests of which it is known
    what came of them, and that neither model was trained on. candidate_scores, champion_scores,
    rmse_difference: on those; None where they are too few. rmse_difference: below 0, the candidate
    is better. rmse_difference_of_two: as against the champion on held-out rows.
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
    """What the gate decides on.

    skill: 1 - RMSE / RMSE of the plain average.
    rmse_difference: the candidate's RMSE less the plain average's; below 0 is better.
    averaged: one for each choice of the columns that may be left out.
    baseline, calibration, wins: None in what an earlier release found.
    replay: None where there is no champion, and likewise.
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
    """What the gate decided and why, in sentences.

    beats_average: whether the whole interval of `rmse_difference` is below 0.
    """

    decision: Decision
    reasons: tuple[str, ...]
    beats_average: bool


class Subgroup(Frozen):
    """Errors within a group of the held-out rows; no figures where it is too small for any.

    mean_error: prediction less recorded score, so above 0 is too hopeful.
    coverage: which fraction of recorded scores their intervals held.
    off_zero: whether the whole interval of `mean_error` is on one side of 0.
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
    """How much RMSE grows when a feature is shuffled: mean and standard deviation of repeats."""

    feature: str
    mean: float
    std: float


class CurvePoint(Frozen):
    """A point of the smooth line through what was recorded, over what was predicted."""

    predicted: float
    recorded: Estimate


class ReplayedGroup(Frozen):
    """A subgroup of the replayed requests: how many, and what changes for them.

    mean_change: of the score, the candidate's less the champion's, with its bootstrap interval.
    moved: as of all requests.
    """

    feature: str
    group: str
    requests: int
    refused: int = 0
    mean_change: Estimate | None = None
    moved: float | None = None


class Evaluation(Frozen):
    """All that was found out about a candidate on the held-out rows, and on replayed requests.

    simultaneous: whether each kind of figure holds for all subgroups at once, so sure; else each
    interval is for itself, as an earlier release had it.
    """

    verdict: Verdict
    subgroups: tuple[Subgroup, ...]
    importances: tuple[Importance, ...]
    simultaneous: bool = False
    calibration_curve: tuple[CurvePoint, ...] = ()
    replayed: tuple[ReplayedGroup, ...] = ()
