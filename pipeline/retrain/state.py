"""The stages' inputs and outputs: keys with digests and small figures, never data."""

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
    """What an execution tunes: nothing, the default grid, or a named grid."""

    tune: bool | str = False


class Nominated(Frozen):
    """A published version to promote, or "previous" for the one before the champion.

    over: the sequence of the champion that it was judged against, 0 for none; None if a person
    named the version, which then replaces any champion.
    verdict, upload: its verdict, and the upload it was trained on; None likewise.
    even_if_older: whether it may replace a champion with newer data.
    approval: why approval is required, in sentences; empty if it is not.
    approval_seconds: how long it waits for approval.
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
    """What an execution does: retrain on an upload, promote, or nothing, for the given reason.

    tune: nothing, the default grid, or a named grid.
    why: the given reason; None if the verdict provides it.
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
    """The upload, and outcomes reported since, as rows; None if none are trained on.

    left_out: how many of the requested outcomes are not trained on, and why, in sentences.
    """

    dataset: Artefact
    source: RawObject
    outcomes: Artefact | None = None
    left_out: tuple[str, ...] = ()


class Validated(Frozen):
    """The rows in canonical form without the id, so that their digest identifies them.

    outcomes: how many of the rows are predictions of earlier versions with their outcomes.
    notes: a sentence for every leniency in reading the upload.
    """

    dataset: Artefact
    rows: int
    outcomes: int = 0
    notes: tuple[str, ...] = ()


class Combined(Frozen):
    combinations: Artefact
    distinct: int


class Target(Frozen):
    """The distribution of a data set's recorded scores, in units of the target."""

    mean: float
    std: float
    min: float
    max: float


class Seen(Frozen):
    """The digests of the rows that a model was trained on.

    columns: the columns in the digests, in alphabetical order, with their canonical forms.
    """

    columns: dict[str, str]
    digests: tuple[str, ...]


class Preprocessed(Frozen):
    """The split rows, with digests of the training rows.

    missing: the missing cells of each nullable feature.
    """

    training: Artefact
    training_rows: Artefact
    held_out: Artefact
    rows: int
    missing: dict[str, int]
    target: Target


class Listed(Frozen):
    """The candidates of a grid, with its name in params.yaml."""

    grid: str
    candidates: tuple[Model, ...]


class Candidate(Frozen):
    hyperparameters: Model


class CrossValidated(Frozen):
    """A candidate's RMSE on each fold, and its complexity.

    leaves: of its trees or, for a linear model, its coefficients; the mean over the folds.
    """

    hyperparameters: Model
    rmse: tuple[float, ...]
    leaves: float


class Failed(Frozen):
    """A candidate that could not be cross-validated, and its error."""

    hyperparameters: Model
    error: str


class Tried(Frozen):
    """The results of all candidates of a grid."""

    grid: str
    candidates: tuple[CrossValidated | Failed, ...]


class Chosen(Frozen):
    """The hyperparameters to train with: from tuning, or those in params.yaml if empty."""

    hyperparameters: Model | None = None
    tuning: Artefact | None = None


class CrossScores(Frozen):
    """The cross-validation scores on the training rows."""

    folds: int
    rmse: float
    r2: float


class Trained(Frozen):
    """A model in scikit-learn and ONNX form, its reference, and its cross-validation scores.

    predictions: of the held-out rows by scikit-learn, (n,), not clamped.
    baseline: those of a ridge regression; None if none could be fitted.
    average: of the training rows' target. population: None in outputs of earlier releases.
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
    """The learning curve of a data set and its hyperparameters, independent of the promotion."""

    curve: Artefact


class Token(Frozen):
    """The task token of an execution that waits for approval, and the execution's ARN.

    token: is stored only under approvals/, and not in the lineage.
    """

    token: str = Field(min_length=1, exclude=True, repr=False)
    arn: str = Field(min_length=1)


class Requested(Frozen):
    """A request for approval, and its deadline."""

    version: str
    until: datetime


class Closed(Frozen):
    """The outcome of a request for approval, with who decided and why, in a sentence.

    decision: `not_approved` if it was rejected or nobody decided in time.
    """

    decision: Literal["approved", "not_approved"]
    reason: str
    version: str
    verdict: Verdict | None


class Published(Frozen):
    """A version in the registry."""

    version: str = Field(min_length=1, max_length=64)


class Annotated(Frozen):
    """Findings about a version after publication, and where they are stored."""

    version: str
    learning_curve: Artefact


class Promoted(Frozen):
    """The outcome of a nomination; if it was not promoted, the reason says why.

    previous, sequence: of the champion that serves now, None and 0 if there is none.
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
    """A promotion, by its number in the ledger."""

    version: str = Field(min_length=1, max_length=64)
    sequence: int = Field(ge=1)


class Documented(Frozen):
    """The change-control page as of a promotion, and where it is stored."""

    sequence: int
    page: Artefact
