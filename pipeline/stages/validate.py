"""Hold every row of a data set to the contract in params.yaml, and report all that breaks it.

Cells are read as strings and judged as strings, because a reader that guesses types also guesses
what was meant. The report counts and points; it never repeats a cell, for rows are patients.
"""

import csv
import io
from collections.abc import Callable, Iterator

import pandas as pd
import pandera.pandas as pa
from clinical.artefacts import Artefact, Artefacts
from clinical.errors import DatasetRejected
from clinical.params import (
    Category,
    Column,
    Decimal,
    Frozen,
    Identifier,
    Level,
    Params,
    WholeNumber,
)
from stage import stage
from state import Ingested, Validated

FIRST_ROWS = 10  # how many row numbers a violation names
MISSING = ("", "NaN", "nan")
WHOLE = r"-?(0|[1-9][0-9]*)(\.0+)?"  # 56.0 too: pandas writes it in a column with empty cells
DECIMAL = r"-?(0|[1-9][0-9]*)(\.[0-9]+)?"

type Cells = pd.Series[str]
type Numbers = pd.Series[float]
type Verdicts = pd.Series[bool]


class Violation(Frozen):
    """A rule that rows break.

    column: its name in the contract, or None where the rule is about the file or whole rows.
    count: of the rows, or of the columns where the rule is about the header.
    first_rows: the first of them, as a spreadsheet counts: the header is row 1.
    """

    rule: str
    column: str | None
    count: int
    first_rows: tuple[int, ...] = ()


class Report(Frozen):
    """What is wrong with a data set of so many rows."""

    rows: int
    violations: tuple[Violation, ...]


class Rejection(Report):
    """What the execution's error says: the report, and where it lies."""

    report: Artefact


@stage()
def validate(ingested: Ingested, artefacts: Artefacts, params: Params) -> Validated:
    """Let a data set pass that keeps the contract; reject any other with a report of it all."""
    report = judge(artefacts.read(ingested.dataset).decode("utf-8-sig"), params)
    if report.violations:
        written = artefacts.write_json("report.json", report)
        raise DatasetRejected(Rejection(**dict(report), report=written).model_dump_json())
    return Validated(dataset=ingested.dataset, rows=report.rows)


def judge(text: str, params: Params) -> Report:
    """Find every violation in one pass over a CSV's text."""
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    header = next(lines)
    rows = {number: row for number, row in enumerate(lines, start=2) if row}
    ragged = [number for number, row in rows.items() if len(row) != len(header)]
    whole = {number: row for number, row in rows.items() if len(row) == len(header)}
    table = pd.DataFrame(list(whole.values()), index=list(whole), columns=header, dtype=str)
    named_once = [name for name in params.columns if header.count(name) == 1]
    return Report(
        rows=len(rows),
        violations=(
            *header_violations(header, params),
            *_violation("row_width", None, ragged),
            *_too_few(len(rows), params),
            *column_violations(table[named_once], params),
        ),
    )


def header_violations(header: list[str], params: Params) -> Iterator[Violation]:
    """Hold the header to the contract's columns and their order.

    Only names of the contract are repeated: without a header, the first patient stands there.
    """
    expected = list(params.columns)
    for name in expected:
        if name not in header:
            yield Violation(rule="column_missing", column=name, count=1)
        elif header.count(name) > 1:
            yield Violation(rule="column_repeated", column=name, count=header.count(name))
    unexpected = sum(name not in expected for name in header)
    if unexpected:
        yield Violation(rule="column_unexpected", column=None, count=unexpected)
    if sorted(header) == sorted(expected) and header != expected:
        yield Violation(rule="column_order", column=None, count=len(header))


def column_violations(table: pd.DataFrame, params: Params) -> Iterator[Violation]:
    """Hold the cells of each column to its rules.

    table: strings, one column per contract column that is there, indexed by row number.
    """
    schema = pa.DataFrameSchema(
        {name: pa.Column(checks=rules(params.columns[name])) for name in table.columns}
    )
    try:
        schema.validate(table, lazy=True)
    except pa.errors.SchemaErrors as error:
        found = error.failure_cases
        for (column, rule), cases in found.groupby(["column", "check"], sort=False):
            yield from _violation(rule, column, sorted(cases["index"]))


def rules(column: Column) -> list[pa.Check]:
    """Say what a column's cells must keep; a cell breaks one rule at most, the first it meets."""
    match column:
        case Identifier(max_length=longest):
            return [
                _rule("missing", lambda cells: cells != ""),
                _rule("too_long", lambda cells: cells.str.len() <= longest),
                _rule("repeated", lambda cells: ~cells.duplicated(keep=False) | (cells == "")),
            ]
        case Category(values=values):
            return [
                _rule("missing", lambda cells: cells != ""),
                _rule("unknown_value", lambda cells: cells.isin(["", *values])),
            ]
        case Level(values=values):
            return [
                *_written("whole_number", WHOLE),
                _numeric("unknown_value", WHOLE, lambda numbers: numbers.isin(values)),
            ]
        case WholeNumber(min=low, max=high, nullable=nullable):
            return [
                *_written("whole_number", WHOLE, nullable=nullable),
                _numeric("out_of_range", WHOLE, lambda numbers: numbers.between(low, high)),
            ]
        case Decimal(min=low, max=high):
            return [
                *_written("decimal_number", DECIMAL),
                _numeric("out_of_range", DECIMAL, lambda numbers: numbers.between(low, high)),
            ]


def _rule(name: str, keeps: Callable[[Cells], Verdicts]) -> pa.Check:
    return pa.Check(keeps, name=name, error=name)


def _written(name: str, pattern: str, *, nullable: bool = False) -> list[pa.Check]:
    """Judge how a number is written, and whether it may be missing."""
    written = _rule(name, lambda cells: cells.isin(MISSING) | cells.str.fullmatch(pattern))
    present = _rule("missing", lambda cells: ~cells.isin(MISSING))
    return [written] if nullable else [present, written]


def _numeric(name: str, pattern: str, keeps: Callable[[Numbers], Verdicts]) -> pa.Check:
    """Judge what a number must keep, where one is written; the other cells broke a rule before."""

    def judged(cells: Cells) -> Verdicts:
        written = cells.str.fullmatch(pattern)
        return keeps(cells.where(written).astype(float)) | ~written

    return _rule(name, judged)


def _violation(rule: str, column: str | None, rows: list[int]) -> Iterator[Violation]:
    if rows:
        yield Violation(
            rule=rule, column=column, count=len(rows), first_rows=tuple(rows[:FIRST_ROWS])
        )


def _too_few(rows: int, params: Params) -> Iterator[Violation]:
    if rows < params.dataset.min_rows:
        yield Violation(rule="too_few_rows", column=None, count=rows)
