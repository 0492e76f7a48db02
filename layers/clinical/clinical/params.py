"""`params.yaml`, read once into frozen models; the single source of every decision."""

import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self, override

import yaml
from pydantic import Field, StrictStr, ValidationError, model_validator

from clinical.errors import ParamsInvalid
from clinical.frozen import Frozen
from clinical.kinds import Column, Feature, Kind, Value

PATH = Path(__file__).with_name("params.yaml")

LIMITS = (
    "It learned from recorded data, and repeats whatever bias they were recorded with.",
    "It knows no causes: that patients of one treatment did better does not mean that the treatment "
    "did it.",
    "Contributions tell what the model does with a feature, not what that does to a patient.",
    "An interval holds on average over all patients, and may hold less often in a subgroup.",
)

type Text = Annotated[StrictStr, Field(min_length=1)]


class Study(Frozen):
    """What a study is, in words for people.

    question: that the site's form answers. limits: of every model of it, for its card.
    assignment: how patients came to their treatments.
    """

    title: Text
    question: Text
    introduction: Text
    disclaimer: Text
    limits: tuple[Text, ...] = LIMITS
    assignment: Literal["observed", "randomised"]


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
    the data recorded together alone. known_after_treatment: what nobody knows before.
    subgroups: whom errors are told of, for a number by where its bands begin.
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


class Model(Frozen):
    """Hyperparameters, under the names of `sklearn.ensemble.RandomForestRegressor`."""

    n_estimators: int = Field(ge=1)
    max_depth: int | None = Field(ge=1)
    min_samples_split: int = Field(ge=2)
    min_samples_leaf: int = Field(ge=1)


class Intervals(Frozen):
    coverage: float = Field(gt=0, lt=1)
    folds: int = Field(ge=2)


class Explanations(Frozen):
    background_rows: int = Field(ge=1)


class Grid(Frozen):
    """Values to try of each hyperparameter of `Model`."""

    n_estimators: tuple[int, ...] = Field(min_length=1)
    max_depth: tuple[int | None, ...] = Field(min_length=1)
    min_samples_split: tuple[int, ...] = Field(min_length=1)
    min_samples_leaf: tuple[int, ...] = Field(min_length=1)

    def candidates(self) -> tuple[Model, ...]:
        """List every combination of the values."""
        values = dict(self)
        return tuple(
            Model(**dict(zip(values, one, strict=True)))
            for one in itertools.product(*values.values())
        )


class Tuning(Frozen):
    grid: str
    folds: int = Field(ge=2)
    tolerated_failures: float = Field(ge=0, lt=1)
    grids: dict[str, Grid]

    @model_validator(mode="after")
    def _its_grid_is_there(self) -> Self:
        if self.grid not in self.grids:
            raise ValueError(f"grid names {self.grid}, grids has {', '.join(self.grids)}")
        return self


class Evaluation(Frozen):
    confidence: float = Field(gt=0, lt=1)
    resamples: int = Field(ge=100)
    min_subgroup_rows: int = Field(ge=2)
    importance_repeats: int = Field(ge=1)


class Gate(Frozen):
    max_parity_error: float = Field(ge=0)
    coverage_tolerance: float = Field(gt=0, lt=1)
    without_skill: Literal["rejected", "promoted_with_warning"]
    min_champion_rows: int = Field(ge=2)
    max_lost_combinations: float = Field(ge=0, le=1)


class Serving(Frozen):
    refresh_seconds: float = Field(gt=0)
    refresh_timeout_seconds: float = Field(gt=0)
    load_timeout_seconds: float = Field(gt=0, lt=10)  # which Lambda allows a start
    max_body_bytes: int = Field(ge=1)
    max_batch_rows: int = Field(ge=1)
    max_batch_bytes: int = Field(ge=1)
    dropdown_keys: dict[str, str] = Field(default_factory=dict)


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
    gate: Gate
    serving: Serving

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
            name: kind.feature(values.get(name), values.get(kind.since_column or ""))
            for name, kind in self.features.items()
        }

    # ---- What is the same decision ----

    @cached_property
    def pipeline_digest(self) -> str:
        """The SHA-256 of all that can change a trained model: neither serving nor words."""
        return _digest(
            {**self.model_dump(mode="json", exclude={"study", "serving", "columns"})}
            | {"columns": self._computed_with(self.columns)}
        )

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
        wrong = list(self._contradictions())
        if wrong:
            raise ValueError("; ".join(wrong))
        return self

    def _contradictions(self) -> Iterator[str]:
        """Say what contradicts what, each with its path."""
        columns = self.columns
        identifiers = [name for name, kind in columns.items() if kind.is_unique]
        if len(identifiers) > 1:
            yield f"schema: {' and '.join(identifiers)} are identifiers; there can be one"
        target = columns.get(self.target.column)
        if target is None:
            yield f"target.column: {_no_column(self.target.column, columns)}"
        elif not target.may_be_target:
            yield f"target.column: schema.{self.target.column} must be a number or whole_number"
        elif target.nullable:
            yield f"schema.{self.target.column}.nullable: the target cannot be missing"
        else:
            starts = list(self.target.bands.values())
            lowest, highest = self.scale
            if starts != sorted(set(starts)):
                yield "target.bands: each band must begin above the one before it"
            elif starts[0] > lowest:
                yield (
                    f"target.bands: values from {lowest:g} to {starts[0]:g} are in no band; the "
                    f"first must begin at {lowest:g}"
                )
            elif starts[-1] >= highest:
                yield f"target.bands: the last begins at {starts[-1]:g}, beyond every value"
        features = [
            name for name, kind in columns.items() if kind.is_feature and name != self.target.column
        ]
        if not features:
            yield "schema: there is no column to predict from"
        for role in ("treatment", "recorded_together", "known_after_treatment", "subgroups"):
            for name in getattr(self.roles, role):
                if name not in columns:
                    yield f"roles.{role}: {_no_column(name, columns)}"
                elif name not in features:
                    yield f"roles.{role}: {name} is no feature"
        for name, starts in self.roles.subgroups.items():
            if name in features:
                yield from _wrong_bands(name, columns[name], starts)
        for name in features:
            since = columns[name].since_column
            if since is not None and since not in features:
                yield f"schema.{name}.since: {_no_column(since, columns)}"
            elif since is not None and columns[since].kind != columns[name].kind:
                yield f"schema.{name}.since: {since} is no date"
            elif since == name or (since is not None and columns[since].since_column == name):
                yield f"schema.{name}.since: {since} is counted from {name} itself"
        for key, name in self.serving.dropdown_keys.items():
            if name not in columns:
                yield f"serving.dropdown_keys.{key}: {_no_column(name, columns)}"


def _no_column(name: str, columns: Mapping[str, object]) -> str:
    return f"there is no column {name} in schema, which has {', '.join(columns)}"


def _wrong_bands(name: str, kind: Kind, starts: tuple[float, ...] | None) -> Iterator[str]:
    """Say what is wrong with the bands of a subgroup."""
    scale = getattr(kind, "range", None) if kind.is_number and not kind.listed else None
    if scale is None:
        if starts is not None:
            yield f"roles.subgroups.{name}: its values are groups; only a number has bands"
    elif not starts:
        yield f"roles.subgroups.{name}: say where its bands begin, such as [{scale[0]:g}, …]"
    elif list(starts) != sorted(set(starts)):
        yield f"roles.subgroups.{name}: its bands must rise"
    elif starts[0] > scale[0] or starts[-1] > scale[1]:
        yield (
            f"roles.subgroups.{name}: its bands must hold every value from {scale[0]:g} to "
            f"{scale[1]:g}"
        )


def _digest(decisions: object) -> str:
    return hashlib.sha256(json.dumps(decisions, sort_keys=True).encode()).hexdigest()


def parse_params(text: str) -> Params:
    """Read the text of a params.yaml.

    Raises ParamsInvalid, which names every wrong key by its path.
    """
    try:
        decided = yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader
        return Params.model_validate(decided)
    except yaml.YAMLError as error:
        raise ParamsInvalid(f"params.yaml is no YAML: {error}") from error
    except ValidationError as error:
        reasons = "; ".join(
            f"{'.'.join(map(str, wrong['loc'])) or 'the whole'}: {wrong['msg']}"
            for wrong in error.errors()
        )
        raise ParamsInvalid(f"params.yaml: {reasons}") from error


@cache
def params() -> Params:
    """Read the decisions that this code was deployed with."""
    return parse_params(PATH.read_text(encoding="utf-8"))


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """The safe loader, in C where there is one, that refuses a key written twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[object, object]:  # noqa: FBT001, FBT002
        seen: set[object] = set()
        for key, _ in node.value:
            name = self.construct_object(key, deep=deep)
            if name in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {name!r} stands twice", key.start_mark
                )
            seen.add(name)
        mapping: dict[object, object] = super().construct_mapping(node, deep=deep)
        return mapping
