"""Report what is wrong with a file: every broken rule with its count and first rows, no cells."""

from collections.abc import Collection, Iterable, Iterator, Mapping

from clinical.artefacts import Artefact
from clinical.frozen import Frozen

FIRST_ROWS = 10  # how many row numbers a violation names


class Violation(Frozen):
    """A broken rule.

    column: its name in the contract, or None if the rule is about the file or whole rows.
    count: of rows, or of columns if the rule is about the header.
    first_rows: the numbers of the first rows, as in a spreadsheet: the file's first row is row 1.
    allowed: the values that the contract lists, if a cell has another one.
    """

    rule: str
    column: str | None
    count: int
    first_rows: tuple[int, ...] = ()
    allowed: tuple[str, ...] = ()


class Report(Frozen):
    """The violations in a file, and how it was read."""

    rows: int
    violations: tuple[Violation, ...]
    notes: tuple[str, ...] = ()


class Rejection(Report):
    """The content of the execution's error: the report, and where it is stored."""

    report: Artefact


def header_violations(
    required: Iterable[str], there: Collection[str], repeated: Mapping[str, int]
) -> Iterator[Violation]:
    """Check that a header has each required column exactly once.

    repeated: how often repeated columns occur.
    """
    for name in required:
        if name in repeated:
            yield Violation(rule="column_repeated", column=name, count=repeated[name])
        elif name not in there:
            yield Violation(rule="column_missing", column=name, count=1)
