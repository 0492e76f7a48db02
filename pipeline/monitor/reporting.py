"""Add a run to a version's monitoring, and render that in the version's card."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, time, timedelta

from card_parts import shown, table
from clinical.monitored import ColumnDrift, Drift, Monitored, Monitoring, Observed, Point

LATEST = timedelta(days=2)  # that something captured may be: a run reads the log of one day anew
SHOWN_POINTS = 14
HEADING = "Monitoring"


def revised(
    before: Monitoring | None,
    run: Monitored,
    promoted_at: datetime,
    answered: Callable[[datetime, datetime], int],
    shown_days: int,
) -> Monitoring:
    """Add a run to its version's monitoring; a repeated date replaces its point.

    before: None for the version's first run. answered: counts the requests that the version
    answered in a period. shown_days: the number of points to keep, the newest.
    """
    points = {one.date: one for one in before.points} if before else {}
    points[run.window.date] = point_of(run)
    kept = tuple(points[date] for date in sorted(points))[-shown_days:]
    if before and run.window.date < before.last.window.date:
        return before.model_copy(update={"points": kept})
    served_since = min(before.served_since, promoted_at) if before else promoted_at
    start = before and before.counted_until
    counted = before.counted if before and start else 0
    start = start or min(served_since, run.window.since)
    settled = max(start, _midnight(run.window.until - LATEST))
    counted += answered(start, settled)
    return Monitoring(
        served_since=served_since,
        requests=counted + answered(settled, max(settled, run.window.until)),
        counted=counted,
        counted_until=settled,
        last=run,
        points=kept,
    )


def _midnight(at: datetime) -> datetime:
    return datetime.combine(at.astimezone(UTC).date(), time(), UTC)


def point_of(run: Monitored) -> Point:
    """Return the point of a run."""
    drift, observed = run.drift, run.outcomes
    return Point(
        date=run.window.date,
        requests=drift.requests,
        drift_p_value=drift.p_value,
        drifted=drift.drifted,
        outcomes=observed.outcomes,
        rmse=observed.rmse,
        average_rmse=observed.average_rmse,
        coverage=observed.coverage,
        outcomes_p_value=observed.p_value,
        degraded=observed.degraded,
    )


def card_with(published: str, monitoring: Monitoring) -> str:
    """Render a version's card with its monitoring; published: the original card."""
    return f"{published.rstrip()}\n\n{'\n'.join(_section(monitoring))}\n"


def _section(monitoring: Monitoring) -> Iterator[str]:
    run = monitoring.last
    window = run.window
    yield f"## {HEADING}\n"
    yield (
        f"The version has served since {monitoring.served_since:%Y-%m-%d}, and has answered "
        f"{monitoring.requests:,} captured requests. The following is from the run "
        f"`{run.execution}`, for the window from {window.since:%Y-%m-%d %H:%M} to "
        f"{window.until:%Y-%m-%d %H:%M} UTC."
    )
    if run.notes:
        yield ""
        yield from (f"- {note}" for note in run.notes)
    yield "\n### Drift of requests\n"
    yield f"{run.drift.says}\n"
    yield from _drift(run.drift)
    yield "\n### Outcomes of predictions\n"
    yield f"{run.outcomes.says}\n"
    yield from _observed(run.outcomes)
    yield f"\n### The last {SHOWN_POINTS} runs\n"
    yield from table(
        ("date", "requests", "p, drift", "outcomes", "RMSE", "average's", "coverage", "alarm"),
        (
            (
                one.date,
                f"{one.requests:,}",
                chance(one.drift_p_value),
                f"{one.outcomes:,}",
                shown(one.rmse),
                shown(one.average_rmse),
                shown(one.coverage),
                ", ".join(alarms(one.drifted, one.degraded)),
            )
            for one in reversed(monitoring.points[-SHOWN_POINTS:])
        ),
    )


def _drift(drift: Drift) -> Iterator[str]:
    if not drift.columns:
        return
    yield from table(
        ("column", "rows", "largest change", "before", "now", "p", "PSI", "band"),
        (
            (
                _column(one),
                f"{one.rows:,}",
                *(
                    (one.moved.level, f"{one.moved.before:.1%}", f"{one.moved.now:.1%}")
                    if one.moved
                    else ("too few rows", "", "")
                ),
                chance(one.p_value),
                "" if one.psi is None else f"{one.psi:.3f}",
                one.band or "",
            )
            for one in drift.columns
        ),
    )
    yield (
        f"\nThe alarm is raised if the joint p of all columns is below {drift.alarm_level:g}"
        f"{'' if drift.p_value is None else f'; it is {chance(drift.p_value)}'}. "
        "The population stability index (PSI) does not raise alarms."
    )


def _column(one: ColumnDrift) -> str:
    return f"{one.column}, without {' and '.join(one.over)}" if one.over else one.column


def _observed(observed: Observed) -> Iterator[str]:
    if observed.rmse:
        target = observed.coverage_target
        yield f"{observed.outcomes:,} outcomes, {observed.confidence:.0%} bootstrap intervals:\n"
        yield from table(
            ("RMSE", "average's", "difference", "mean error", "coverage"),
            [
                map(
                    shown,
                    (
                        observed.rmse,
                        observed.average_rmse,
                        observed.rmse_difference,
                        observed.mean_error,
                        observed.coverage,
                    ),
                )
            ],
        )
        if target is not None:
            yield f"\nThe target coverage is {target:.0%}."
    if observed.tests:
        yield ""
        yield from (f"- {one.says}" for one in observed.tests)
    if observed.selection:
        yield f"\n{observed.selection.says}"
    if observed.subgroups:
        yield ""
        yield from table(
            ("feature", "group", "rows", "RMSE", "mean error", "coverage"),
            (
                (
                    one.feature,
                    one.group,
                    one.rows,
                    shown(one.rmse),
                    shown(one.mean_error) + (" *" if one.off_zero else ""),
                    shown(one.coverage),
                )
                for one in observed.subgroups
            ),
        )
    if observed.notes:
        yield ""
        yield from (f"- {note}" for note in observed.notes)


def chance(p_value: float | None) -> str:
    """Format a probability concisely; "" for None."""
    if p_value is None:
        return ""
    return "< 0.0001" if p_value < 0.0001 else f"{p_value:.2g}"  # noqa: PLR2004


def alarms(drifted: bool, degraded: bool) -> list[str]:  # noqa: FBT001
    """Name the alarms of a run."""
    return [name for name, rings in (("Drifted", drifted), ("Degraded", degraded)) if rings]


def reasons(drift: Drift, observed: Observed) -> tuple[str, ...]:
    """Return the sentences about alarms, or those that say that there is none."""
    alarming = ((drift.says, drift.drifted), (observed.says, observed.degraded))
    return tuple(says for says, rings in alarming if rings) or (drift.says, observed.says)
