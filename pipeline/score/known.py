"""The formats that can be scored."""

from score.formats import Csv, Format, GzippedCsv
from score.parquet import Parquet
from score.state import FormatName

FORMATS: tuple[Format, ...] = (Parquet(), GzippedCsv(), Csv())


def format_of(beginning: bytes) -> Format:
    """Tell a format by how a file begins, whatever it is called."""
    return next(one for one in FORMATS if one.is_of(beginning))


def format_named(name: FormatName) -> Format:
    return next(one for one in FORMATS if one.name == name)
