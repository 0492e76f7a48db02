"""Export predictions with their outcomes, as a data set for retraining."""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from clinical.captured import Captured
from clinical.kinds import Kind, Value, broken_rule
from clinical.outcomes import Outcome
from clinical.params import Params
from wording import counted, quoted

# Why rows are left out: a rule with its column, or only this.
NOT_CAPTURED = "not_captured"

type LeftOut = Counter[tuple[str, str | None]]


def joined_csv(
    captures: Iterable[Captured],
    outcomes: Mapping[str, Outcome],
    params: Params,
    left_out: LeftOut | None = None,
) -> Iterator[str]:
    """Yield the lines of a CSV with their line ends: a header, and a row for each outcome.

    The patient's identity is not known here: the identifier is the prediction's id, shortened if
    the column's limit is lower. Rows without columns that requests may leave out are left out,
    because a data set must have them. left_out: is filled with the number of rows left out, by rule
    and column; it is complete after the last line.
    """
    missed: LeftOut = Counter() if left_out is None else left_out
    captured = 0
    yield _line(params.read)
    for one in captures:
        outcome = outcomes.get(one.prediction_id)
        if outcome is None:
            continue
        captured += 1
        cells = {
            name: cell_of(kind, value)
            for (name, kind), value in zip(
                params.read.items(), values_of(one, outcome, params), strict=True
            )
        }
        broken = next(
            (
                (rule, name)
                for name, cell in cells.items()
                if (rule := broken_rule(cell, params.read[name].rules()))
            ),
            None,
        )
        if broken:
            missed[broken] += 1
        else:
            yield _line(cells.values())
    if len(outcomes) > captured:
        missed[NOT_CAPTURED, None] = len(outcomes) - captured


def values_of(captured: Captured, outcome: Outcome, params: Params) -> Iterator[Value]:
    """Yield the value of each column of a data set."""
    for name, kind in params.read.items():
        if name == params.target.column:
            yield outcome.value
        elif name == params.identifier:
            yield captured.prediction_id[: getattr(kind, "max_length", None)]
        else:
            yield captured.features.get(name)


def cell_of(kind: Kind, value: Value) -> str:
    """Write a value as a cell, even if the column no longer allows it."""
    cell = "" if value is None else str(value)
    try:
        return kind.canonical(cell)
    except ValueError:  # of another release, in which the column was of another kind
        return cell


def told(left_out: LeftOut) -> Iterator[str]:
    """Describe how many rows were left out, and why."""
    for (rule, column), number in left_out.items():
        rows = counted(number, "row")
        if column is None:
            yield f"{counted(number, 'outcome')} left out: no captured prediction has the id."
        elif rule == "missing":
            yield f"{rows} left out: {quoted(column)} was not known at the time of prediction."
        else:
            yield f"{rows} left out: {quoted(column)} breaks the rule {rule} in params.yaml."


def _line(cells: Iterable[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue()
