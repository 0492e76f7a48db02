"""Hold every row of a data set to the contract in params.yaml, and report all that breaks it.

Cells are read as strings and judged as strings, because a reader that guesses types also guesses
what was meant. The report counts and points; it never repeats a cell, for rows are patients.
"""

from collections.abc import Iterator

import pandas as pd
import pandera.pandas as pa
from cells import as_meant, canonical_csv, checks, listed, varies
from clinical.artefacts import Artefact, Artefacts
from clinical.errors import DatasetRejected
from clinical.frozen import Frozen
from clinical.params import Params
from reading import Table, read
from stage import stage

from retrain.state import Ingested, Validated

FIRST_ROWS = 10  # how many row numbers a violation names
ALLOWED_VALUES = 100  # how many of the contract's values it lists


class Violation(Frozen):
    """A rule that rows break.

    column: its name in the contract, or None where the rule is about the file or whole rows.
    count: of the rows, or of the columns where the rule is about the header.
    first_rows: the first of them, as a spreadsheet counts: the file's first row is row 1.
    allowed: the values that the contract lists, where a cell has another.
    """

    rule: str
    column: str | None
    count: int
    first_rows: tuple[int, ...] = ()
    allowed: tuple[str, ...] = ()


class Report(Frozen):
    """What is wrong with a data set of so many rows, and how it was read."""

    rows: int
    violations: tuple[Violation, ...]
    notes: tuple[str, ...] = ()


class Rejection(Report):
    """What the execution's error says: the report, and where it lies."""

    report: Artefact


@stage()
def validate(ingested: Ingested, artefacts: Artefacts, params: Params) -> Validated:
    """Write the rows that keep the contract, in one form; reject others with a report of it all."""
    table = read(ingested.source.key, artefacts.read(ingested.dataset), params)
    report, meant = judge(table, params)
    if report.violations:
        written = artefacts.write_json("report.json", report)
        raise DatasetRejected(Rejection(**dict(report), report=written).model_dump_json())
    return Validated(
        dataset=artefacts.write("dataset.csv", canonical_csv(meant, params)),
        rows=report.rows,
        notes=report.notes,
    )


def judge(table: Table, params: Params) -> tuple[Report, pd.DataFrame]:
    """Find every violation in one pass, and give the cells as they are meant."""
    meant, notes = as_meant(table, params)
    report = Report(
        rows=table.rows,
        violations=(
            *header_violations(table, params),
            *_violation("row_width", None, table.ragged),
            *_too_few(table.rows, params),
            *column_violations(meant, params),
            *_no_variation(meant, params),
        ),
        notes=(*table.notes, *notes),
    )
    return report, meant


def header_violations(table: Table, params: Params) -> Iterator[Violation]:
    """Hold the header to the contract's columns, each there once."""
    for name in params.read:
        if name in table.repeated:
            yield Violation(rule="column_repeated", column=name, count=table.repeated[name])
        elif name not in table.columns:
            yield Violation(rule="column_missing", column=name, count=1)


def column_violations(table: pd.DataFrame, params: Params) -> Iterator[Violation]:
    """Hold the cells of each column to its rules.

    table: strings, one column per contract column that is there, indexed by row number.
    """
    schema = pa.DataFrameSchema(
        {name: pa.Column(checks=checks(params.columns[name])) for name in table.columns}
    )
    try:
        schema.validate(table, lazy=True)
    except pa.errors.SchemaErrors as error:
        found = error.failure_cases
        for (column, rule), cases in found.groupby(["column", "check"], sort=False):
            values = listed(params.columns[column]) if rule == "unknown_value" else ()
            yield from _violation(rule, column, sorted(cases["index"]), values)


def _violation(
    rule: str, column: str | None, rows: list[int], values: tuple[str, ...] = ()
) -> Iterator[Violation]:
    if len(values) > ALLOWED_VALUES:
        values = (*values[:ALLOWED_VALUES], f"and {len(values) - ALLOWED_VALUES:,} more")
    if rows:
        yield Violation(
            rule=rule,
            column=column,
            count=len(rows),
            first_rows=tuple(rows[:FIRST_ROWS]),
            allowed=values,
        )


def _too_few(rows: int, params: Params) -> Iterator[Violation]:
    if rows < params.dataset.min_rows:
        yield Violation(rule="too_few_rows", column=None, count=rows)


def _no_variation(table: pd.DataFrame, params: Params) -> Iterator[Violation]:
    """Refuse a target that is the same in every row: there is nothing to learn to predict."""
    target = params.target.column
    if target in table and not varies(table[target], params.outcome):
        yield Violation(rule="no_variation", column=target, count=len(table))
