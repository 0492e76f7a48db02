"""Find the header row of an upload, or say why there is none."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

from clinical.errors import DatasetUnreadable
from clinical.params import Params
from decoding import SAVE
from records import SEPARATORS, Row, first_records, is_empty, records
from wording import counted, listed, ordinal, quoted

SEPARATOR_LINE = re.compile(
    r"\"?sep=(?P<separator>\\t|[^\r\n])\"?[,;\t|]*[ ]*(?=[\r\n]|\Z)", re.IGNORECASE
)
COMMENT = re.compile(r"\s*(?:#|//|--|%|\*)")
NUMBER = re.compile(r"\s*[-+]?[0-9][0-9.,]*\s*")
SAYS_NOTHING = re.compile(r"[\s_.\-()\[\]'`]+")  # in the name of a column


@dataclass(frozen=True)
class Header:
    """A candidate for the header row.

    places: of the contract's columns that it names once. repeated: places of those it names more
    than once. declared: whether row 1 declares the separator (sep=), as in Excel.
    """

    row: int
    cells: Row
    separator: str
    places: dict[str, int]
    repeated: dict[str, list[int]]
    declared: bool = False

    @property
    def named(self) -> int:
        """The number of the contract's columns that it names."""
        return len(self.places) + len(self.repeated)

    def is_sure(self, params: Params) -> bool:
        """Whether it names so many of them that it cannot be a patient's row."""
        return 2 * self.named > len(params.read)


def find_header(name: str, text: str, params: Params) -> Header:
    """Find the header and the separator.

    name: of the upload. Raises DatasetUnreadable, which says why there is no header, or what is
    above it.
    """
    declared = _declared_separator(name, text)
    rows = {
        separator: [
            header_of(number, cells, separator, params, declared=declared is not None)
            for number, cells in first_records(text, separator)
            if not is_empty(cells) and not (declared and number == 1)
        ]
        for separator in SEPARATORS
    }
    header = max(
        (_first(rows_of_one, params) for rows_of_one in rows.values() if rows_of_one),
        key=lambda row: (row.is_sure(params), row.named, len(row.cells)),
        default=None,
    )
    if header is None or not header.is_sure(params):
        _check_is_not_turned(name, rows, params)
    if header is None or not header.named:
        raise DatasetUnreadable(f"{name} {_why_there_is_none(name, text, header, params)}")
    if declared and header.separator != declared:
        raise DatasetUnreadable(
            f"{name} contradicts itself: row 1 (sep=) declares {SEPARATORS[declared]} as the "
            f"separator, but the header is separated by {SEPARATORS[header.separator]}s"
        )
    above = [row for row in rows[header.separator] if row.row < header.row]
    if above:
        raise DatasetUnreadable(f"{name} cannot be read: {_misplaced(header, above)}")
    return header


def header_of(row: int, cells: Row, separator: str, params: Params, *, declared: bool) -> Header:
    """Find the contract's columns in a row, by exact name or else by folded name."""
    exact = _places(cell.strip() for cell in cells)
    alike = _places(map(folded, cells))
    told_apart = _told_apart(tuple(params.read))
    found = {
        name: exact.get(name) or (alike.get(told_apart[name], []) if name in told_apart else [])
        for name in params.read
    }
    return Header(
        row=row,
        cells=cells,
        separator=separator,
        places={name: places[0] for name, places in found.items() if len(places) == 1},
        repeated={name: places for name, places in found.items() if len(places) > 1},
        declared=declared,
    )


def folded(name: str) -> str:
    """Fold a column's name: without case, blanks and punctuation."""
    return SAYS_NOTHING.sub("", unicodedata.normalize("NFKC", name)).casefold()


@cache
def _told_apart(names: tuple[str, ...]) -> dict[str, str]:
    """Fold names of columns, and leave out those of which several are the same then."""
    shared = Counter(map(folded, names))
    return {name: folded(name) for name in names if shared[folded(name)] == 1}


def told(header: Header, params: Params) -> Iterator[str]:
    """Describe how the header was read, if it differs from the contract."""
    if header.separator != ",":
        as_said = ", as declared in row 1 (sep=)" if header.declared else ""
        yield f"Read as {SEPARATORS[header.separator]}-separated{as_said}."
    elif header.declared:
        yield "Row 1 (sep=) ignored: it declares the default separator."
    otherwise = sum(header.cells[place] != name for name, place in header.places.items())
    if otherwise:
        names = counted(otherwise, "column name")
        yield f"{names} matched regardless of case, blanks and punctuation."
    places = list(header.places.values())
    if places != sorted(places):
        yield "Columns read by name, because their order differs from the contract's."
    taken = {*places, *(place for repeated in header.repeated.values() for place in repeated)}
    declared = {folded(name) for name in set(params.columns) - set(params.read)}
    ignored = {
        place: cell
        for place, cell in enumerate(header.cells)
        if place not in taken and folded(cell) not in declared
    }
    if ignored:
        is_sure = header.is_sure(params)
        which = listed(
            f"the {ordinal(place + 1)}" + (f" ({quoted(cell)})" if is_sure and cell.strip() else "")
            for place, cell in ignored.items()
        )
        yield f"{counted(len(ignored), 'column')} ignored: {which}."


def _first(rows: list[Header], params: Params) -> Header:
    """Return the first row that is surely a header, or else the first row."""
    return next((row for row in rows if row.is_sure(params)), rows[0])


def _places(names: Iterable[str]) -> dict[str, list[int]]:
    found = defaultdict(list)
    for place, name in enumerate(names):
        found[name].append(place)
    return found


def _declared_separator(name: str, text: str) -> str | None:
    """Read the sep= line that declares the separator for Excel."""
    declared = SEPARATOR_LINE.match(text)
    if not declared:
        return None
    separator = declared["separator"].replace("\\t", "\t")
    if separator not in SEPARATORS:
        raise DatasetUnreadable(
            f"{name} cannot be read: row 1 (sep=) declares a separator other than comma, "
            f"semicolon, tab or pipe; {SAVE}"
        )
    return separator


def _check_is_not_turned(name: str, rows: dict[str, list[Header]], params: Params) -> None:
    for separator, rows_of_one in rows.items():
        downwards = [row.cells[0] for row in rows_of_one]
        if header_of(0, downwards, separator, params, declared=False).is_sure(params):
            raise DatasetUnreadable(
                f"{name} is transposed: the column names are in the first column; they must be in "
                "row 1"
            )


def _why_there_is_none(name: str, text: str, first: Header | None, params: Params) -> str:
    for _ in records(name, text, ",", width=len(params.read)):
        pass  # a quote that is never closed may have hidden the header, which is then reported
    names = [folded(column) for column in params.read]
    for number, cells in first_records(text, ","):
        if any(2 * sum(one in folded(cell) for one in names) > len(names) for cell in cells):
            return (
                f"cannot be read: row {number} has all column names in one cell; separate cells by "
                "commas, and do not put quotes around whole rows"
            )
    columns = listed(map(quoted, params.read))
    if first and any(NUMBER.fullmatch(cell) for cell in first.cells):
        return f"has no header: row 1 must contain the column names {columns}"
    return f"has a different header: row {first.row if first else 1} has none of {columns}"


def _misplaced(header: Header, above: list[Header]) -> str:
    """Describe the rows above the header, by their appearance."""
    numbers = [row.row for row in above]
    first, last = numbers[0], numbers[-1]
    which = f"row {first} looks" if first == last else f"rows {first} to {last} look"
    filled = max(sum(bool(cell.strip()) for cell in row.cells) for row in above)
    if all(COMMENT.match("".join(row.cells)) for row in above):
        what = "a comment" if first == last else "comments"
    elif 2 * filled > sum(bool(cell.strip()) for cell in header.cells):
        what = "data"
    else:
        what = "a title" if first == last else "titles"
    return (
        f"the header is in row {header.row}; {which} like {what}; remove everything above the "
        "header"
    )
