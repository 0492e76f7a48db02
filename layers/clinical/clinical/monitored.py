"""What became of a version since it serves: what was asked of it, and what it came to.

Each run of the monitor writes a `Monitored`, and adds a point to the version's `Monitoring`.
"""

from datetime import date, datetime
from typing import Literal

from pydantic import ConfigDict

from clinical.frozen import Frozen
from clinical.verdict import Calibration, Estimate, Subgroup

MONITORING = "monitoring.json"  # in a version's folder, and written anew by each run

type Band = Literal["stable", "moderate", "large"]
type TestName = Literal["squared_error", "mean_error", "interval_misses", "against_average"]


class Part(Frozen):
    """Built when it is asked for: a cold start has no time for it."""

    model_config = ConfigDict(defer_build=True)


class Window(Part):
    """The requests that a run looks at: from `since` up to `until`.

    date: under which the run is kept, the day (UTC) that `until` is in, or that it ends.
    """

    date: date
    since: datetime
    until: datetime


class Moved(Part):
    """The level of a column whose share moved the most, in fractions of rows."""

    level: str
    before: float
    now: float


class ColumnDrift(Part):
    """A column of the window beside the version's data.

    column: a feature or, for the score, the target. over: the columns that scores are averaged
    over. reference, window: the levels' shares, in the order of `levels`.
    p_value: how often a difference as large comes by chance alone, of this column; None where the
    rows are too few to tell.
    psi, band: the population stability index, for those who know it; it alarms nobody.
    moved: None where the rows are too few. drifted: whether it is among what set off the alarm.
    """

    column: str
    over: tuple[str, ...] = ()
    rows: int
    reference_rows: int
    levels: tuple[str, ...]
    reference: tuple[float, ...]
    window: tuple[float, ...]
    p_value: float | None = None
    psi: float | None = None
    band: Band | None = None
    moved: Moved | None = None
    drifted: bool = False


class ScoreGap(Part):
    """The mean score of a group of requests, in units of the target."""

    feature: str
    group: str
    rows: int
    mean: float
    less_all: float


class Drift(Part):
    """Whether requests are like the version's data.

    requests: in the window, of any version. p_value: of all columns jointly; None where the rows
    are too few to tell. alarm_level: below which it alarms. says: what moved, in a sentence.
    score_mean, score_variance: of the window's scores by this version, and of the held-out rows'.
    """

    requests: int
    p_value: float | None
    alarm_level: float
    drifted: bool
    says: str
    columns: tuple[ColumnDrift, ...] = ()
    score_mean: float | None = None
    score_variance: float | None = None
    reference_score_mean: float | None = None
    reference_score_variance: float | None = None
    gaps: tuple[ScoreGap, ...] = ()


class OutcomeTest(Part):
    """A test of outcomes against the version's left-out rows; `says` it in a sentence."""

    name: TestName
    p_value: float
    says: str


class Selection(Part):
    """Whether the predictions with an outcome are like all that were captured.

    columns: by which they differ.
    """

    p_value: float | None
    differs: bool
    columns: tuple[str, ...] = ()
    says: str


class Observed(Part):
    """What came of this version's predictions in the window.

    outcomes: that belong to them. unknown: outcomes that no captured prediction has; waiting: those
    that may still find theirs. rmse, average_rmse: of the model and of the plain average, on the
    same rows. rmse_difference: below 0, the model is better. mean_error: prediction less recorded
    score. coverage: of intervals that should hold `coverage_target`. p_value: of all tests jointly;
    None where there are too few outcomes. Figures are None where there are none to make them of.
    """

    outcomes: int
    unknown: int = 0
    waiting: int = 0
    confidence: float
    rmse: Estimate | None = None
    average_rmse: Estimate | None = None
    rmse_difference: Estimate | None = None
    mean_error: Estimate | None = None
    coverage: Estimate | None = None
    coverage_target: float | None = None
    beats_average: bool | None = None
    calibration: Calibration | None = None
    subgroups: tuple[Subgroup, ...] = ()
    selection: Selection | None = None
    tests: tuple[OutcomeTest, ...] = ()
    p_value: float | None = None
    alarm_level: float
    degraded: bool = False
    says: str
    notes: tuple[str, ...] = ()


class Retrained(Part):
    """Whether a run had the model made anew, and why or why not, in a sentence.

    execution: that it started; empty where it started none.
    """

    execution: str = ""
    says: str


class Monitored(Part):
    """A run of the monitor: `monitor/<date>.json`.

    retraining: None until the run's last stage, and in what an earlier release wrote.
    """

    execution: str
    model_version: str
    window: Window
    drift: Drift
    outcomes: Observed
    notes: tuple[str, ...] = ()
    retraining: Retrained | None = None


class Point(Part):
    """A day of a version's life, in short.

    requests: in the window that ended that day, as are outcomes and all figures of them.
    """

    date: date
    requests: int
    drift_p_value: float | None = None
    drifted: bool = False
    outcomes: int = 0
    rmse: Estimate | None = None
    average_rmse: Estimate | None = None
    coverage: Estimate | None = None
    outcomes_p_value: float | None = None
    degraded: bool = False


class Monitoring(Part):
    """What became of a version so far: the run of the newest date, and a point of each run's date.

    served_since: when it was first promoted. requests: that it answered, as far as captured, from
    then or from the first window on, whichever is earlier. counted: those of them from before
    `counted_until`, which comes two days before the last run's window ends: what is captured later
    than that is not counted. points: the oldest first, the last run's among them.
    """

    served_since: datetime
    requests: int
    counted: int = 0
    counted_until: datetime | None = None
    last: Monitored
    points: tuple[Point, ...]
