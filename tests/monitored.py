"""Lives of made-up models, as the monitor would have written them down."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from clinical.monitored import (
    ColumnDrift,
    Drift,
    Monitored,
    Monitoring,
    Moved,
    Observed,
    OutcomeTest,
    Point,
    ScoreGap,
    Selection,
    Window,
)
from clinical.verdict import Calibration, CalibrationBin, Estimate, Subgroup

LAST = date(2026, 11, 25)
MIDNIGHT = datetime(2026, 11, 26, tzinfo=UTC)
TOO_FEW = "There are too few requests to tell whether they changed: 34, of the 200 that it takes."
MOVED = "Requests are not like the version's data: Sertraline 7 → 13% of requests."
WORSE = "On 140 outcomes, the model errs more than its verdict promises."


def about(value: float, half: float) -> Estimate:
    return Estimate(value=value, low=value - half, high=value + half)


def window(day: date = LAST) -> Window:
    until = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
    return Window(date=day, since=until - timedelta(days=28), until=until)


def nothing(execution: str = "one", day: date = LAST) -> Monitored:
    """A run of a model that has too few requests, and no outcome."""
    return Monitored(
        execution=execution,
        model_version="v-0a1b2c3d",
        window=window(day),
        drift=Drift(requests=34, p_value=None, alarm_level=0.001, drifted=False, says=TOO_FEW),
        outcomes=Observed(
            outcomes=0, confidence=0.95, alarm_level=0.001, says="No outcome was recorded yet."
        ),
    )


def drift(**changed: Any) -> Drift:
    """Requests among which a drug doubled."""
    drugs = ("Ibuprofen", "Metformin", "Sertraline", "others | and none")
    return Drift(
        requests=1412,
        p_value=0.00005,
        alarm_level=0.001,
        drifted=True,
        says=MOVED,
        columns=(
            ColumnDrift(
                column="Age",
                rows=1412,
                reference_rows=1000,
                levels=("under 40", "from 40 to 60", "60 and above"),
                reference=(0.3, 0.4, 0.3),
                window=(0.28, 0.41, 0.31),
                p_value=0.42,
                psi=0.012,
                band="stable",
                moved=Moved(level="under 40", before=0.3, now=0.28),
            ),
            ColumnDrift(
                column="Drug_Name",
                rows=1412,
                reference_rows=1000,
                levels=drugs,
                reference=(0.31, 0.32, 0.07, 0.3),
                window=(0.29, 0.3, 0.13, 0.28),
                p_value=0.00005,
                psi=0.131,
                band="moderate",
                moved=Moved(level="Sertraline", before=0.07, now=0.13),
                drifted=True,
            ),
            ColumnDrift(
                column="Side_Effects",
                rows=12,
                reference_rows=1000,
                levels=("Nausea", "None"),
                reference=(0.4, 0.6),
                window=(0.5, 0.5),
            ),
            ColumnDrift(
                column="Improvement_Score",
                over=("Side_Effects",),
                rows=1400,
                reference_rows=200,
                levels=("under 5", "5 and above"),
                reference=(0.5, 0.5),
                window=(0.47, 0.53),
                p_value=0.21,
                psi=0.22,
                band="large",
                moved=Moved(level="5 and above", before=0.5, now=0.53),
            ),
        ),
        score_mean=6.21,
        score_variance=1.44,
        reference_score_mean=6.02,
        reference_score_variance=1.52,
        gaps=(
            ScoreGap(feature="Gender", group="Female", rows=700, mean=6.4, less_all=0.19),
            ScoreGap(feature="Gender", group="Male", rows=712, mean=6.02, less_all=-0.19),
        ),
    ).model_copy(update=changed)


def observed(**changed: Any) -> Observed:
    """Outcomes that are worse than the model's verdict."""
    return Observed(
        outcomes=140,
        unknown=2,
        waiting=5,
        confidence=0.95,
        rmse=about(1.31, 0.14),
        average_rmse=about(1.52, 0.16),
        rmse_difference=about(-0.21, 0.12),
        mean_error=about(0.34, 0.2),
        coverage=about(0.83, 0.06),
        coverage_target=0.9,
        beats_average=True,
        calibration=Calibration(
            intercept=about(1.1, 0.4),
            slope=about(0.78, 0.12),
            in_the_large=about(-0.34, 0.2),
            bins=tuple(
                CalibrationBin(
                    predicted=4.4 + 0.4 * n, recorded=about(4.3 + 0.33 * n, 0.5), rows=14
                )
                for n in range(10)
            ),
        ),
        subgroups=(
            Subgroup(
                feature="Gender",
                group="Female",
                rows=66,
                rmse=about(1.4, 0.2),
                mae=about(1.1, 0.2),
                mean_error=about(0.52, 0.3),
                coverage=about(0.8, 0.1),
                off_zero=True,
            ),
            Subgroup(feature="Gender", group="Male", rows=8),
        ),
        selection=Selection(
            p_value=0.002,
            differs=True,
            columns=("Age",),
            says="Predictions with an outcome differ from all others by Age: the figures speak for "
            "some only.",
        ),
        tests=(
            OutcomeTest(
                name="squared_error",
                p_value=0.0003,
                says="RMSE 1.31 on 140 outcomes, after 0.77 on 800 left-out rows (p = 0.0003).",
            ),
            OutcomeTest(
                name="mean_error",
                p_value=0.004,
                says="Mean error +0.34 on 140 outcomes (p = 0.004).",
            ),
        ),
        p_value=0.0006,
        alarm_level=0.001,
        degraded=True,
        says=WORSE,
        notes=("3 rows of outcomes/november.csv were refused: out_of_range (rows 4, 9 and 12).",),
    ).model_copy(update=changed)


def troubled(execution: str = "one", day: date = LAST) -> Monitored:
    """A run that has everything to tell, and alarms of both."""
    return Monitored(
        execution=execution,
        model_version="v-0a1b2c3d",
        window=window(day),
        drift=drift(),
        outcomes=observed(),
        notes=("12 lines of the log were not readable.",),
    )


def a_life(days: int = 60) -> Monitoring:
    """So many days of a model: at first it is asked seldom, at last much has changed.

    Outcomes begin to come after ten days, and two days have no run.
    """
    first = LAST - timedelta(days=days - 1)
    points = [
        Point(
            date=first + timedelta(days=n),
            requests=24 * min(n + 1, 28) + (n * 7) % 11 + 12 * max(0, n - 28),
            drift_p_value=None if n < 8 else max(0.00005, 0.9 * 0.72 ** max(0, n - 28)),
            drifted=n >= days - 4,
            outcomes=0 if n < 10 else 3 * (n - 9),
            rmse=None if n < 10 else about(1.05 + 0.006 * max(0, n - 20), 0.1 + 1 / (n - 8)),
            average_rmse=None if n < 10 else about(1.5 + 0.01 * (n % 3), 0.12 + 1 / (n - 8)),
            coverage=None
            if n < 10
            else Estimate(value=0.9 - 0.0015 * (n - 10), low=0.82 - 0.002 * (n - 10), high=0.95),
            outcomes_p_value=None if n < 20 else max(0.0006, 0.8 * 0.86 ** (n - 20)),
            degraded=n >= days - 2,
        )
        for n in range(days)
        if n not in {30, 31}
    ]
    return Monitoring(
        served_since=datetime(first.year, first.month, first.day, 9, 30, tzinfo=UTC),
        requests=2380,
        last=troubled(),
        points=tuple(points),
    )
