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
    "It learned from recorded data, and repeats whatever bias they were recorded with.",
    "It knows no causes: that a treatment's patients did better does not mean that it did that.",
    "Contributions tell what the model does with a feature, not what that does to a patient.",
    "An interval holds on average over all patients, and may hold less often in a subgroup.",
)

type Text = Annotated[StrictStr, Field(min_length=1)]
type Stated = Annotated[StrictStr, Field(max_length=5000)]


class Report(Frozen):
    """What only people can state of a study: their part of the TRIPOD+AI report.

    background: the clinical problem, why a model is wanted, and which there are.
    intended_use: for whom and at which point of care it is meant.
    inequalities: which are known between groups of such patients.
    objectives: whether it develops a model, evaluates one, or both, and what for.
    data_source: where the data come from, why these, and whom they stand for.
    dates: when the first and the last patient came in, and when follow-up ended.
    setting: kind of care, number and place of the centres.
    eligibility: who could be in the data, and who could not.
    treatments_received: what patients were given, and how that is dealt with.
    data_preparation: what was done with the data before the upload.
    outcome_assessment: how and when the outcome was assessed, and why this one.
    outcome_assessors: who assessed it, where that takes judgement.
    outcome_blinding: what its assessors did not know.
    predictor_choice: why these columns, and which were left out.
    predictor_measurement: how and when they were measured.
    predictor_assessors: who assessed them, where that takes judgement.
    sample_size_rationale: why so many patients.
    clusters: whether patients come from several centres or countries, and how they differ.
    fairness_approach: what was done for fairness between groups, and why.
    ethics: who approved the study, and how patients consented.
    funding: who paid, and what they had to say.
    conflicts: of interest, of all authors.
    protocol: where it is, or that there is none.
    registration: where the study is registered, or that it is not.
    data_sharing: who can have the data, and how.
    code_sharing: who can have the code, and how.
    patient_involvement: what patients and the public had to say in it.
    participant_flow: how patients came from recruitment to these rows.
    characteristics: of the patients, overall and by group.
    interpretation: of the results, beside the objectives and earlier studies.
    intended_users: what they do to use it, and what they must know.
    next_steps: what research is needed, and where the model may apply.
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
    """What a study is, in words for people.

    question: that the site's form answers. limits: of every model of it, for its card.
    assignment: how patients came to their treatments. report: their part of the TRIPOD+AI report.
    """

    title: Text
    question: Text
    introduction: Text
    disclaimer: Text
    limits: tuple[Text, ...] = LIMITS
    assignment: Literal["observed", "randomised"]
    report: Report = Field(default_factory=Report)


class Target(Frozen):
    """What is predicted: a column, to so many decimals, and what its values mean.

    bands: where each begins, by its name, from the lowest.
    """

    column: str
    decimals: int = Field(ge=0, le=6)
    higher_is: Literal["better", "worse"]
    bands: dict[str, float] = Field(min_length=1)


class Roles(Frozen):
    """What columns are to a study, beside features.

    treatment: what can be chosen for a patient. recorded_together: a prediction is made for what
    the data recorded together alone. known_after_treatment: what nobody knows before, so that a
    request may leave it out. subgroups: whom errors are told of, for a number by where its bands
    begin.
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
    """How wide intervals are made.

    by: the subgroups' columns whose groups have intervals of their own, none by default; `auto`
    lets the training rows decide. min_group_rows: a group of fewer has the interval of all.
    """

    coverage: float = Field(gt=0, lt=1)
    folds: int = Field(ge=2)
    by: Literal["auto"] | tuple[str, ...] = ()
    min_group_rows: int = Field(default=50, ge=10)


class Explanations(Frozen):
    background_rows: int = Field(ge=1)


class Tuning(Frozen):
    """What an execution that is to tune tries.

    families: of models, of which each grid has values to try. grid: the name of the one that is
    tried where none is named.
    """

    families: tuple[FamilyName, ...] = Field(default=("random_forest",), min_length=1)
    grid: str
    folds: int = Field(ge=2)
    tolerated_failures: float = Field(ge=0, lt=1)
    grids: dict[str, Grid]

    @model_validator(mode="after")
    def _its_grid_is_there(self) -> Self:
        if self.grid not in self.grids:
            raise ValueError(f"grid names {self.grid}, grids has {', '.join(self.grids)}")
        return self

    def candidates(self, grid: str) -> tuple[Model, ...]:
        """List what there is to try in the grid of a name."""
        return self.grids[grid].candidates(self.families)


class Evaluation(Frozen):
    confidence: float = Field(gt=0, lt=1)
    resamples: int = Field(ge=100)
    min_subgroup_rows: int = Field(ge=2)
    importance_repeats: int = Field(ge=1)


class LearningCurve(Frozen):
    """How error falls as models get more rows: on which fractions of the training rows, how often.

    fractions: of the training rows, from the fewest to all of them.
    draws: models of each fraction, by which other rows, or another seed where it is all of them.
    max_trees: of a forest; more make every point a little lower, and the curve no other.
    """

    fractions: tuple[Annotated[float, Field(gt=0, le=1)], ...] = (0.25, 0.5, 0.75, 1.0)
    draws: int = Field(default=5, ge=2)
    max_trees: int = Field(default=50, ge=1)

    @model_validator(mode="after")
    def _they_grow_to_all(self) -> Self:
        if list(self.fractions) != sorted(set(self.fractions)) or self.fractions[-1:] != (1.0,):
            raise ValueError("fractions must grow, each once, and end in 1: all training rows")
        return self


class MovesMoreThan(Frozen):
    """Where replayed scores move by more than their interval's half-width, in too many requests.

    replay_moves_more_than: the fraction of replayed requests; what could not be replayed counts as
    more.
    """

    replay_moves_more_than: float = Field(ge=0, lt=1, strict=True)  # no is not 0


type ApprovalRule = Literal["with_warning", "loses_combinations"] | MovesMoreThan


class ApprovalWhen(Frozen):
    """That somebody has to approve of a candidate of which one of these holds."""

    when: tuple[ApprovalRule, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        names = [one if isinstance(one, str) else next(iter(dict(one))) for one in self.when]
        if len(set(names)) < len(names):
            raise ValueError("a rule stands twice")
        return self


class Gate(Frozen):
    """What a candidate must be to serve, and whether somebody has to approve of it.

    approval_days: how long it waits for that.
    """

    max_parity_error: float = Field(ge=0)
    coverage_tolerance: float = Field(gt=0, lt=1)
    without_skill: Literal["rejected", "promoted_with_warning"]
    min_champion_rows: int = Field(ge=2)
    max_lost_combinations: float = Field(ge=0, le=1)
    approval: Literal["none", "always"] | ApprovalWhen = "none"
    approval_days: float = Field(default=7, gt=0, le=30)


class Replay(Frozen):
    """How many of the last captured requests a candidate is asked once more; 0 for none."""

    requests: int = Field(default=10_000, ge=0, le=100_000)


class FalseAlarms(Frozen):
    """How often a run may alarm though nothing changed: a probability, for each of its alarms."""

    drift: float = Field(default=0.0005, gt=0, lt=0.1)
    outcomes: float = Field(default=0.001, gt=0, lt=0.1)


class Monitoring(Frozen):
    """How the model that serves is watched.

    window_days: whose requests are set beside the version's data, and whose outcomes are judged.
    min_requests, min_outcomes: fewer tell nothing. sources: which predictions requests are.
    simulations: of data without drift, from which probabilities are read. shown_days: of a
    version's life, as the model page draws it.
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

    shadow: a published version that scores them too, into the log line alone.
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

    # ---- What the columns are to the study ----

    @cached_property
    def identifier(self) -> str | None:
        """The column that names a patient, if there is one."""
        return next((name for name, kind in self.columns.items() if kind.is_unique), None)

    @cached_property
    def features(self) -> dict[str, Kind]:
        """What the model looks at, in its order: numbers first, then words, each as in the file."""
        found = {
            name: kind
            for name, kind in self.columns.items()
            if kind.is_feature and name != self.target.column
        }
        return dict(sorted(found.items(), key=lambda item: item[1].categories is not None))

    @cached_property
    def asked(self) -> dict[str, Kind]:
        """What a request says of a patient, in the file's order."""
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
        """How far it is from one end of the target's scale to the other."""
        lowest, highest = self.scale
        return highest - lowest

    @property
    def unit(self) -> str:
        """What the target is measured in."""
        return self.outcome.unit or "points"

    def label(self, name: str) -> str:
        return self.columns[name].label or name.replace("_", " ")

    def features_of(self, values: Mapping[str, Value]) -> dict[str, Feature]:
        """Give what the model takes for a patient's values, which may lack what is missing."""
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
        """The columns that a model takes as missing where a request leaves them out."""
        later = self.roles.known_after_treatment
        return tuple(
            name for name, kind in self.asked.items() if kind.nullable and name not in later
        )

    @cached_property
    def left_out(self) -> tuple[tuple[str, ...], ...]:
        """Every choice of the columns that are known after treatment, which a request leaves out.

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
        """The columns of a treatment of which one can be set beside another: not any number."""
        together = self.roles.recorded_together
        return tuple(
            name for name in self.roles.treatment if name in together or self.columns[name].listed
        )

    # ---- What is the same decision ----

    @cached_property
    def pipeline_digest(self) -> str:
        """The SHA-256 of all that can change a trained model, which words and serving cannot."""
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
        """The SHA-256 of what requests must be, and what of them a model takes."""
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

    # ---- What must hold between the parts ----

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

    name: of the file, for the sentences. Raises ParamsInvalid, which names every mistake in a line
    of its own: where it stands, and what is allowed there.
    """
    # Imported here: a start reads what a build has compiled.
    from clinical.yaml_file import YAMLError, plain  # noqa: PLC0415

    try:
        return Params.model_validate(plain(text))
    # YAML's own resolver raises the latter two: a 13th month, a list for a key.
    except (YAMLError, ValueError, TypeError) as error:
        # Only where something is wrong: a cold start need not load what explains it.
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
    """Read the decisions that this code was deployed with, or those that PARAMS_PATH names.

    Only what runs on the sources is told so: a build has its study in it.
    """
    path = Path(os.environ.get("PARAMS_PATH", PATH))
    decided = compiled.read(path)
    return read_params(path) if decided is None else Params.model_validate(decided)
