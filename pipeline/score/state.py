"""What the stages hand each other: where things lie and how they are read, never a row."""

from typing import Literal

from clinical.artefacts import Artefact, RawObject
from clinical.frozen import Frozen
from clinical.registry import Champion
from violations import Violation

from score.marker import PartPredictions

type FormatName = Literal["csv", "csv.gz", "parquet"]


class Reading(Frozen):
    """How a file's cells are read: what was found out from its beginning.

    places: of the contract's columns among those of the file. header: its names, as they are.
    header_row: the row they are in, as a spreadsheet counts. fewest: cells that a row must have.
    end: of a line; a carriage return before a line feed stays with the line.
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

    first_row: the number of its first row, as a spreadsheet counts.
    """

    number: int
    start: int
    end: int
    first_row: int


class Input(Frozen):
    """The file that is scored."""

    key: str
    version_id: str
    bytes: int
    sha256: str
    format: FormatName


class Details(Frozen):
    """All that a part needs to know, which is more than a state should hold.

    columns: under which names answers stand behind the file's own columns. coverage: of the
    model's intervals. seed: 128 random bits, of which the ids of predictions are drawn.
    """

    input: Input
    reading: Reading
    columns: tuple[str, ...]
    champion: Champion
    coverage: float
    seed: str
    notes: tuple[str, ...]


class Plan(Frozen):
    """Whether a file is scored, and where it is written how; otherwise the reason why not."""

    decision: Literal["score", "already_handled"] = "score"
    reason: str = ""
    source: RawObject
    details: Artefact | None = None


class Divided(Frozen):
    plan: Plan
    parts: tuple[Part, ...] = ()


class Scored(Frozen):
    """What came of a part, in numbers small enough for a thousand of them."""

    number: int
    rows: int
    scored: int
    refused: int


class Written(Frozen):
    """A part of the answer, where it lies."""

    key: str
    rows: int
    bytes: int
    sha256: str


class Scores(Frozen):
    """How scores lie: sums, extremes, and how many are in each of equal bands of the scale."""

    sum: float = 0.0
    sum_of_squares: float = 0.0
    min: float | None = None
    max: float | None = None
    counts: tuple[int, ...] = ()


class Counts(Frozen):
    """What a part's rows came to.

    averaged: rows whose score is a mean over what is not known of them. empty, headers: lines that
    are no rows, the header aside. problems: in the order of the contract's columns. predictions:
    None where no row has one.
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
    """How the scores of a file lie, in units of the target; `edges` of `counts` are one more."""

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
    """What came of a file: `summary.json`, which is written last."""

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
    """The end of an execution: what it came to in short, and where the rest lies."""

    summary: Artefact
    rows: int
    scored: int
    refused: int
    parts: int
    notes: tuple[str, ...]
