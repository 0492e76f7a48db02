"""Find the row of an upload that names the columns, or say why there is none."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

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
    """A row, as far as it names the columns of the contract.

    places: of the columns that it names once. repeated: places of those that it names more often.
    declared: whether row 1 says what separates cells, as Excel has it.
    """

    row: int
    cells: Row
    separator: str
    places: dict[str, int]
    repeated: dict[str, list[int]]
    declared: bool = False

    @property
    def named(self) -> int:
        """How many columns of the contract it names."""
        return len(self.places) + len(self.repeated)

    def is_sure(self, params: Params) -> bool:
        """Whether it names so many of them that no patient's row can look like it."""
        return 2 * self.named > len(params.read)


def find_header(name: str, text: str, params: Params) -> Header:
    """Find the header, and with it what separates the cells.

    name: of the upload. Raises DatasetUnreadable, which says why there is none, or what is above.
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
            f"{name} contradicts itself: row 1 (sep=) says {SEPARATORS[declared]}, the header is "
            f"separated by {SEPARATORS[header.separator]}s"
        )
    above = [row for row in rows[header.separator] if row.row < header.row]
    if above:
        raise DatasetUnreadable(f"{name} cannot be read: {_misplaced(header, above)}")
    return header


def header_of(row: int, cells: Row, separator: str, params: Params, *, declared: bool) -> Header:
    """Find the contract's columns in a row: by their very names, else by what these amount to."""
    exact = _places(cell.strip() for cell in cells)
    alike = _places(map(folded, cells))
    shared = Counter(map(folded, params.read))
    found = {
        name: exact.get(name) or (alike.get(folded(name), []) if shared[folded(name)] == 1 else [])
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
    """Leave of a column's name what tells it from others: no case, no blanks, no underscores."""
    return SAYS_NOTHING.sub("", unicodedata.normalize("NFKC", name)).casefold()


def told(header: Header, params: Params) -> Iterator[str]:
    """Say how the header was read, where that is not as the contract has it."""
    if header.separator != ",":
        as_said = ", as row 1 (sep=) says" if header.declared else ""
        yield f"Read as {SEPARATORS[header.separator]}-separated{as_said}."
    elif header.declared:
        yield "Row 1 (sep=) ignored: it says what is so anyway."
    otherwise = sum(header.cells[place] != name for name, place in header.places.items())
    if otherwise:
        names = counted(otherwise, "column name")
        yield f"{names} matched without regard to case, blanks and punctuation."
    places = list(header.places.values())
    if places != sorted(places):
        yield "Columns read by name: their order is not the contract's."
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
    """Take the first row that is surely a header, or else the first."""
    return next((row for row in rows if row.is_sure(params)), rows[0])


def _places(names: Iterable[str]) -> dict[str, list[int]]:
    found = defaultdict(list)
    for place, name in enumerate(names):
        found[name].append(place)
    return found


def _declared_separator(name: str, text: str) -> str | None:
    """Read the line with which Excel is told what separates cells."""
    declared = SEPARATOR_LINE.match(text)
    if not declared:
        return None
    separator = declared["separator"].replace("\\t", "\t")
    if separator not in SEPARATORS:
        raise DatasetUnreadable(
            f"{name} cannot be read: row 1 (sep=) names another separator than comma, semicolon, "
            f"tab and pipe; {SAVE}"
        )
    return separator


def _check_is_not_turned(name: str, rows: dict[str, list[Header]], params: Params) -> None:
    for separator, rows_of_one in rows.items():
        downwards = [row.cells[0] for row in rows_of_one]
        if header_of(0, downwards, separator, params, declared=False).is_sure(params):
            raise DatasetUnreadable(
                f"{name} lies on its side: the names of the columns go down the first column, and "
                "belong in row 1"
            )


def _why_there_is_none(name: str, text: str, first: Header | None, params: Params) -> str:
    for _ in records(name, text, ",", width=len(params.read)):
        pass  # a quote that never closes may have hidden it, and that is what to say then
    names = [folded(column) for column in params.read]
    for number, cells in first_records(text, ","):
        if any(2 * sum(one in folded(cell) for one in names) > len(names) for cell in cells):
            return (
                f"cannot be read: row {number} names all columns in one cell; separate cells by "
                "commas, and put no quotes around whole rows"
            )
    columns = listed(map(quoted, params.read))
    if first and any(NUMBER.fullmatch(cell) for cell in first.cells):
        return f"has no header: row 1 must name the columns {columns}"
    return f"has another header: row {first.row if first else 1} names none of {columns}"


def _misplaced(header: Header, above: list[Header]) -> str:
    """Say what is above the header, by its looks."""
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
        f"the header is in row {header.row}; {which} like {what}: nothing may be above the header"
    )
