"""Parts of cards in Markdown: figures with their intervals, and tables."""

from collections.abc import Iterable, Iterator

from clinical.verdict import Estimate


def shown(estimate: Estimate | None) -> str:
    if estimate is None:
        return "too few rows"
    return f"{estimate.value:.3f} ({estimate.low:.3f} to {estimate.high:.3f})"


def table(heading: Iterable[str], rows: Iterable[Iterable[object]]) -> Iterator[str]:
    """Write a table's lines; cells are escaped."""
    heading = tuple(heading)
    yield f"| {' | '.join(heading)} |"
    yield f"|{'---|' * len(heading)}"
    for row in rows:
        yield f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in row)} |"
