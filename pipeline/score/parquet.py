"""Parquet files, read and written with DuckDB; each value is read as a CSV cell."""

import csv
import io
import math
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, TYPE_CHECKING, ClassVar, override

from clinical.errors import DatasetUnreadable
from clinical.params import Params
from decoding import INVISIBLE
from header import header_of, told
from wording import counted

from score.answering import Answering
from score.formats import MOST_PACKED, MOST_PARTS, Format, Found, check_whole
from score.scoring import Answers
from score.source import Source
from score.state import Details, Part, Reading
from score.texts import ROWS_AT_ONCE

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

PART_ROWS = 100_000
MEMORY = "512MB"  # of DuckDB's own
ROW = "file_row_number"  # by which DuckDB numbers rows, unless a column is called so
NESTED = ("STRUCT", "MAP", "UNION")
# Of what is added.
TYPES = ("VARCHAR", "DOUBLE", "DOUBLE", "DOUBLE", "BIGINT", "VARCHAR", "VARCHAR")


class Parquet(Format):
    """Divided into ranges of rows; each part reads the whole file from S3, which is compact."""

    name: ClassVar = "parquet"

    @override
    def is_of(self, beginning: bytes) -> bool:
        return beginning.startswith(b"PAR1")

    @override
    def found_out(self, source: Source, params: Params) -> Found:
        check_whole(source, MOST_PACKED, "Parquet")
        with local_copy(source) as path, opened(source.name) as database:
            types = types_in(database, path)
            own = own_names(database, path)
            numbered = database.execute("SELECT count(*) FROM read_parquet(?)", [str(path)])
            ((rows,),) = numbered.fetchall()
        header = header_of(1, own, ",", params, declared=False)
        if not header.named:
            raise DatasetUnreadable(f"{source.name} has none of the contract's columns")
        if not rows:
            raise DatasetUnreadable(f"{source.name} is empty: it has no rows")
        reading = Reading(header=tuple(types), places=header.places)
        each = max(PART_ROWS, -(-rows // MOST_PARTS))
        parts = tuple(
            Part(number=number, start=start, end=min(start + each, rows), first_row=start + 1)
            for number, start in enumerate(range(0, rows, each))
        )
        repeated = {column: len(places) for column, places in header.repeated.items()}
        notes = [*told(header, params)]
        if renamed := sum(name != here for name, here in zip(own, types, strict=True)):
            notes.append(
                f"{counted(renamed, 'column')} renamed, because another name differs only by case."
            )
        return Found(reading, parts, repeated, tuple(notes))

    @override
    def answer(
        self, source: Source, part: Part, details: Details, answering: Answering, out: IO[bytes]
    ) -> None:
        with (
            local_copy(source) as path,
            TemporaryDirectory() as folder,
            opened(source.name) as database,
        ):
            answers, written = Path(folder, "answers.csv"), Path(folder, "answered.parquet")
            with answers.open("w", encoding="utf-8", newline="") as file:
                for some in answered(database, path, part, details.reading, answering):
                    file.write(some)
            # DuckDB must not guess: refusals alone may look like another dialect.
            database.execute(
                f"COPY (SELECT * FROM (SELECT * FROM {rows_of(path, part, details.reading)}) "
                f"POSITIONAL JOIN (SELECT * FROM read_csv({literal(answers)}, header = false, "
                f"columns = {columns_of(details.columns)}, nullstr = '', auto_detect = false, "
                "delim = ',', quote = '\"', escape = '\"'))) "
                f"TO {literal(written)} (FORMAT parquet, COMPRESSION zstd)"
            )
            with written.open("rb") as file:
                shutil.copyfileobj(file, out)


def answered(
    database: "DuckDBPyConnection",
    path: Path,
    part: Part,
    reading: Reading,
    answering: Answering,
) -> Iterator[str]:
    """Yield the answers to a part's rows as lines of a CSV, some at a time."""
    types = types_in(database, path)
    names = [reading.header[place] for place in reading.places.values()]
    asked = ", ".join(selected(name, types[name]) for name in names)
    found = database.execute(f"SELECT {asked} FROM {rows_of(path, part, reading)}")
    known = [_Cells() for _ in names]
    first = part.first_row
    while rows := found.fetchmany(ROWS_AT_ONCE):
        columns = zip(known, zip(*rows, strict=True), strict=True)
        cells = [list(map(seen.__getitem__, values)) for seen, values in columns]
        numbers = range(first, first + len(rows))
        answers = answering.answers(
            dict(zip(reading.places, cells, strict=True)), list(numbers), {}
        )
        first += len(rows)
        yield as_lines(answers)


def as_lines(answers: Answers) -> str:
    """Format answers as lines of a CSV; missing values are empty."""
    buffer = io.StringIO()
    csv.writer(buffer).writerows(
        ("", "", "", "", "", "", "; ".join(map(str, answers.faults[row])))
        if row in answers.faults
        else (name, repr(score), repr(low), repr(high), support, " + ".join(averaged), "")
        for row, (name, score, low, high, support, averaged) in enumerate(
            zip(
                answers.ids,
                answers.scores,
                answers.lows,
                answers.highs,
                answers.supports,
                answers.averaged,
                strict=True,
            )
        )
    )
    return buffer.getvalue()


class _Cells(dict[object, str]):
    """The cells of a column's values, each made once."""

    def __missing__(self, value: object) -> str:
        self[value] = cell = as_cell(value)
        return cell


def as_cell(value: object) -> str:
    """Format a value as a CSV cell: never with an exponent, and empty if it is missing."""
    match value:
        case None:
            cell = ""
        case bool():
            cell = "true" if value else "false"
        case float():
            cell = plain(value)
        case Decimal():
            cell = format(value, "f")
        case datetime() if value.time() == time():
            cell = value.date().isoformat()
        case date():
            cell = value.isoformat()
        case bytes():  # as some programs write text
            cell = value.decode("utf-8", "replace")
        case _:
            cell = INVISIBLE.sub("", str(value))
    return cell


def plain(number: float) -> str:
    """Format a number; NaN is empty."""
    if math.isnan(number):
        return ""
    return format(Decimal(repr(number)), "f") if math.isfinite(number) else repr(number)


def selected(name: str, kind: str) -> str:
    """Return the SQL for a column; a 32-bit float is read as it is written in decimal."""
    column = identifier(name)
    if kind == "FLOAT":
        return f"CAST(CAST({column} AS VARCHAR) AS DOUBLE)"
    if kind.endswith("]") or kind.startswith(NESTED):  # what no contract has, and is refused
        return f"CAST({column} AS VARCHAR)"
    return column


def rows_of(path: Path, part: Part, reading: Reading) -> str:
    """Return the SQL for a part's rows, in order."""
    if ROW in map(str.lower, reading.header):  # a column of the file's own
        return f"read_parquet({literal(path)}) LIMIT {part.end - part.start} OFFSET {part.start}"
    return (
        f"read_parquet({literal(path)}) "
        f"WHERE {ROW} >= {part.start} AND {ROW} < {part.end} ORDER BY {ROW}"
    )


def types_in(database: "DuckDBPyConnection", path: Path) -> dict[str, str]:
    """Return the types of a file's columns, in order, by DuckDB's names."""
    described = database.execute("DESCRIBE FROM read_parquet(?)", [str(path)]).fetchall()
    return {str(name): str(kind) for name, kind, *_ in described}


def own_names(database: "DuckDBPyConnection", path: Path) -> list[str]:
    """Return a file's own column names; DuckDB renames those that differ only by case."""
    asked = "SELECT name, num_children FROM parquet_schema(?)"
    (_, number), *rest = database.execute(asked, [str(path)]).fetchall()
    names, nodes = [], iter(rest)
    for _ in range(number):
        name, below = next(nodes)
        names.append(str(name))
        while below:  # the fields of a column that has some
            _, more = next(nodes)
            below += (more or 0) - 1
    return names


def columns_of(names: Sequence[str]) -> str:
    typed = (f"{literal(name)}: '{kind}'" for name, kind in zip(names, TYPES, strict=True))
    return f"{{{', '.join(typed)}}}"


def literal(text: str | Path) -> str:
    doubled = str(text).replace("'", "''")
    return f"'{doubled}'"


def identifier(name: str) -> str:
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


@contextmanager
def local_copy(source: Source) -> Iterator[Path]:
    """Copy the file to the local disk."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "file.parquet")
        with path.open("wb") as file:
            for piece in source.pieces():
                file.write(piece)
        yield path


@contextmanager
def opened(name: str) -> Iterator["DuckDBPyConnection"]:
    """Open an in-memory database that downloads no extension; raises DatasetUnreadable.

    name: of the file, for messages.
    """
    # Imported here because it takes a fifth of a gigabyte, which other formats do not need.
    import duckdb  # noqa: PLC0415

    with TemporaryDirectory() as folder:
        settings: dict[str, str | bool | int | float | list[str]] = {
            "threads": 1,
            "memory_limit": MEMORY,
            "temp_directory": folder,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
        try:
            with duckdb.connect(":memory:", config=settings) as database:
                database.execute("SET TimeZone = 'UTC'")  # an instant has a day there
                yield database
        # DuckDB's message may repeat a cell, so it is not chained as the cause.
        except duckdb.OutOfMemoryException:
            raise DatasetUnreadable(
                f"{name} needs more memory than is available; write it with smaller row groups, or "
                "save it as uncompressed CSV UTF-8"
            ) from None
        except duckdb.Error as error:
            raise DatasetUnreadable(
                f"{name} cannot be read as Parquet ({type(error).__name__}); it may be incomplete"
            ) from None
