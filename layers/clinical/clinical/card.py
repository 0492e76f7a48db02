"""The model card: a version's origin, intended use and performance.

Source of its parts: Mitchell et al., Model Cards for Model Reporting, 2019.
"""

from datetime import datetime

from pydantic import ConfigDict, Field

from clinical.frozen import Frozen
from clinical.hyperparameters import ModelAsFitted
from clinical.monitored import Monitoring
from clinical.reference import Conformal
from clinical.registry import Champion
from clinical.verdict import CurvePoint, Estimate, Importance, ReplayedGroup, Subgroup, Verdict


class Part(Frozen):
    """Built when a card is requested, to keep cold starts short."""

    model_config = ConfigDict(defer_build=True)


class Overview(Part):
    name: str
    predicts: str
    algorithm: str
    intended_use: str
    limits: tuple[str, ...]


class Data(Part):
    """The data set, with its file's SHA-256 and the distribution of its scores.

    rows: including those of outcomes, which are predictions of earlier versions with their
    outcomes. missing: missing cells, by column. imputed: always empty, for clients of earlier
    releases; models handle missing values themselves.
    """

    sha256: str
    rows: int
    outcomes: int = 0
    training_rows: int
    held_out_rows: int
    score_mean: float
    score_std: float
    score_min: float
    score_max: float
    imputed: dict[str, int]
    missing: dict[str, int] = Field(default_factory=dict)
    combinations: int
    combinations_in_one_training_row: int


class TuningCandidate(Part):
    """A candidate with its mean RMSE over the folds, or the error that it failed with.

    leaves: of its trees or, for a linear model, its coefficients.
    """

    hyperparameters: ModelAsFitted
    rmse: float | None = None
    standard_error: float | None = None
    leaves: float | None = None
    best: bool = False
    chosen: bool = False
    error: str | None = None


class Tuning(Part):
    """All candidates, and the RMSE below which the simplest was chosen."""

    grid: str
    limit: float
    candidates: tuple[TuningCandidate, ...]


class Training(Part):
    """How it was fitted, and its cross-validation scores on the training rows."""

    hyperparameters: ModelAsFitted
    seed: int
    cross_validation_folds: int
    cross_validation_rmse: float
    cross_validation_r2: float
    tuning: Tuning | None = None


class StageRun(Part):
    """A stage's outputs, by SHA-256, and the execution that they are cached from, if any."""

    fingerprint: str
    from_cache_of: str | None
    wrote: dict[str, str]


class Lineage(Part):
    execution: str
    params_sha256: str
    stages: dict[str, StageRun]


class Card(Part):
    """What is known about a version at publication.

    release: the release of this system that published the version; None before 1.0.0.
    simultaneous: whether the intervals of each figure hold for all subgroups jointly.
    """

    model_version: str
    release: str | None = None
    overview: Overview
    data: Data
    training: Training
    interval: Conformal
    verdict: Verdict
    subgroups: tuple[Subgroup, ...]
    simultaneous: bool = False
    calibration_curve: tuple[CurvePoint, ...] = ()
    replayed: tuple[ReplayedGroup, ...] = ()
    importances: tuple[Importance, ...]
    lineage: Lineage


class LearningPoint(Part):
    """Models trained on a fraction of the training rows, on the held-out rows.

    rmse: of all draws, whose squared errors are averaged; its interval covers the choice of
    held-out rows and of draws. draws: each one's RMSE.
    """

    fraction: float
    rows: int
    rmse: Estimate
    draws: tuple[float, ...]


class LearningCurve(Part):
    """How the error falls with more training rows, and whether even more would help.

    left_out: fractions with too few rows to fit a model.
    change: the last point's RMSE less that of the one before; below 0, the last rows helped. None
    if there are too few points or held-out rows to tell.
    more_rows_help: whether all of its interval is below 0.
    says: the same in a sentence.
    max_trees: of its forests, if the version's own has more.
    """

    held_out_rows: int
    confidence: float
    max_trees: int | None = None
    points: tuple[LearningPoint, ...]
    left_out: tuple[float, ...] = ()
    change: Estimate | None = None
    more_rows_help: bool = False
    says: str


class LedgerEntry(Part):
    """A promotion: its number, version, time and reason; who promoted is only in the ledger."""

    sequence: int
    model_version: str
    previous: str | None
    promoted_at: datetime
    why: str
    execution: str
    model_sha256: str
    r2: float
    beats_average: bool

    @classmethod
    def of(cls, champion: Champion) -> "LedgerEntry":
        verdict = champion.promotion.verdict or champion.verdict
        return cls(
            sequence=champion.sequence,
            model_version=champion.version,
            previous=champion.previous,
            promoted_at=champion.promoted_at,
            why=champion.promotion.why,
            execution=champion.promotion.execution,
            model_sha256=champion.model.sha256,
            r2=verdict.candidate.r2.value,
            beats_average=verdict.beats_average,
        )


class ServedCard(Card):
    """The champion's card, with the last promotions, newest first.

    learning_curve: None until it has been measured, after the first promotion.
    monitoring: None until the monitor, which runs daily, has run.
    """

    learning_curve: LearningCurve | None = None
    monitoring: Monitoring | None = None
    ledger: tuple[LedgerEntry, ...]
