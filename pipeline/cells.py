"""What a cell of each kind of column may say, and the one way in which its value is written.

The same value has one canonical form, so that the same rows have the same digest however they were
written: whole numbers without a fraction, decimals as Python writes them, nothing for what is
missing.
"""

import re
from collections.abc import Callable

import pandas as pd
import pandera.pandas as pa
from clinical.params import Category, Column, Decimal, Identifier, Level, Params, WholeNumber
from reading import Table
from wording import counted, quoted

WHOLE = re.compile(
    r"-?(0|[1-9][0-9]*)(\.0+)?"
)  # 56.0 too: pandas writes it in a column with empty cells
DECIMAL = re.compile(r"-?((0|[1-9][0-9]*)(\.[0-9]+)?|\.[0-9]+)")  # .5 too: SPSS writes it
WITH_POINT, WITH_COMMA = (re.compile(rf"-?[0-9]*\{mark}[0-9]+") for mark in ".,")
# 1,234 may be a thousand and more, as well as a little more than one; 0,234 and 1,23 may not.
SURELY_DECIMAL = re.compile(r"-?(0?,[0-9]+|[0-9]{4,},[0-9]+|[0-9]+,([0-9]{1,2}|[0-9]{4,}))")
SWAPPED = str.maketrans(",.", ".,")

# How people and programs write that there is nothing, in any case.
MISSING = frozenset(
    {
        *(
            "",
            "-",
            "--",
            "\N{EN DASH}",
            "\N{EM DASH}",
            ".",
            "?",
            "na",
            "n/a",
            "n.a.",
            "#n/a",
            "nan",
        ),
        *("<na>", "nat", "null", "(null)", "#null!", "none", "nil", r"\n"),
    }
)

type Cells = pd.Series[str]
type Values = pd.Series[str] | pd.Series[float]
type Verdicts = pd.Series[bool]


def as_meant(table: Table, params: Params) -> tuple[pd.DataFrame, list[str]]:
    """Write what is missing as "", and decimal commas as points; tell of both.

    Returns strings, one column for each of the contract that is there, indexed by row number.
    """
    meant = pd.DataFrame(table.columns, index=table.numbers, dtype="str")
    notes = []
    for name in table.columns:
        said = _words_for_missing(meant[name], params.columns[name])
        if said.any():
            meant[name] = meant[name].mask(said, "")
            cells = counted(int(said.sum()), "cell")
            notes.append(f"{cells} of {quoted(name)} read as missing: NA, null, - and the like.")
    numeric = [name for name in table.columns if isinstance(params.columns[name], _NUMERIC)]
    if table.separator != "," and numeric and _has_decimal_commas(meant[numeric]):
        notes.append("Decimal commas read as points.")
        for name in numeric:  # a point there is no decimal point, and breaks the rule
            meant[name] = meant[name].str.translate(SWAPPED)
    return meant, notes


def rules(column: Column) -> list[pa.Check]:
    """Say what a column's cells must keep; a cell breaks one rule at most, the first it meets."""
    match column:
        case Identifier(max_length=longest):
            return [
                _present(),
                _rule("too_long", lambda cell: len(cell) <= longest),
                pa.Check(_is_alone, name="repeated", error="repeated"),
            ]
        case Category(values=values):
            return [_present(), _rule("unknown_value", frozenset(["", *values]).__contains__)]
        case Level(values=values):
            return [
                _present(),
                _written("whole_number", WHOLE),
                _numeric("unknown_value", WHOLE, frozenset(values).__contains__),
            ]
        case WholeNumber(min=low, max=high, nullable=nullable):
            return [
                *([] if nullable else [_present()]),
                _written("whole_number", WHOLE),
                _numeric("out_of_range", WHOLE, lambda number: low <= number <= high),
            ]
        case Decimal(min=low, max=high):
            return [
                _present(),
                _written("decimal_number", DECIMAL),
                _numeric("out_of_range", DECIMAL, lambda number: low <= number <= high),
            ]


def allowed(column: Column) -> tuple[str, ...]:
    """List the values that a column may have, where the contract lists them."""
    match column:
        case Category(values=values) | Level(values=values):
            return tuple(map(str, values))
        case _:
            return ()


def varies(cells: Cells, column: Column) -> bool:
    """Whether numbers differ, among those that are written as they should be."""
    written = cells[cells.isin({cell for cell in cells.unique() if DECIMAL.fullmatch(cell)})]
    return len(written) <= 1 or len(canonical(written, column).unique()) > 1


def canonical(cells: Cells, column: Column) -> Values:
    """Write cells that keep the rules in the one form that each of their values has."""
    match column:
        case Identifier() | Category():
            return cells
        case WholeNumber() | Level():
            return cells.map({one: _whole(one) for one in cells.unique()})
        case Decimal():
            return cells.astype(float) + 0.0  # -0.0 is 0.0


def canonical_csv(meant: pd.DataFrame, params: Params) -> bytes:
    """Write rows that keep the contract, without who they are of: features and target.

    The rows keep their order, which is part of what they are: it decides which are held out.
    """
    names = [name for name in params.columns if name != params.features.id]
    columns = {name: canonical(meant[name], params.columns[name]) for name in names}
    return pd.DataFrame(columns).to_csv(index=False, lineterminator="\n").encode()


_NUMERIC = (WholeNumber, Level, Decimal)


def _whole(written: str) -> str:
    digits = written.partition(".")[0]
    return "0" if digits == "-0" else digits


def _words_for_missing(cells: Cells, column: Column) -> Verdicts:
    """Find cells that say in a word or a sign that there is nothing to say.

    A word that the contract has for a value of the column says that value.
    """
    meaning = {value.casefold() for value in allowed(column)}
    words = {one for one in cells.unique() if one and one.casefold() in MISSING - meaning}
    return cells.isin(words)


def _has_decimal_commas(numeric: pd.DataFrame) -> bool:
    """Whether a comma is what numbers have for a point: surely in one, and in most of a file."""
    found = pd.concat([numeric[name] for name in numeric]).value_counts()
    commas = {cell: count for cell, count in found.items() if WITH_COMMA.fullmatch(str(cell))}
    points = sum(count for cell, count in found.items() if WITH_POINT.fullmatch(str(cell)))
    return sum(commas.values()) > points and any(map(SURELY_DECIMAL.fullmatch, map(str, commas)))


def _is_alone(cells: Cells) -> Verdicts:
    return ~cells.duplicated(keep=False) | (cells == "")


def _rule(name: str, keeps: Callable[[str], bool]) -> pa.Check:
    """Judge each distinct cell once: a column has few, and may have a million rows."""

    def judged(cells: Cells) -> Verdicts:
        return cells.isin({cell for cell in cells.unique() if keeps(cell)})

    return pa.Check(judged, name=name, error=name)


def _present() -> pa.Check:
    return _rule("missing", bool)


def _written(name: str, pattern: re.Pattern[str]) -> pa.Check:
    """Judge how a number is written, where one is."""
    return _rule(name, lambda cell: not cell or pattern.fullmatch(cell) is not None)


def _numeric(name: str, pattern: re.Pattern[str], keeps: Callable[[float], bool]) -> pa.Check:
    """Judge what a number must keep, where one is written; the other cells broke a rule before."""
    return _rule(name, lambda cell: not pattern.fullmatch(cell) or keeps(float(cell)))
