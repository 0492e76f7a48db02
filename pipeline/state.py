"""What the stages hand each other: keys with digests and small figures, never data."""

from typing import Literal

from clinical.artefacts import Artefact, RawObject
from clinical.params import Frozen


class Trigger(Frozen):
    """What an execution was started with: an uploaded object, or nothing for the newest one."""

    key: str | None = None
    version_id: str | None = None


class Ingested(Frozen):
    dataset: Artefact
    source: RawObject


class Validated(Frozen):
    dataset: Artefact
    rows: int


class Combined(Frozen):
    combinations: Artefact
    distinct: int


class Preprocessed(Frozen):
    encoder: Artefact
    training: Artefact
    held_out: Artefact
    imputed: dict[str, int]


class Trained(Frozen):
    model: Artefact
    onnx: Artefact
    predictions: Artefact
    average: float


class Scores(Frozen):
    """On the held-out rows, in points of the score; `average_rmse` is the plain average's."""

    rows: int
    rmse: float
    mae: float
    r2: float
    average_rmse: float


class Parity(Frozen):
    """The largest |ONNX - scikit-learn| over the held-out rows, and whether it is small enough."""

    max_error: float
    holds: bool


class Evaluated(Frozen):
    scores: Scores
    parity: Parity
    report: Artefact


class Promoted(Frozen):
    version: str
    previous: str | None
    decision: Literal["promoted", "already_champion"]
