"""Validate every row of a data set against the contract in params.yaml, and report violations.

Cells are read and checked as strings, because a reader that guesses types also guesses meanings.
The report has counts and row numbers; it never repeats a cell, because rows are patients.

Outcomes that are trained on beside an upload are in a separate file that this system wrote; each
file is read in its own way, and together they are the data set.
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
from wording import counted, quoted

from retrain.state import Ingested, Validated

ALLOWED_VALUES = 100  # how many of the contract's values it lists
OF_OUTCOMES = "These rows are in outcomes.csv, which this system wrote, not in the upload."


@stage()
def validate(ingested: Ingested, artefacts: Artefacts, params: Params) -> Validated:
    """Write valid rows in canonical form; reject a data set with violations, with a report."""
    table = read(ingested.source.key, artefacts.read(ingested.dataset), params)
    told = None
    if ingested.outcomes:
        told = read("outcomes.csv", artefacts.read(ingested.outcomes), params)
        _rejected(of_outcomes(told, params), artefacts)
    report, meant = judge(table, params, told)
    _rejected(report, artefacts)
    return Validated(
        dataset=artefacts.write("dataset.npz", dumped(canonical(meant, params))),
        rows=report.rows,
        outcomes=told.rows if told else 0,
        notes=(*report.notes, *ingested.left_out),
    )


def _rejected(report: Report, artefacts: Artefacts) -> None:
    """Raise DatasetRejected if there are violations in a file."""
    if report.violations:
        written = artefacts.write_json("report.json", report)
        raise DatasetRejected(Rejection(**dict(report), report=written).model_dump_json())


def of_outcomes(told: Table, params: Params) -> Report:
    """Validate outcomes with their predictions against the contract, as when they were joined.

    The identifier is not checked, because it is the prediction's id, which may be shortened.
    """
    columns = {name: one for name, one in told.columns.items() if name != params.identifier}
    violations = (
        *header_violations(params.read, told.columns, told.repeated),
        *_violation("row_width", None, np.array(told.ragged, np.int64)),
        *column_violations(columns, told.numbers, params),
    )
    return Report(rows=told.rows, violations=violations, notes=(OF_OUTCOMES, *told.notes))


def judge(
    table: Table, params: Params, told: Table | None = None
) -> tuple[Report, dict[str, Column]]:
    """Find every violation in one pass, and return the interpreted cells.

    told: valid outcomes, whose rows come after the upload's.
    """
    meant, notes = as_meant(table, params)
    wrong = tuple(header_violations(params.read, table.columns, table.repeated))
    rows, together = table.rows, meant
    if told and not wrong:
        together, replaced = with_outcomes(meant, told, params)
        rows += told.rows - replaced
        notes = [*notes, *_told(told.rows, replaced, params)]
    report = Report(
        rows=rows,
        violations=(
            *wrong,
            *_violation("row_width", None, np.array(table.ragged, np.int64)),
            *_too_few(rows, params),
            *column_violations(meant, table.numbers, params),
            *_no_variation(together, params),
        ),
        notes=(*table.notes, *notes),
    )
    return report, together


def with_outcomes(
    meant: dict[str, Column], told: Table, params: Params
) -> tuple[dict[str, Column], int]:
    """Append outcomes to an upload's rows, and return how many rows they replace.

    `make outcomes OUT=` identifies rows by their prediction: if such a row was uploaded and another
    outcome has been reported since, the latter counts.
    """
    again = np.zeros(0, np.bool_)
    if params.identifier:
        again = meant[params.identifier].rows_with(set(told.columns[params.identifier].cells))
    if again.any():
        kept = np.flatnonzero(~again)
        meant = {name: column.at(kept) for name, column in meant.items()}
    together = {name: meant[name].followed_by(told.columns[name]) for name in params.read}
    return together, int(again.sum())


def _told(outcomes: int, replaced: int, params: Params) -> Iterator[str]:
    """Report that outcomes are among the rows."""
    yield f"{counted(outcomes, 'row')} added: predictions with outcomes reported since the upload."
    if replaced:
        yield (
            f"{counted(replaced, 'row')} of the upload replaced by a newer outcome with the same "
            f"{quoted(params.identifier or '')}."
        )


def column_violations(
    columns: dict[str, Column], numbers: Codes, params: Params
) -> Iterator[Violation]:
    """Check the cells of each column against its rules.

    numbers: row numbers (n,), as in a spreadsheet.
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
    """Refuse a target that is the same in every row, because there is nothing to predict."""
    target = params.target.column
    if target in columns and not varies(columns[target], params.outcome):
        yield Violation(rule="no_variation", column=target, count=len(columns[target]))
