"""Show on the terminal how executions ended that did not do what they were asked to."""

import json
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from local.executions import Outcome


def show_rejection(outcome: Outcome, console: Console) -> None:
    """Print why an execution failed: a data set's violations as a table, or the cause itself."""
    try:
        report = json.loads(outcome.cause)
        violations = report["violations"]
    except (ValueError, KeyError):
        console.print(outcome.cause, markup=False)
        return
    console.print(violated(violations, f"{report['rows']:,} rows, {len(violations)} rules broken"))
    show_notes(report.get("notes"), console)
    if lies := report.get("report"):
        console.print(f"The report is at {lies['key']} in the artefacts bucket.")


def show_notes(notes: list[str] | None, console: Console) -> None:
    """Print with which leniency an upload was read."""
    if notes:
        console.print("As it was read:")
    for note in notes or []:
        console.print(f"• {escape(note)}")


def violated(violations: Sequence[dict[str, Any]], title: str) -> Table:
    """Draw which rules rows break, how many of them, and which are the first."""
    table = Table(title=title)
    for heading in ("rule", "column", "count", "first rows (of the file)", "allowed values"):
        table.add_column(heading, no_wrap=heading in {"rule", "column"})
    for one in violations:
        rows = ", ".join(map(str, one.get("first_rows", [])))
        values = escape(", ".join(one.get("allowed", [])))
        table.add_row(one["rule"], escape(one["column"] or ""), f"{one['count']:,}", rows, values)
    return table
