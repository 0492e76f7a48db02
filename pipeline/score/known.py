"""The formats that can be scored."""

from score.formats import Csv, Format, GzippedCsv
from score.parquet import Parquet
from score.state import FormatName

FORMATS: tuple[Format, ...] = (Parquet(), GzippedCsv(), Csv())


def format_of(beginning: bytes) -> Format:
    """Return the format of a file by its beginning, regardless of its name."""
    return next(one for one in FORMATS if one.is_of(beginning))


def format_named(name: FormatName) -> Format:
    return next(one for one in FORMATS if one.name == name)
