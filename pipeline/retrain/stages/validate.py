"""Hold every row of a data set to the contract in params.yaml, and report all that breaks it.

Cells are read as strings and judged as strings, because a reader that guesses types also guesses
what was meant. The report counts and points; it never repeats a cell, for rows are patients.
"""

from collections.abc import Iterator

import numpy as np
from cells import as_meant, broken_rules, canonical, listed, varies
from clinical.artefacts import Artefacts
from clinical.errors import DatasetRejected
from clinical.params import Params
from columns import Codes, Column, dumped
from stage import stage
from tables import Table, read
from violations import FIRST_ROWS, Rejection, Report, Violation, header_violations

from retrain.state import Ingested, Validated

ALLOWED_VALUES = 100  # how many of the contract's values it lists


@stage()
def validate(ingested: Ingested, artefacts: Artefacts, params: Params) -> Validated:
    """Write the rows that keep the contract, in one form; reject others with a report of it all."""
    table = read(ingested.source.key, artefacts.read(ingested.dataset), params)
    report, meant = judge(table, params)
    if report.violations:
        written = artefacts.write_json("report.json", report)
        raise DatasetRejected(Rejection(**dict(report), report=written).model_dump_json())
    return Validated(
        dataset=artefacts.write("dataset.npz", dumped(canonical(meant, params))),
        rows=report.rows,
        notes=report.notes,
    )


def judge(table: Table, params: Params) -> tuple[Report, dict[str, Column]]:
    """Find every violation in one pass, and give the cells as they are meant."""
    meant, notes = as_meant(table, params)
    report = Report(
        rows=table.rows,
        violations=(
            *header_violations(params.read, table.columns, table.repeated),
            *_violation("row_width", None, np.array(table.ragged, np.int64)),
            *_too_few(table.rows, params),
            *column_violations(meant, table.numbers, params),
            *_no_variation(meant, params),
        ),
        notes=(*table.notes, *notes),
    )
    return report, meant


def column_violations(
    columns: dict[str, Column], numbers: Codes, params: Params
) -> Iterator[Violation]:
    """Hold the cells of each column to its rules.

    numbers: of the rows (n,), as a spreadsheet counts.
    """
    for name, column in columns.items():
        kind = params.columns[name]
        for rule, cells in broken_rules(column, kind):
            values = listed(kind) if rule == "unknown_value" else ()
            yield from _violation(rule, name, numbers[column.rows_with(cells)], values)


def _violation(
    rule: str, column: str | None, rows: Codes, values: tuple[str, ...] = ()
) -> Iterator[Violation]:
    if len(values) > ALLOWED_VALUES:
        values = (*values[:ALLOWED_VALUES], f"and {len(values) - ALLOWED_VALUES:,} more")
    if len(rows):
        yield Violation(
            rule=rule,
            column=column,
            count=len(rows),
            first_rows=tuple(rows[:FIRST_ROWS].tolist()),
            allowed=values,
        )


def _too_few(rows: int, params: Params) -> Iterator[Violation]:
    if rows < params.dataset.min_rows:
        yield Violation(rule="too_few_rows", column=None, count=rows)


def _no_variation(columns: dict[str, Column], params: Params) -> Iterator[Violation]:
    """Refuse a target that is the same in every row: there is nothing to learn to predict."""
    target = params.target.column
    if target in columns and not varies(columns[target], params.outcome):
        yield Violation(rule="no_variation", column=target, count=len(columns[target]))
