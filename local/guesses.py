"""Guess the kinds of a data set's columns, with reasons.

Rows are patients, so the reasons repeat no cell that may name or describe one, and single cells of
a proposed column only as the ends of its range.
"""

import re
import statistics
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from itertools import pairwise
from typing import Self

from clinical.kinds import DAY, DECIMAL, LARGEST, MOST_DECIMALS, NO, WHOLE, YES

from local import scalars

MOST_LEVELS = 8
ROWS_A_LEVEL = 4  # at least: with fewer, numbers may repeat by chance
MOST_CATEGORIES = 50
LONGEST_CATEGORY = 60
FEW = 10  # distinct words, which are never read as text
LONGEST_ID = 1024
A_COPY = 0.98  # the correlation with the target above which a column is suspected to derive from it

WORD_END = r"(?:$|[\W_\d])"
ID_LIKE = re.compile(
    rf"(?:^|[\W_])(?:p?id|mrn|uuid|guid|subject|subjid|usubjid|record|case){WORD_END}"
    r"|(?:id|num|nr|number|code)$",
    re.IGNORECASE,
)
PERSONAL = re.compile(
    r"^names?$|(?:first|last|sur|fore|full|family|given|middle|patient|maiden)[\W_]*name|initials"
    rf"|e[\W_]?mail|(?:tele)?phone|address|street|post[\W_]?code|birth"
    rf"|(?:^|[\W_])(?:dob|zip|ssn|nhs|tel){WORD_END}",
    re.IGNORECASE,
)
FREE_TEXT = re.compile(r"comment|note|remark|free[\W_]*text|narrative|descri", re.IGNORECASE)
TREATMENT = re.compile(
    rf"(?:^|[\W_])(?:arms?|treat(?:ment|ments|ed)?|trt|drugs?|dos(?:e|es|age)|therapy|regimen"
    rf"|medication){WORD_END}",
    re.IGNORECASE,
)
DOSE = re.compile(r"dos(?:e|age)", re.IGNORECASE)
GROUP = re.compile(rf"(?:^|[\W_])(?:sex|gender|race|ethnic(?:ity)?){WORD_END}", re.IGNORECASE)
AGE = re.compile(rf"(?:^|[\W_])age{WORD_END}", re.IGNORECASE)
LATER = re.compile(
    r"after|follow|outcome|death|died|relapse|endpoint|discharge|^off[\W_a-z]*|^cens", re.IGNORECASE
)
AGES = (18, 30, 45, 60, 75)
YEARS_A_BAND = 5  # at least


@dataclass(frozen=True)
class Cells:
    """A column of a data set, with "" for missing cells.

    words: those that were read as missing, such as NA.
    """

    name: str
    cells: tuple[str, ...]
    words: frozenset[str] = frozenset()

    @cached_property
    def present(self) -> list[str]:
        return [cell for cell in self.cells if cell]

    @cached_property
    def counts(self) -> Counter[str]:
        return Counter(self.present)

    @property
    def missing(self) -> int:
        return len(self.cells) - len(self.present)

    @property
    def is_unique(self) -> bool:
        return not self.missing and len(self.counts) == len(self.cells) > 1

    @cached_property
    def is_number(self) -> bool:
        return bool(self.counts) and all(DECIMAL.fullmatch(cell) for cell in self.counts)

    @cached_property
    def is_whole(self) -> bool:
        return self.is_number and all(WHOLE.fullmatch(cell) for cell in self.counts)

    @cached_property
    def decimals(self) -> int:
        """The number of decimals, up to the most that are kept."""
        found = (len(cell.partition(".")[2].rstrip("0")) for cell in self.counts)
        return min(max(found, default=0), MOST_DECIMALS)

    @cached_property
    def numbers(self) -> list[float]:
        """Its numbers, in order and rounded to its decimals."""
        return sorted(round(float(cell), self.decimals) + 0.0 for cell in self.present)

    @cached_property
    def levels(self) -> list[float]:
        return sorted(set(self.numbers))


@dataclass(frozen=True)
class Guess:
    """The kind that a column may have. why: sentences. settings: of the kind, as in YAML."""

    kind: str
    why: tuple[str, ...]
    settings: dict[str, str | list[str]] = field(default_factory=dict)

    @property
    def is_feature(self) -> bool:
        return self.kind not in {"identifier", "ignored"}

    @property
    def is_choice(self) -> bool:
        """Whether it has a few values to choose from, and is never missing."""
        return self.kind in {"yes_no", "category", "level"} and "nullable" not in self.settings

    def saying(self, *why: str) -> Self:
        return replace(self, why=(*self.why, *why))


def ignored(*why: str) -> Guess:
    return Guess("ignored", why)


def guess(column: Cells) -> Guess:
    """Guess the kind of a column that is neither the target nor the identifier."""
    for rule in RULES:
        found = rule(column)
        if found is not None:
            break
    else:
        found = _text(column)
    if found.is_feature and column.missing:
        found = replace(found, settings={**found.settings, "nullable": "true"})
    if found.is_feature and column.words:
        said = ", ".join(sorted(column.words))
        found = found.saying(
            f"Read as missing: {said}. To keep such a word as a value, list it under values."
        )
    return found


def identifier(column: Cells) -> Guess:
    """Return the guess for the patient identifier. The column's cells are unique."""
    longest = max(map(len, column.cells))
    most = {"max_length": str(longest)} if longest > 64 else {}  # noqa: PLR2004 - its default
    why = (
        f"{len(column.cells):,} rows, all different: identifies a patient, and is never a feature."
    )
    return Guess("identifier", (why,), {**most, "hint": "A pseudonym, never a name."})


def may_identify(column: Cells) -> bool:
    """Whether a column looks like the patient identifier."""
    fits = all(len(cell) <= LONGEST_ID and not re.search(r"\s", cell) for cell in column.counts)
    is_written = column.is_whole or not column.is_number
    named = ID_LIKE.search(column.name) is not None and not PERSONAL.search(column.name)
    return column.is_unique and named and fits and is_written


def measured(column: Cells) -> Guess:
    """Return the guess for a measurement: numbers, of which at least two differ."""
    low, high = column.levels[0], column.levels[-1]
    places = column.decimals
    settings: dict[str, str | list[str]] = {
        "min": scalars.number(low, places),
        "max": scalars.number(high, places),
    }
    words = f"from {settings['min']} to {settings['max']}, {len(column.levels):,} distinct"
    if not places:
        return Guess("whole_number", (f"{_rows(column)}: whole numbers {words}.",), settings)
    settings["decimals"] = str(places)
    cut = max(len(cell.partition(".")[2]) for cell in column.counts) > MOST_DECIMALS
    kept = (f"Numbers are rounded to {MOST_DECIMALS} decimals.",) if cut else ()
    return Guess("number", (f"{_rows(column)}: numbers {words}.", *kept), settings)


def is_measured(column: Cells) -> bool:
    """Whether a column has only numbers, of which at least two differ and none is too large."""
    return column.is_number and len(column.levels) > 1 and _largest(column) <= LARGEST


def is_copy(column: Cells, target: Cells) -> bool:
    """Whether a column equals the target in every row."""
    if not column.is_number or _largest(column) > LARGEST:
        return False
    return [cell and float(cell) for cell in column.cells] == [
        cell and float(cell) for cell in target.cells
    ]


def correlation(column: Cells, target: Cells) -> float:
    """Correlate two columns over the rows that have both; 0 if that is not possible."""
    if not column.is_number or _largest(column) > LARGEST:
        return 0.0
    pairs = [
        (float(one), float(other))
        for one, other in zip(column.cells, target.cells, strict=True)
        if one and other
    ]
    if len(pairs) < 3:  # noqa: PLR2004 - two points always lie on a line
        return 0.0
    try:
        return statistics.correlation(*zip(*pairs, strict=True))
    except statistics.StatisticsError:  # one of them is constant
        return 0.0


def shares_prefix(name: str, target: str) -> bool:
    """Whether a column's name differs from the target's only by a number: cd496 and cd420."""
    begins = re.match(r"[^\W\d_]{2,}", target)
    rest = re.escape(begins[0]) + r"(?:$|[\W\d_])" if begins else None
    return rest is not None and re.match(rest, name, re.IGNORECASE) is not None


# ---- Rules in order; the first that applies ----


def _nothing(column: Cells) -> Guess | None:
    if not column.counts:
        return ignored("All cells are empty.")
    if len(column.counts) == 1 or (column.is_number and len(column.levels) == 1):
        beside = f", and {column.missing:,} are empty" if column.missing else ""
        return ignored(f"All values are the same{beside}: a model learns nothing from them.")
    return None


def _personal(column: Cells) -> Guess | None:
    if PERSONAL.search(column.name):
        return ignored("By its name, it may identify patients: ignored for privacy.")
    if column.is_unique and may_identify(column):
        return ignored(
            "All rows differ, and its name looks like an identifier: ignored for privacy."
        )
    return None


def _date(column: Cells) -> Guess | None:
    if not all(DAY.fullmatch(cell) and _is_day(cell) for cell in column.counts):
        return None
    days = sorted(column.present)
    first, last, middle = days[0], days[-1], days[len(days) // 2]
    return Guess(
        "date",
        (
            f"{_rows(column)}: days from {first} to {last}, {len(column.counts):,} distinct.",
            "The model uses the days since the first; since may also name another date column.",
        ),
        {"since": first, "min": first, "max": last, "example": scalars.word(middle)},
    )


def _yes_no(column: Cells) -> Guess | None:
    said = {cell.casefold() for cell in column.counts}
    if said <= YES | NO and said & YES and said & NO:
        counts = sum(count for cell, count in column.counts.items() if cell.casefold() in YES)
        share = counts / len(column.present)
        return Guess("yes_no", (f"{_rows(column)}: yes or no; {share:.0%} are yes.",))
    return None


def _codes(column: Cells) -> Guess | None:
    """Guess that numbers are codes, if the column's name is that of groups or arms."""
    levels = column.levels if column.is_whole and _largest(column) <= LARGEST else []
    if not levels or not len(column.counts) == len(levels) <= MOST_LEVELS:
        return None
    follow = levels == [levels[0] + step for step in range(len(levels))]
    is_arm = TREATMENT.search(column.name) and not DOSE.search(column.name)
    if GROUP.search(column.name) or (is_arm and follow and len(levels) > 2):  # noqa: PLR2004
        found = _category(column)
        return found and found.saying("CHECK: these are codes; explain them in its hint.")
    return None


def _number(column: Cells) -> Guess | None:
    if not column.is_number:
        return None
    if _largest(column) > LARGEST:
        return ignored(f"Numbers beyond {LARGEST:,.0f} cannot be measurements.")
    first = int(column.numbers[0])
    if first in {0, 1} and [*column.cells] == [str(first + n) for n in range(len(column.cells))]:
        return ignored("It numbers the rows.")
    found = _level(column) or measured(column)
    middle = column.numbers[len(column.numbers) // 2]
    example = scalars.number(middle, column.decimals)
    found = replace(found, settings={**found.settings, "example": example})
    if found.kind == "level" and len(column.levels) > 2:  # noqa: PLR2004
        return found
    if column.is_whole and len(column.levels) <= MOST_LEVELS:
        return found.saying(
            "If these are codes of groups, use the kind category and put the values in quotes."
        )
    return found


def _level(column: Cells) -> Guess | None:
    """Guess that a few numbers that are not consecutive, such as dosages, are levels."""
    levels = column.levels
    if len(levels) > MOST_LEVELS or len(column.present) < ROWS_A_LEVEL * len(levels):
        return None
    steps = {round(b - a, MOST_DECIMALS) for a, b in pairwise(levels)}
    if len(levels) > 2 and (steps == {1} or (len(steps) == 1 and not column.is_whole)):  # noqa: PLR2004
        return None
    how = "unevenly spaced" if len(steps) > 1 else "with gaps between them"
    why = f"{_rows(column)}: {len(levels)} distinct numbers, {how}: levels, such as dosages."
    kept = [scalars.number(level, column.decimals) for level in levels]
    return Guess("level", (why,), {"values": kept})


def _category(column: Cells) -> Guess | None:
    if _is_text(column):
        return None
    values = sorted(column.counts)
    often = column.counts.most_common(1)[0][0]
    found = Guess(
        "category",
        (f"{_rows(column)}: {len(values):,} distinct words.",),
        {"values": [scalars.word(value) for value in values], "example": scalars.word(often)},
    )
    alike = len(values) - len({value.casefold() for value in values})
    if alike:
        return found.saying("Some differ only in case and may mean the same.")
    return found


def _is_text(column: Cells) -> bool:
    """Whether words may name or describe patients, rather than groups of them."""
    different, rows = len(column.counts), len(column.present)
    once = sum(count == 1 for count in column.counts.values())
    return (
        different == rows
        or different > MOST_CATEGORIES
        or (different > 2 and 2 * different > rows)  # noqa: PLR2004
        or (different > FEW and (2 * once > different or FREE_TEXT.search(column.name) is not None))
        or any(len(cell) > LONGEST_CATEGORY or not cell.isprintable() for cell in column.counts)
    )


def _text(column: Cells) -> Guess:
    return ignored(
        f"{_rows(column)}: {len(column.counts):,} distinct texts, which may be names, identifiers "
        "or notes: ignored for privacy."
    )


RULES: tuple[Callable[[Cells], Guess | None], ...] = (
    _nothing,
    _personal,
    _date,
    _codes,
    _yes_no,
    _number,
    _category,
)


def _rows(column: Cells) -> str:
    missing = f", {column.missing:,} missing" if column.missing else ""
    return f"{len(column.cells):,} rows{missing}"


def _largest(column: Cells) -> float:
    return max(abs(float(cell)) for cell in column.counts)


def _is_day(cell: str) -> bool:
    try:
        date.fromisoformat(cell)
    except ValueError:
        return False
    return True
