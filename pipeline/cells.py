"""Interpret the cells of an upload, and write their values in canonical form.

Each value has one canonical form, defined by its kind, so that the same rows have the same digest
however they were written. Missing values are written as nothing.
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
# 1,234 is ambiguous: a thousand and more, or a little more than one. 0,234 and 1,23 are not.
SURELY_DECIMAL = re.compile(r"-?(0?,[0-9]+|[0-9]{4,},[0-9]+|[0-9]+,([0-9]{1,2}|[0-9]{4,}))")
SWAPPED = str.maketrans(",.", ".,")

# How people and programs write missing values, in upper or lower case.
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
    """Replace missing values by "" and decimal commas by points; report both.

    Returns the contract's columns that are present, and the notes.
    """
    meant, notes = {}, []
    for name, column in table.columns.items():
        words = words_for_missing(column.cells, params.columns[name])
        meant[name] = column.rewritten(dict.fromkeys(words, ""))
        if words:
            cells = counted(_rows(column, words), "cell")
            notes.append(f"{cells} of {quoted(name)} read as missing: NA, null, - or similar.")
    numeric = [name for name in table.columns if params.columns[name].is_number]
    if table.separator != "," and has_decimal_commas(meant[name] for name in numeric):
        notes.append("Decimal commas read as decimal points.")
        for name in numeric:  # a point there is no decimal point, and breaks the rule
            column = meant[name]
            meant[name] = column.rewritten({cell: cell.translate(SWAPPED) for cell in column.cells})
    for name, column in meant.items():
        finer = set(filter(params.columns[name].is_finer, column.cells))
        if finer:
            cells = counted(_rows(column, finer), "cell")
            notes.append(f"{cells} of {quoted(name)} rounded to the column's decimals.")
    return meant, notes


def broken_rules(column: Column, kind: Kind) -> Iterator[tuple[str, set[str]]]:
    """Yield each broken rule with its cells; only a cell's first broken rule counts."""
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
    """List a column's allowed values as cells, if the contract lists them."""
    return tuple(map(str, column.listed))


def varies(column: Column, kind: Kind) -> bool:
    """Whether the values of valid cells differ."""
    rules = kind.rules()
    kept = {cell: count for cell, count in column.counts.items() if not broken_rule(cell, rules)}
    return sum(kept.values()) <= 1 or len(set(map(kind.canonical, kept))) > 1


def canonical(columns: dict[str, Column], params: Params) -> dict[str, Column]:
    """Write valid cells in canonical form.

    Only features and target, without identifiers. Rows keep their order, which decides which of
    them are held out.
    """
    return {
        name: columns[name].rewritten({c: kind.canonical(c) for c in columns[name].cells})
        for name, kind in params.read.items()
        if name != params.identifier
    }


def words_for_missing(cells: Iterable[str], column: Kind) -> set[str]:
    """Find cells with a word or sign for a missing value.

    A word that the contract lists as a value of the column is that value.
    """
    meaning = {value.casefold() for value in listed(column)}
    return {cell for cell in cells if cell and cell.casefold() in MISSING - meaning}


def has_decimal_commas(numeric: Iterable[Column]) -> bool:
    """Whether numbers have decimal commas: unambiguously in one, and in most of the file."""
    found: Counter[str] = Counter()
    for column in numeric:
        found.update(column.counts)
    commas = {cell: count for cell, count in found.items() if WITH_COMMA.fullmatch(cell)}
    points = sum(count for cell, count in found.items() if WITH_POINT.fullmatch(cell))
    return sum(commas.values()) > points and any(map(SURELY_DECIMAL.fullmatch, commas))


def _rows(column: Column, cells: set[str]) -> int:
    """Count the rows with one of these cells."""
    return sum(count for cell, count in column.counts.items() if cell in cells)
