"""Show on the terminal why executions failed, and how uploads were read."""

import json
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from wording import counted

from local.executions import Outcome


def show_rejection(outcome: Outcome, console: Console) -> None:
    """Print why an execution failed: a data set's violations as a table, or the cause itself."""
    try:
        report = json.loads(outcome.cause)
        violations = report["violations"]
    except (ValueError, KeyError):
        console.print(outcome.cause, markup=False)
        return
    console.print(
        violated(violations, f"{report['rows']:,} rows, {counted(len(violations), 'violation')}")
    )
    show_notes(report.get("notes"), console)
    if lies := report.get("report"):
        console.print(f"The report is at {lies['key']} in the artefacts bucket.")


def show_notes(notes: list[str] | None, console: Console) -> None:
    """Print how an upload was read leniently."""
    if notes:
        console.print("How the file was read:")
    for note in notes or []:
        console.print(f"• {escape(note)}")


def violated(violations: Sequence[dict[str, Any]], title: str) -> Table:
    """Draw a table of the rules that rows violate, with the number of rows and the first ones."""
    table = Table(title=title)
    for heading in ("rule", "column", "count", "first rows (in the file)", "allowed values"):
        table.add_column(heading, no_wrap=heading in {"rule", "column"})
    for one in violations:
        rows = ", ".join(map(str, one.get("first_rows", [])))
        values = escape(", ".join(one.get("allowed", [])))
        table.add_row(one["rule"], escape(one["column"] or ""), f"{one['count']:,}", rows, values)
    return table
