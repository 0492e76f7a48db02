"""How the report formats numbers: with a true minus sign, and with their intervals."""

from collections.abc import Iterable

from clinical.report.markup import Markup, joined, said
from clinical.verdict import Estimate

MINUS = "\N{MINUS SIGN}"
TOO_FEW = "too few rows"
NOT_MEASURED = "Not measured by the release that trained this model."


def minus(text: str) -> str:
    return text.replace("-", MINUS)


def plain(value: float) -> str:
    return minus(f"{value:.12g}")


def number(value: float, decimals: int = 3, *, signed: bool = False) -> str:
    """Format a number; signed: with a plus sign, as for differences."""
    rounded = round(value, decimals) + 0.0  # -0.0 is 0.0
    return minus(f"{rounded:{'+' if signed and rounded else ''},.{decimals}f}")


def tiny(value: float) -> str:
    """Format a number of which only the magnitude matters."""
    return minus(f"{value:.2g}")


def level(share: float) -> str:
    """Format a chosen share, in percent."""
    return f"{round(100 * share, 6):g}%"


def points(share: float) -> str:
    """Format a difference between shares, in percentage points."""
    return f"{round(100 * share, 2):g} percentage points"


def percent(share: float) -> str:
    """Format a measured share, in percent."""
    return f"{100 * share:.1f}%"


def estimate(found: Estimate | None, decimals: int = 3, *, signed: bool = False) -> str:
    """Format an estimate with its interval."""
    if found is None:
        return TOO_FEW
    value, low, high = (
        number(one, decimals, signed=signed) for one in (found.value, found.low, found.high)
    )
    return f"{value} ({low} to {high})"


def share(found: Estimate | None) -> str:
    """Format a share with its interval, in percent."""
    if found is None:
        return TOO_FEW
    return f"{percent(found.value)} ({percent(found.low)} to {percent(found.high)})"


def counted(count: int, one: str, many: str = "") -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def enumerated(names: Iterable[object]) -> Markup:
    """Format a list in words: one, another and a third."""
    *rest, last = names
    return joined((joined(rest, ", "), " and ", last)) if rest else joined((last,))


def words(names: Iterable[str]) -> Markup:
    """Format a study's own words as a list."""
    return enumerated([said(one) for one in names])
