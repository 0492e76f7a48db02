"""The stages' inputs and outputs: where objects are stored and how to read them, never a row."""

from typing import Literal

from clinical.artefacts import Artefact, RawObject
from clinical.frozen import Frozen
from clinical.registry import Champion
from violations import Violation

from score.marker import PartPredictions

type FormatName = Literal["csv", "csv.gz", "parquet"]


class Reading(Frozen):
    """How a file's cells are read, as determined from its beginning.

    places: of the contract's columns among the file's. header: the file's column names. header_row:
    its row number, as in a spreadsheet. fewest: the cells that a row must have. end: of a line; a
    carriage return before a line feed stays with the line.
    """

    encoding: str = "utf-8"
    mark: str = ""
    end: str = "\n"
    separator: str = ","
    header: tuple[str, ...]
    header_row: int = 1
    fewest: int = 0
    places: dict[str, int]
    decimal_commas: bool = False


class Part(Frozen):
    """A part of a file: bytes of a CSV or rows of a Parquet file, from `start` up to `end`.

    first_row: the number of its first row, as in a spreadsheet.
    """

    number: int
    start: int
    end: int
    first_row: int


class Input(Frozen):
    """The scored file."""

    key: str
    version_id: str
    bytes: int
    sha256: str
    format: FormatName


class Details(Frozen):
    """Everything that a part needs, which is more than a state should contain.

    columns: the names of the answers' columns, after the file's own. coverage: of the model's
    intervals. seed: 128 random bits, which determine the ids of predictions.
    """

    input: Input
    reading: Reading
    columns: tuple[str, ...]
    champion: Champion
    coverage: float
    seed: str
    notes: tuple[str, ...]


class Plan(Frozen):
    """Whether a file is scored, and where the answer is written; otherwise the reason."""

    decision: Literal["score", "already_handled"] = "score"
    reason: str = ""
    source: RawObject
    details: Artefact | None = None


class Divided(Frozen):
    plan: Plan
    parts: tuple[Part, ...] = ()


class Scored(Frozen):
    """A part's results, small enough for a thousand of them in a state."""

    number: int
    rows: int
    scored: int
    refused: int


class Written(Frozen):
    """A stored part of the answer."""

    key: str
    rows: int
    bytes: int
    sha256: str


class Scores(Frozen):
    """The distribution of scores: sums, extremes, and counts in equal bands of the scale."""

    sum: float = 0.0
    sum_of_squares: float = 0.0
    min: float | None = None
    max: float | None = None
    counts: tuple[int, ...] = ()


class Counts(Frozen):
    """The results of a part's rows.

    averaged: rows whose score is averaged over unknown columns. empty, headers: lines that are not
    rows, besides the header. problems: in the order of the contract's columns. predictions: None if
    no row has one.
    """

    written: Written
    rows: int
    scored: int
    refused: int
    averaged: int
    empty: int = 0
    headers: int = 0
    problems: tuple[Violation, ...]
    scores: Scores
    predictions: PartPredictions | None = None


class Described(Frozen):
    """The distribution of a file's scores, in units of the target; one more edge than counts."""

    mean: float
    std: float
    min: float
    max: float
    edges: tuple[float, ...]
    counts: tuple[int, ...]


class Skill(Frozen):
    r2: float
    beats_average: bool


class Summary(Frozen):
    """The summary of a scored file: `summary.json`, which is written last."""

    execution: str
    input: Input
    model_version: str
    model_skill: Skill
    coverage: float
    rows: int
    scored: int
    refused: int
    averaged: int
    problems: tuple[Violation, ...]
    scores: Described | None
    notes: tuple[str, ...]
    columns: tuple[str, ...]
    parts: tuple[Written, ...]
    disclaimer: str


class Summarised(Frozen):
    """The result of an execution in short, and where the rest is stored."""

    summary: Artefact
    rows: int
    scored: int
    refused: int
    parts: int
    notes: tuple[str, ...]
