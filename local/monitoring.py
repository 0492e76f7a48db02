"""Run the monitor now, and print its report on the champion."""

from typing import Any

from clinical.artefacts import Artefact, read_verified, unsealed_json
from clinical.boto3_bucket import Boto3Bucket
from clinical.monitored import ColumnDrift, Drift, Monitored, Observed
from clinical.verdict import Estimate
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from wording import counted

from local import executions
from local.cloud import CloudFailed
from local.executions import Outcome
from local.machines import MONITOR
from local.stack import Stack

NOTHING = "\N{EN DASH}"


class MonitoringFailed(CloudFailed):
    """When a run of the monitor failed; what it had captured is kept."""


def monitor(stack: Stack, until: str | None, console: Console) -> None:
    """Run the monitor, and print what it found; raises MonitoringFailed.

    until: the end of the window, a day or a time of day (UTC); None for now.
    """
    asked = {"until": until} if until else {}
    outcome = executions.follow(stack, executions.start(stack, asked, machine=MONITOR), console)
    show(stack, outcome, console)


def show(stack: Stack, outcome: Outcome, console: Console) -> None:
    """Print a run's report; raises MonitoringFailed if the run failed."""
    found = found_by(stack, outcome)
    if found is None:
        console.print(f"Nothing to monitor: {escape(outcome.output['reason'])}")
        return
    window = found.window
    console.print(
        f"[bold]{found.model_version}[/], from {window.since:%Y-%m-%d %H:%M} to "
        f"{window.until:%Y-%m-%d %H:%M} (UTC)"
    )
    show_drift(found.drift, console)
    show_outcomes(found.outcomes, console)
    for note in found.notes:
        console.print(f"• {escape(note)}")
    show_alarms(outcome.output, console)
    console.print(
        f"The report is at {outcome.output['report']['key']} in the artefacts bucket. "
        f"Execution {outcome.arn.rsplit(':', 1)[-1]} took {outcome.seconds:.1f} s."
    )


def found_by(stack: Stack, outcome: Outcome) -> Monitored | None:
    """Read the report of a run; None if there was nothing to monitor.

    Raises MonitoringFailed if the run failed.
    """
    if not outcome.succeeded:
        raise MonitoringFailed(f"{outcome.error or outcome.status}: {outcome.cause}")
    if outcome.output["decision"] == "nothing_serves":
        return None
    report = Artefact.model_validate(outcome.output["report"])
    body = read_verified(Boto3Bucket(stack.s3, stack.outputs.artifacts_bucket), report)
    return Monitored.model_validate(unsealed_json(report.key, body))


def show_drift(drift: Drift, console: Console) -> None:
    """Print whether requests resemble the version's training data, column by column."""
    console.print(f"\n[bold]Drift[/]: {counted(drift.requests, 'request')}\n{escape(drift.says)}")
    told = [one for one in drift.columns if one.p_value is not None]
    if not told:
        return
    table = Table(box=SIMPLE_HEAD)
    for heading in ("column", "requests", "largest change", "p-value", "PSI"):
        table.add_column(heading)
    for one in told:
        name = escape(f"{one.column}{_over(one)}")
        table.add_row(
            f"[bold yellow]{name}[/]" if one.drifted else name,
            f"{one.rows:,}",
            escape(moved(one)),
            f"{one.p_value:.4f}",
            f"{one.psi:.3f}, {one.band}" if one.psi is not None else NOTHING,
        )
    console.print(table)
    if drift.p_value is not None:
        console.print(
            f"All columns jointly: p = {drift.p_value:.4f}; the alarm goes off below "
            f"{drift.alarm_level:g}. PSI is for information and triggers no alarm."
        )


def _over(column: ColumnDrift) -> str:
    return f", averaged over {', '.join(column.over)}" if column.over else ""


def moved(column: ColumnDrift) -> str:
    """Describe the level of a column with the largest change: Sertraline, 7% → 13%."""
    if column.moved is None:
        return NOTHING
    return f"{column.moved.level}, {column.moved.before:.0%} → {column.moved.now:.0%}"


def show_outcomes(observed: Observed, console: Console) -> None:
    """Print the errors on recorded outcomes beside the baseline's, and each test's sentence."""
    console.print(
        f"\n[bold]Errors[/]: {counted(observed.outcomes, 'recorded outcome')}\n"
        f"{escape(observed.says)}"
    )
    figures = {
        "RMSE of the model": observed.rmse,
        "RMSE of the average baseline": observed.average_rmse,
        "difference": observed.rmse_difference,
        "mean error": observed.mean_error,
        "coverage of intervals": observed.coverage,
    }
    known = {name: estimate for name, estimate in figures.items() if estimate}
    if known:
        table = Table(box=SIMPLE_HEAD)
        table.add_column("")
        table.add_column(f"with {observed.confidence:.0%} intervals")
        for name, estimate in known.items():
            table.add_row(name, estimated(estimate))
        console.print(table)
    for test in observed.tests:
        console.print(f"• {escape(test.says)}")
    if observed.selection:
        console.print(f"• {escape(observed.selection.says)}")
    if observed.waiting or observed.unknown:
        console.print(
            f"• Outcomes that wait for their prediction: {observed.waiting:,}; outcomes that match "
            f"no prediction: {observed.unknown:,}."
        )
    for note in observed.notes:
        console.print(f"• {escape(note)}")


def estimated(estimate: Estimate) -> str:
    """Format a figure with its interval."""
    return f"{estimate.value:.3f} ({estimate.low:.3f} to {estimate.high:.3f})"


def show_alarms(output: dict[str, Any], console: Console) -> None:
    """Print a run's alarms, their reasons, and whether the model is retrained."""
    off = [name for name in ("drifted", "degraded") if output[name]]
    if not off:
        console.print("\n[green]No alarm.[/]")
        return
    console.print(f"\n[bold red]Alarms: {', '.join(name.capitalize() for name in off)}[/]")
    for reason in output["reasons"]:
        console.print(f"• {escape(reason)}")
    if retraining := output.get("retraining"):
        console.print(f"• {escape(retraining['says'])}")
