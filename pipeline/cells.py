"""What the cells of an upload mean, and the one way in which their values are written.

The same value has one canonical form, which its kind knows, so that the same rows have the same
digest however they were written; nothing is written for what is missing.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from clinical.kinds import Kind, broken_rule
from clinical.params import Params
from columns import Column
from tables import Table
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


def as_meant(table: Table, params: Params) -> tuple[dict[str, Column], list[str]]:
    """Write what is missing as "", and decimal commas as points; tell of both.

    Returns a column for each of the contract that is there.
    """
    meant, notes = {}, []
    for name, column in table.columns.items():
        words = words_for_missing(column.cells, params.columns[name])
        meant[name] = column.rewritten(dict.fromkeys(words, ""))
        if words:
            cells = counted(_rows(column, words), "cell")
            notes.append(f"{cells} of {quoted(name)} read as missing: NA, null, - and the like.")
    numeric = [name for name in table.columns if params.columns[name].is_number]
    if table.separator != "," and has_decimal_commas(meant[name] for name in numeric):
        notes.append("Decimal commas read as points.")
        for name in numeric:  # a point there is no decimal point, and breaks the rule
            column = meant[name]
            meant[name] = column.rewritten({cell: cell.translate(SWAPPED) for cell in column.cells})
    for name, column in meant.items():
        finer = set(filter(params.columns[name].is_finer, column.cells))
        if finer:
            cells = counted(_rows(column, finer), "cell")
            notes.append(f"{cells} of {quoted(name)} rounded, as its decimals are declared.")
    return meant, notes


def broken_rules(column: Column, kind: Kind) -> Iterator[tuple[str, set[str]]]:
    """Give each rule that cells break, with those cells; a cell breaks the first it meets alone."""
    rules = kind.rules()
    broken: dict[str, set[str]] = {rule.name: set() for rule in rules}
    for cell in column.cells:
        if name := broken_rule(cell, rules):
            broken[name].add(cell)
    yield from ((rule, cells) for rule, cells in broken.items() if cells)
    if kind.is_unique:
        repeated = {cell for cell, count in column.counts.items() if cell and count > 1}
        if repeated:
            yield "repeated", repeated


def listed(column: Kind) -> tuple[str, ...]:
    """List the values that a column may have, as cells, where the contract lists them."""
    return tuple(map(str, column.listed))


def varies(column: Column, kind: Kind) -> bool:
    """Whether values differ, among the cells that keep the rules."""
    rules = kind.rules()
    kept = {cell: count for cell, count in column.counts.items() if not broken_rule(cell, rules)}
    return sum(kept.values()) <= 1 or len(set(map(kind.canonical, kept))) > 1


def canonical(columns: dict[str, Column], params: Params) -> dict[str, Column]:
    """Write cells that keep the contract in the one form that each of their values has.

    Without who the rows are of: features and target. The rows keep their order, which is part of
    what they are: it decides which are held out.
    """
    return {
        name: columns[name].rewritten({c: kind.canonical(c) for c in columns[name].cells})
        for name, kind in params.read.items()
        if name != params.identifier
    }


def words_for_missing(cells: Iterable[str], column: Kind) -> set[str]:
    """Find cells that say in a word or a sign that there is nothing to say.

    A word that the contract has for a value of the column says that value.
    """
    meaning = {value.casefold() for value in listed(column)}
    return {cell for cell in cells if cell and cell.casefold() in MISSING - meaning}


def has_decimal_commas(numeric: Iterable[Column]) -> bool:
    """Whether a comma is what numbers have for a point: surely in one, and in most of a file."""
    found: Counter[str] = Counter()
    for column in numeric:
        found.update(column.counts)
    commas = {cell: count for cell, count in found.items() if WITH_COMMA.fullmatch(cell)}
    points = sum(count for cell, count in found.items() if WITH_POINT.fullmatch(cell))
    return sum(commas.values()) > points and any(map(SURELY_DECIMAL.fullmatch, commas))


def _rows(column: Column, cells: set[str]) -> int:
    """Count the rows that have one of some cells."""
    return sum(count for cell, count in column.counts.items() if cell in cells)
