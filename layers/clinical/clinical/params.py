"""`params.yaml`, read once into frozen models; the single source of every decision."""

import hashlib
import itertools
import json
import os
from collections.abc import Callable, Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self, override

from pydantic import Field, StrictStr, model_validator

from clinical import compiled
from clinical.contradictions import Contradictory, Parts, contradictions
from clinical.errors import ParamsInvalid
from clinical.frozen import Frozen
from clinical.hyperparameters import FamilyName, Grid, Model
from clinical.kinds import Column, Feature, Kind, Value

NAME = "params.yaml"
PATH = Path(__file__).with_name(NAME)

LIMITS = (
    "The model was trained on recorded data and reproduces any bias in them.",
    "The model does not know causes: better outcomes on a treatment need not be caused by it.",
    "Contributions describe how the model uses a feature, not its effect on a patient.",
    "Intervals have the stated coverage on average over all patients, not in every subgroup.",
)

type Text = Annotated[StrictStr, Field(min_length=1)]
type Stated = Annotated[StrictStr, Field(max_length=5000)]


class Report(Frozen):
    """What only people can state about a study: their part of the TRIPOD+AI report.

    background: the clinical problem, the rationale for a model, and existing models.
    intended_use: the intended population, and the point of care.
    inequalities: known health inequalities between groups of such patients.
    objectives: whether the study develops a model, evaluates one, or both, and for what purpose.
    data_source: the source of the data, why it was chosen, and how representative it is.
    dates: start and end of enrolment, and end of follow-up.
    setting: the kind of care, and the number and location of centres.
    eligibility: inclusion and exclusion criteria.
    treatments_received: which treatments patients received, and how the analysis handles them.
    data_preparation: how the data were cleaned and prepared before the upload.
    outcome_assessment: how and when the outcome was assessed, and why it was chosen.
    outcome_assessors: who assessed the outcome, if that takes judgement.
    outcome_blinding: what the outcome's assessors were blinded to.
    predictor_choice: how the predictors were chosen, and which were left out.
    predictor_measurement: how and when predictors were measured.
    predictor_assessors: who assessed the predictors, if that takes judgement.
    sample_size_rationale: how the sample size was determined.
    clusters: whether patients come from several centres or countries, and how these differ.
    fairness_approach: the approach to fairness between groups, and its rationale.
    ethics: which committee approved the study, and how patients consented.
    funding: the source of funding, and the funder's role.
    conflicts: the conflicts of interest of all authors.
    protocol: where the protocol can be found, or that there is none.
    registration: where the study is registered, or that it is not.
    data_sharing: who can access the data, and how.
    code_sharing: who can access the code, and how.
    patient_involvement: how patients and the public were involved.
    participant_flow: how patients were followed from recruitment to these rows.
    characteristics: characteristics of the patients, overall and by group.
    interpretation: the results in light of the objectives and earlier studies.
    intended_users: what users do to use the model, and what expertise they need.
    next_steps: what research is needed next, and where the model might apply.
    """

    background: Stated = ""
    intended_use: Stated = ""
    inequalities: Stated = ""
    objectives: Stated = ""
    data_source: Stated = ""
    dates: Stated = ""
    setting: Stated = ""
    eligibility: Stated = ""
    treatments_received: Stated = ""
    data_preparation: Stated = ""
    outcome_assessment: Stated = ""
    outcome_assessors: Stated = ""
    outcome_blinding: Stated = ""
    predictor_choice: Stated = ""
    predictor_measurement: Stated = ""
    predictor_assessors: Stated = ""
    sample_size_rationale: Stated = ""
    clusters: Stated = ""
    fairness_approach: Stated = ""
    ethics: Stated = ""
    funding: Stated = ""
    conflicts: Stated = ""
    protocol: Stated = ""
    registration: Stated = ""
    data_sharing: Stated = ""
    code_sharing: Stated = ""
    patient_involvement: Stated = ""
    participant_flow: Stated = ""
    characteristics: Stated = ""
    interpretation: Stated = ""
    intended_users: Stated = ""
    next_steps: Stated = ""


class Study(Frozen):
    """The study, described for people.

    question: the question that the site's form answers. limits: limitations of every model of the
    study, for its card. assignment: how patients were assigned to treatments. report: what only
    people can state in the TRIPOD+AI report.
    """

    title: Text
    question: Text
    introduction: Text
    disclaimer: Text
    limits: tuple[Text, ...] = LIMITS
    assignment: Literal["observed", "randomised"]
    report: Report = Field(default_factory=Report)


class Target(Frozen):
    """The predicted column, its decimals, and what its values mean.

    bands: where each band begins, by name, from the lowest.
    """

    column: str
    decimals: int = Field(ge=0, le=6)
    higher_is: Literal["better", "worse"]
    bands: dict[str, float] = Field(min_length=1)


class Roles(Frozen):
    """The roles of columns in a study.

    treatment: what can be chosen for a patient. recorded_together: predictions are made only for
    combinations of these columns that were recorded in the data. known_after_treatment: columns
    that are not known before treatment, so that a request may leave them out. subgroups: the
    columns by which errors are reported; for a number, where its bands begin.
    """

    treatment: tuple[str, ...] = ()
    recorded_together: tuple[str, ...] = ()
    known_after_treatment: tuple[str, ...] = ()
    subgroups: dict[str, tuple[float, ...] | None] = Field(default_factory=dict)


class Split(Frozen):
    test_fraction: float = Field(gt=0, lt=1)


class Dataset(Frozen):
    min_rows: int = Field(ge=10)
    max_bytes: int = Field(ge=1)


class Intervals(Frozen):
    """How prediction intervals are calculated.

    by: the subgroup columns whose groups have intervals of their own, none by default; `auto` lets
    the training rows decide. min_group_rows: smaller groups get the overall interval.
    """

    coverage: float = Field(gt=0, lt=1)
    folds: int = Field(ge=2)
    by: Literal["auto"] | tuple[str, ...] = ()
    min_group_rows: int = Field(default=50, ge=10)


class Explanations(Frozen):
    background_rows: int = Field(ge=1)


class Tuning(Frozen):
    """The hyperparameters that an execution with tuning tries.

    families: families of models to try; each grid must have values for all of them. grid: the name
    of the default grid.
    """

    families: tuple[FamilyName, ...] = Field(default=("random_forest",), min_length=1)
    grid: str
    folds: int = Field(ge=2)
    tolerated_failures: float = Field(ge=0, lt=1)
    grids: dict[str, Grid]

    @model_validator(mode="after")
    def _its_grid_is_there(self) -> Self:
        if self.grid not in self.grids:
            raise ValueError(
                f"grid is {self.grid}, which is not one of the grids: {', '.join(self.grids)}"
            )
        return self

    def candidates(self, grid: str) -> tuple[Model, ...]:
        """List the candidates of the named grid."""
        return self.grids[grid].candidates(self.families)


class Evaluation(Frozen):
    confidence: float = Field(gt=0, lt=1)
    resamples: int = Field(ge=100)
    min_subgroup_rows: int = Field(ge=2)
    importance_repeats: int = Field(ge=1)


class LearningCurve(Frozen):
    """The learning curve: the error of models trained on fractions of the training rows.

    fractions: fractions of the training rows, from the smallest to 1.
    draws: the number of models for each fraction, each with other rows, or with another seed for
    all rows. max_trees: trees of a forest; more of them lower all points a little without changing
    the curve.
    """

    fractions: tuple[Annotated[float, Field(gt=0, le=1)], ...] = (0.25, 0.5, 0.75, 1.0)
    draws: int = Field(default=5, ge=2)
    max_trees: int = Field(default=50, ge=1)

    @model_validator(mode="after")
    def _they_grow_to_all(self) -> Self:
        if list(self.fractions) != sorted(set(self.fractions)) or self.fractions[-1:] != (1.0,):
            raise ValueError("fractions must be strictly increasing and end with 1, all rows")
        return self


class MovesMoreThan(Frozen):
    """A rule: too many replayed scores change by more than their interval's half-width.

    replay_moves_more_than: the fraction of replayed requests; a replay that was not possible counts
    as exceeding it.
    """

    replay_moves_more_than: float = Field(ge=0, lt=1, strict=True)  # no is not 0


type ApprovalRule = Literal["with_warning", "loses_combinations"] | MovesMoreThan


class ApprovalWhen(Frozen):
    """Approval is required for a candidate to which any of these rules applies."""

    when: tuple[ApprovalRule, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        names = [one if isinstance(one, str) else next(iter(dict(one))) for one in self.when]
        if len(set(names)) < len(names):
            raise ValueError("a rule is listed twice")
        return self


class Gate(Frozen):
    """The conditions for a candidate to be promoted, and whether approval is required.

    approval_days: how many days a candidate waits for approval.
    """

    max_parity_error: float = Field(ge=0)
    coverage_tolerance: float = Field(gt=0, lt=1)
    without_skill: Literal["rejected", "promoted_with_warning"]
    min_champion_rows: int = Field(ge=2)
    max_lost_combinations: float = Field(ge=0, le=1)
    approval: Literal["none", "always"] | ApprovalWhen = "none"
    approval_days: float = Field(default=7, gt=0, le=30)


class Replay(Frozen):
    """How many of the last captured requests are replayed against a candidate; 0 for none."""

    requests: int = Field(default=10_000, ge=0, le=100_000)


class FalseAlarms(Frozen):
    """The probability of a false alarm in one run of the monitor, by alarm."""

    drift: float = Field(default=0.0005, gt=0, lt=0.1)
    outcomes: float = Field(default=0.001, gt=0, lt=0.1)


class Monitoring(Frozen):
    """How the champion is monitored.

    window_days: the days whose requests are compared with the version's data, and whose outcomes
    are evaluated. min_requests, min_outcomes: with fewer, no conclusion is drawn. sources: which
    predictions count as requests. simulations: simulated data sets without drift, from which
    p-values are estimated. shown_days: days of a version's history that the model page shows.
    """

    window_days: int = Field(default=28, ge=1, le=365)
    min_requests: int = Field(default=200, ge=50)
    min_outcomes: int = Field(default=50, ge=20)
    sources: tuple[Literal["predict", "batch", "score"], ...] = ("predict", "batch", "score")
    false_alarms: FalseAlarms = Field(default_factory=FalseAlarms)
    simulations: int = Field(default=20_000, ge=1000, le=1_000_000)
    shown_days: int = Field(default=365, ge=7, le=3650)


class Serving(Frozen):
    """How requests are answered.

    shadow: a published version that scores them too, only into the log.
    """

    refresh_seconds: float = Field(gt=0)
    refresh_timeout_seconds: float = Field(gt=0)
    load_timeout_seconds: float = Field(gt=0, lt=10)  # which Lambda allows a start
    max_body_bytes: int = Field(ge=1)
    max_batch_rows: int = Field(ge=1)
    max_batch_bytes: int = Field(ge=1)
    dropdown_keys: dict[str, str] = Field(default_factory=dict)
    shadow: str | None = Field(default=None, pattern="^v-[0-9a-f]{8}$")


class Params(Frozen):
    """Everything that `params.yaml` decides."""

    study: Study
    columns: dict[str, Column] = Field(alias="schema", min_length=2)
    target: Target
    roles: Roles
    seed: int = Field(ge=0)
    split: Split
    dataset: Dataset
    model: Model
    intervals: Intervals
    explanations: Explanations
    tuning: Tuning
    evaluation: Evaluation
    learning_curve: LearningCurve = Field(default_factory=LearningCurve)
    gate: Gate
    replay: Replay = Field(default_factory=Replay)
    serving: Serving
    monitoring: Monitoring = Field(default_factory=Monitoring)

    # ---- The columns' roles in the study ----

    @cached_property
    def identifier(self) -> str | None:
        """The column that identifies a patient, if there is one."""
        return next((name for name, kind in self.columns.items() if kind.is_unique), None)

    @cached_property
    def features(self) -> dict[str, Kind]:
        """The model's features in its order: numbers, then words, each in the file's order."""
        found = {
            name: kind
            for name, kind in self.columns.items()
            if kind.is_feature and name != self.target.column
        }
        return dict(sorted(found.items(), key=lambda item: item[1].categories is not None))

    @cached_property
    def asked(self) -> dict[str, Kind]:
        """The fields of a request about a patient, in the file's order."""
        return {
            name: kind
            for name, kind in self.columns.items()
            if kind.is_asked and name != self.target.column
        }

    @cached_property
    def read(self) -> dict[str, Kind]:
        """The columns that a data set must have, in the file's order."""
        return {name: kind for name, kind in self.columns.items() if kind.is_asked}

    @property
    def outcome(self) -> Kind:
        """The target's column."""
        return self.columns[self.target.column]

    @property
    def scale(self) -> tuple[float, float]:
        """The lowest and the highest value of the target."""
        return self.outcome.range  # type: ignore[attr-defined, no-any-return]  # it may be a target

    @property
    def width(self) -> float:
        """The width of the target's scale."""
        lowest, highest = self.scale
        return highest - lowest

    @property
    def unit(self) -> str:
        """The target's unit."""
        return self.outcome.unit or "points"

    def label(self, name: str) -> str:
        return self.columns[name].label or name.replace("_", " ")

    def features_of(self, values: Mapping[str, Value]) -> dict[str, Feature]:
        """Return the model's features for a patient's values, from which some may be missing."""
        return {
            name: feature(values.get(name))
            if since is None
            else feature(values.get(name), values.get(since))
            for name, feature, since in self._as_features
        }

    @cached_property
    def _as_features(self) -> list[tuple[str, Callable[..., Feature], str | None]]:
        return [(name, kind.feature, kind.since_column) for name, kind in self.features.items()]

    @cached_property
    def nullable(self) -> tuple[str, ...]:
        """The columns that the model treats as missing if a request leaves them out."""
        later = self.roles.known_after_treatment
        return tuple(
            name for name, kind in self.asked.items() if kind.nullable and name not in later
        )

    @cached_property
    def left_out(self) -> tuple[tuple[str, ...], ...]:
        """Every combination of columns known after treatment that a request may leave out.

        Each is in the order of the role; the last is all of them.
        """
        later = self.roles.known_after_treatment
        return tuple(
            chosen
            for number in range(1, len(later) + 1)
            for chosen in itertools.combinations(later, number)
        )

    @cached_property
    def compared(self) -> tuple[str, ...]:
        """The treatment columns that can be compared: those whose values are listed."""
        together = self.roles.recorded_together
        return tuple(
            name for name in self.roles.treatment if name in together or self.columns[name].listed
        )

    # ---- Digests ----

    @cached_property
    def pipeline_digest(self) -> str:
        """The SHA-256 of everything that can change a trained model: not texts, not serving."""
        decided = self.model_dump(
            mode="json",
            exclude={
                **dict.fromkeys(("study", "replay", "serving", "monitoring", "columns"), True),
                "gate": {"approval", "approval_days"},
            },
        )
        return _digest(decided | {"columns": self._computed_with(self.columns)})

    @cached_property
    def contract_digest(self) -> str:
        """The SHA-256 of the rules for requests and of the features that models take from them."""
        return _digest(
            {
                "columns": self._computed_with(self.read),
                "target": self.target.column,
                "recorded_together": self.roles.recorded_together,
            }
        )

    @staticmethod
    def _computed_with(columns: Mapping[str, Kind]) -> list[Any]:
        return [
            [name, kind.model_dump(mode="json", exclude=set(kind.PRESENTATION))]
            for name, kind in columns.items()
        ]

    @override
    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        copied = super().model_copy(update=update, deep=deep)
        for name in set(copied.__dict__) - set(type(self).model_fields):
            del copied.__dict__[name]  # what was derived of the decisions before
        return copied

    # ---- Rules between the parts ----

    @model_validator(mode="after")
    def _is_a_study(self) -> Self:
        parts = Parts(
            self.columns,
            self.target,
            self.roles,
            self.intervals.by,
            self.tuning,
            self.serving.dropdown_keys,
        )
        wrong = list(contradictions(parts))
        if wrong:
            raise Contradictory(wrong)
        return self


def _digest(decisions: object) -> str:
    return hashlib.sha256(json.dumps(decisions, sort_keys=True).encode()).hexdigest()


def parse_params(text: str, name: str = NAME) -> Params:
    """Read the text of a params.yaml.

    name: of the file, for messages. Raises ParamsInvalid, which lists every mistake on a line of
    its own: where it is, and what is allowed there.
    """
    # Imported here: a start reads what a build has compiled.
    from clinical.yaml_file import YAMLError, plain  # noqa: PLC0415

    try:
        return Params.model_validate(plain(text))
    # YAML's own resolver raises the latter two: for a 13th month, for a list as a key.
    except (YAMLError, ValueError, TypeError) as error:
        # Imported only if something is wrong, to keep cold starts short.
        from clinical.mistakes import mistakes  # noqa: PLC0415

        raise ParamsInvalid("\n".join(mistakes(text, name)) or f"{name}: {error}") from error


def read_params(path: Path, name: str = NAME) -> Params:
    """Read a params.yaml; raises ParamsInvalid as `parse_params` does."""
    body = path.read_bytes()
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        raise ParamsInvalid(
            f"{name}, line {line}: byte 0x{body[error.start]:02x} is not valid UTF-8; save the "
            "file as UTF-8"
        ) from error
    return parse_params(text, name)


@cache
def params() -> Params:
    """Read the params that this code was deployed with, or the file that PARAMS_PATH names.

    PARAMS_PATH is set only when running from the sources: a build contains its study.
    """
    path = Path(os.environ.get("PARAMS_PATH", PATH))
    decided = compiled.read(path)
    return read_params(path) if decided is None else Params.model_validate(decided)
