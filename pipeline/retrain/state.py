"""What the stages hand each other: keys with digests and small figures, never data."""

from datetime import datetime
from typing import Literal

from clinical.artefacts import Artefact, RawObject
from clinical.frozen import Frozen
from clinical.hyperparameters import Model
from clinical.registry import MAX_WHO, MAX_WHY
from clinical.upload import Upload
from clinical.verdict import Verdict
from pydantic import Field


class Asked(Frozen):
    """What an execution was asked to tune: nothing, the default grid, or the grid of a name."""

    tune: bool | str = False


class Nominated(Frozen):
    """A published version to promote, "previous" for the one before the champion.

    over: the sequence of the champion that it was judged against, 0 for none; None where somebody
    named the version, which then follows whatever serves.
    verdict, upload: what it was judged to be worth, and whose rows it was made of; None likewise.
    even_if_older: whether it may follow a champion of newer data.
    approval: why somebody has to approve of it first, in sentences; empty where nobody has to.
    approval_seconds: how long it waits for that.
    """

    version: str = Field(min_length=1, max_length=64)
    over: int | None = None
    who: str = Field(min_length=1, max_length=MAX_WHO)
    why: str = Field(min_length=1, max_length=MAX_WHY)
    verdict: Verdict | None = None
    upload: Upload | None = None
    even_if_older: bool = False
    approval: tuple[str, ...] = ()
    approval_seconds: int = 0


class Admitted(Frozen):
    """What an execution is to do: retrain on an upload, promote, or nothing, for the reason given.

    tune: nothing, the default grid, or the grid of a name.
    why: as somebody gave it; None where the verdict is to give it.
    """

    decision: Literal["retrain", "promote", "superseded", "already_handled"]
    reason: str = ""
    upload: Upload | None = None
    even_if_older: bool = False
    tune: bool | str = False
    who: str = Field(min_length=1, max_length=MAX_WHO)
    why: str | None = None
    nominated: Nominated | None = None


class Ingested(Frozen):
    """The upload, and outcomes that were told since, as rows; None where none are trained on.

    left_out: of outcomes that were asked for, how many are not trained on, and why, in sentences.
    """

    dataset: Artefact
    source: RawObject
    outcomes: Artefact | None = None
    left_out: tuple[str, ...] = ()


class Validated(Frozen):
    """The rows as they were read, in one form and without the id, so that their digest names them.

    outcomes: how many of the rows are predictions of earlier versions and what came of them.
    notes: a sentence for every leniency with which the upload was read.
    """

    dataset: Artefact
    rows: int
    outcomes: int = 0
    notes: tuple[str, ...] = ()


class Combined(Frozen):
    combinations: Artefact
    distinct: int


class Target(Frozen):
    """How the recorded scores of a data set lie, in units of the target."""

    mean: float
    std: float
    min: float
    max: float


class Seen(Frozen):
    """The rows that a model was trained on, each by the digest of its cells.

    columns: whose cells they are, in the alphabet's order, with the form in which each was written.
    """

    columns: dict[str, str]
    digests: tuple[str, ...]


class Preprocessed(Frozen):
    """The rows split, and those to train on named by digest.

    missing: cells of each nullable feature that say nothing.
    """

    training: Artefact
    training_rows: Artefact
    held_out: Artefact
    rows: int
    missing: dict[str, int]
    target: Target


class Listed(Frozen):
    """The candidates of a grid, by its name in params.yaml."""

    grid: str
    candidates: tuple[Model, ...]


class Candidate(Frozen):
    hyperparameters: Model


class CrossValidated(Frozen):
    """A candidate's RMSE on each fold, and how complex it is.

    leaves: of its trees or, of a linear model, its coefficients; the mean over the folds.
    """

    hyperparameters: Model
    rmse: tuple[float, ...]
    leaves: float


class Failed(Frozen):
    """A candidate that could not be cross-validated, and the error that it ended in."""

    hyperparameters: Model
    error: str


class Tried(Frozen):
    """What became of every candidate of a grid."""

    grid: str
    candidates: tuple[CrossValidated | Failed, ...]


class Chosen(Frozen):
    """The hyperparameters to train with: a tuning's, or those of params.yaml where it is empty."""

    hyperparameters: Model | None = None
    tuning: Artefact | None = None


class CrossScores(Frozen):
    """Scores of the training rows by models that were not fitted on them."""

    folds: int
    rmse: float
    r2: float


class Trained(Frozen):
    """A model as scikit-learn and as ONNX, what serving says around a score, and what it is worth.

    predictions: of the held-out rows by scikit-learn, (n,), not clamped.
    baseline: those of a ridge regression; None where none could be fitted.
    average: of the training rows' target. population: None in what an earlier release trained.
    """

    model: Artefact
    onnx: Artefact
    reference: Artefact
    population: Artefact | None = None
    predictions: Artefact
    baseline: Artefact | None = None
    average: float
    hyperparameters: Model
    cross_validation: CrossScores


class Evaluated(Frozen):
    verdict: Verdict
    report: Artefact


class Measured(Frozen):
    """The learning curve of a data set and its hyperparameters, whatever becomes of the model."""

    curve: Artefact


class Token(Frozen):
    """What wakes the execution that waits for an approval, and the ARN of that execution.

    token: goes into approvals/ alone, and so into no lineage.
    """

    token: str = Field(min_length=1, exclude=True, repr=False)
    arn: str = Field(min_length=1)


class Requested(Frozen):
    """An approval that was asked for, and until when it is waited for."""

    version: str
    until: datetime


class Closed(Frozen):
    """What came of an approval: the decision that stands, and who made it and why, in a sentence.

    decision: `not_approved` where it was rejected or nobody decided in time.
    """

    decision: Literal["approved", "not_approved"]
    reason: str
    version: str
    verdict: Verdict | None


class Published(Frozen):
    """A version that is in the registry."""

    version: str = Field(min_length=1, max_length=64)


class Annotated(Frozen):
    """What was found out about a version after it was published, where it lies now."""

    version: str
    learning_curve: Artefact


class Promoted(Frozen):
    """What came of a nomination; where it was not promoted, the reason says why.

    previous, sequence: of the champion that serves now, None and 0 where there is none.
    """

    decision: Literal[
        "promoted", "promoted_with_warning", "already_champion", "superseded", "withdrawn"
    ]
    reason: str = ""
    version: str
    previous: str | None
    sequence: int
    verdict: Verdict | None


class Made(Frozen):
    """A promotion that was made, by its number in the ledger."""

    version: str = Field(min_length=1, max_length=64)
    sequence: int = Field(ge=1)


class Documented(Frozen):
    """The change-control page as of a promotion, where it lies now."""

    sequence: int
    page: Artefact
