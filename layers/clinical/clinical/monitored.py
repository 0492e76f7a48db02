"""Results of the monitor: a version's requests and outcomes since it was promoted.

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
    """Built when it is requested, to keep cold starts short."""

    model_config = ConfigDict(defer_build=True)


class Window(Part):
    """The requests that a run covers, from `since` up to `until`.

    date: the run's date, the day (UTC) that contains `until` or ends at it.
    """

    date: date
    since: datetime
    until: datetime


class Moved(Part):
    """The level of a column whose share changed the most, in fractions of rows."""

    level: str
    before: float
    now: float


class ColumnDrift(Part):
    """A column in the window, compared with the version's data.

    column: a feature or, for scores, the target. over: the columns that scores are averaged over.
    reference, window: the levels' shares, in the order of `levels`.
    p_value: of this column's difference; None if there are too few rows.
    psi, band: the population stability index, for information; it raises no alarm.
    moved: None if there are too few rows. drifted: whether this column contributed to the alarm.
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
    """Whether requests resemble the version's data.

    requests: in the window, of any version. p_value: of all columns jointly; None if there are too
    few rows. alarm_level: the p-value below which it alarms. says: what moved, in a sentence.
    score_mean, score_variance: of this version's scores in the window, and of the held-out rows'.
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
    """A test of outcomes against out-of-fold predictions; `says` is its result in a sentence."""

    name: TestName
    p_value: float
    says: str


class Selection(Part):
    """Whether the predictions with an outcome resemble all captured ones.

    columns: those in which they differ.
    """

    p_value: float | None
    differs: bool
    columns: tuple[str, ...] = ()
    says: str


class Observed(Part):
    """The outcomes of this version's predictions in the window.

    outcomes: of these predictions. unknown: outcomes without a captured prediction; waiting: those
    whose prediction may still be captured. rmse, average_rmse: of the model and of the average
    baseline, on the same rows. rmse_difference: below 0, the model is better. mean_error:
    prediction less recorded score. coverage: of intervals whose target is `coverage_target`.
    p_value: of all tests jointly; None if there are too few outcomes. Figures are None if there are
    no outcomes.
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
    """Whether a run started a retrain, and why or why not, in a sentence.

    execution: the one that it started; empty if none.
    """

    execution: str = ""
    says: str


class Monitored(Part):
    """A run of the monitor: `monitor/<date>.json`.

    retraining: None until the run's last stage, and in files of earlier releases.
    """

    execution: str
    model_version: str
    window: Window
    drift: Drift
    outcomes: Observed
    notes: tuple[str, ...] = ()
    retraining: Retrained | None = None


class Point(Part):
    """One day of a version's monitoring.

    requests: in the window that ended that day, like outcomes and all figures.
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
    """A version's monitoring so far: the latest run, and one point per run's date.

    served_since: when it was first promoted. requests: captured ones that it answered, since then
    or since the first window, whichever is earlier. counted: those before `counted_until`, two days
    before the last run's window ends; anything captured later than that is not counted. points:
    oldest first, including the last run's.
    """

    served_since: datetime
    requests: int
    counted: int = 0
    counted_until: datetime | None = None
    last: Monitored
    points: tuple[Point, ...]
