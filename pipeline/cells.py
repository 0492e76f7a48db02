"""What the cells of an upload mean, and the one way in which their values are written.

The same value has one canonical form, which its kind knows, so that the same rows have the same
digest however they were written; nothing is written for what is missing.
"""

import re

import pandas as pd
import pandera.pandas as pa
from clinical.kinds import Kind, Rule
from clinical.params import Params
from reading import Table
from wording import counted, quoted

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
    numeric = [name for name in table.columns if params.columns[name].is_number]
    if table.separator != "," and numeric and _has_decimal_commas(meant[numeric]):
        notes.append("Decimal commas read as points.")
        for name in numeric:  # a point there is no decimal point, and breaks the rule
            meant[name] = meant[name].str.translate(SWAPPED)
    for name in table.columns:
        column = params.columns[name]
        finer = {cell for cell in meant[name].unique() if column.is_finer(cell)}
        if finer:
            cells = counted(int(meant[name].isin(finer).sum()), "cell")
            notes.append(f"{cells} of {quoted(name)} rounded, as its decimals are declared.")
    return meant, notes


def checks(column: Kind) -> list[pa.Check]:
    """Say what a column's cells must keep; a cell breaks one rule at most, the first it meets.

    Each distinct cell is judged once: a column has few, and may have a million rows.
    """
    rules = column.rules()
    found = [_check(rule, rules[:before]) for before, rule in enumerate(rules)]
    if column.is_unique:
        found.append(pa.Check(_is_alone, name="repeated", error="repeated"))
    return found


def listed(column: Kind) -> tuple[str, ...]:
    """List the values that a column may have, as cells, where the contract lists them."""
    return tuple(map(str, column.listed))


def varies(cells: Cells, column: Kind) -> bool:
    """Whether values differ, among the cells that keep the rules."""
    rules = column.rules()
    kept = cells[cells.isin({c for c in cells.unique() if all(rule.keeps(c) for rule in rules)})]
    return len(kept) <= 1 or len(canonical(kept, column).unique()) > 1


def canonical(cells: Cells, column: Kind) -> Cells:
    """Write cells that keep the rules in the one form that each of their values has."""
    return cells.map({cell: column.canonical(cell) for cell in cells.unique()})


def canonical_csv(meant: pd.DataFrame, params: Params) -> bytes:
    """Write rows that keep the contract, without who they are of: features and target.

    The rows keep their order, which is part of what they are: it decides which are held out.
    """
    columns = {
        name: canonical(meant[name], column)
        for name, column in params.read.items()
        if name != params.identifier
    }
    return pd.DataFrame(columns).to_csv(index=False, lineterminator="\n").encode()


def _words_for_missing(cells: Cells, column: Kind) -> Verdicts:
    """Find cells that say in a word or a sign that there is nothing to say.

    A word that the contract has for a value of the column says that value.
    """
    meaning = {value.casefold() for value in listed(column)}
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


def _check(rule: Rule, before: tuple[Rule, ...]) -> pa.Check:
    def judged(cells: Cells) -> Verdicts:
        return cells.isin(
            {
                cell
                for cell in cells.unique()
                if not all(one.keeps(cell) for one in before) or rule.keeps(cell)
            }
        )

    return pa.Check(judged, name=rule.name, error=rule.name)
