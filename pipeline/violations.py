"""What is wrong with a file: every broken rule with its count and its first rows, and no cell."""

from collections.abc import Collection, Iterable, Iterator, Mapping

from clinical.artefacts import Artefact
from clinical.frozen import Frozen

FIRST_ROWS = 10  # how many row numbers a violation names


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
    """What is wrong with a file of so many rows, and how it was read."""

    rows: int
    violations: tuple[Violation, ...]
    notes: tuple[str, ...] = ()


class Rejection(Report):
    """What the execution's error says: the report, and where it lies."""

    report: Artefact


def header_violations(
    required: Iterable[str], there: Collection[str], repeated: Mapping[str, int]
) -> Iterator[Violation]:
    """Hold a header to the columns that it must have, and to each being there once.

    repeated: how often a column is there that is there more than once.
    """
    for name in required:
        if name in repeated:
            yield Violation(rule="column_repeated", column=name, count=repeated[name])
        elif name not in there:
            yield Violation(rule="column_missing", column=name, count=1)
