"""Markdown of what was measured."""

from collections.abc import Iterator


def table(*rows: tuple[object, ...]) -> Iterator[str]:
    """Write a table's lines, the first row as its heading."""
    heading, *body = rows
    for row in (heading, ("---",) * len(heading), *body):
        yield f"| {' | '.join(map(str, row))} |"
    yield ""
