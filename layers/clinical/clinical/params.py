"""`params.yaml`, read once into frozen models; the single source of every decision."""

import hashlib
import itertools
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from clinical.errors import ParamsInvalid

PATH = Path(__file__).with_name("params.yaml")


class Frozen(BaseModel):
    """A model that cannot change, and refuses keys it does not know."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True
    )


class Identifier(Frozen):
    """A column of unique, non-empty strings of at most `max_length` characters."""

    type: Literal["identifier"]
    max_length: int = Field(ge=1)


class WholeNumber(Frozen):
    """A column of whole numbers from `min` to `max`, both included."""

    type: Literal["whole_number"]
    min: int
    max: int
    nullable: bool = False


class Decimal(Frozen):
    """A column of decimal numbers from `min` to `max`, both included."""

    type: Literal["decimal"]
    min: float
    max: float


class Category(Frozen):
    """A column of strings out of `values`."""

    type: Literal["category"]
    values: tuple[str, ...] = Field(min_length=1)


class Level(Frozen):
    """A column of whole numbers out of `values`."""

    type: Literal["level"]
    values: tuple[int, ...] = Field(min_length=1)


Column = Annotated[
    Identifier | WholeNumber | Decimal | Category | Level, Field(discriminator="type")
]


class Split(Frozen):
    test_fraction: float = Field(gt=0, lt=1)


class Dataset(Frozen):
    min_rows: int = Field(ge=10)
    max_bytes: int = Field(ge=1)


class Features(Frozen):
    id: str
    numeric: tuple[str, ...]
    categorical: tuple[str, ...]
    combination: tuple[str, ...]
    target: str

    @property
    def names(self) -> tuple[str, ...]:
        return self.numeric + self.categorical


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
    age_bands: tuple[int, ...] = Field(min_length=1)
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
    disclaimer: str = Field(min_length=1)


class Params(Frozen):
    """Everything that `params.yaml` decides."""

    seed: int = Field(ge=0)
    split: Split
    columns: dict[str, Column] = Field(alias="schema")
    dataset: Dataset
    features: Features
    model: Model
    intervals: Intervals
    explanations: Explanations
    tuning: Tuning
    evaluation: Evaluation
    gate: Gate
    serving: Serving

    @model_validator(mode="after")
    def _features_are_columns(self) -> Self:
        kinds: dict[str, tuple[type[Frozen], ...]] = {
            self.features.id: (Identifier,),
            self.features.target: (Decimal,),
            **dict.fromkeys(self.features.numeric, (WholeNumber, Level)),
            **dict.fromkeys(self.features.categorical, (Category,)),
        }
        if set(kinds) != set(self.columns):
            raise ValueError(
                "features and schema must name the same columns; only one of them names "
                + ", ".join(sorted(set(kinds) ^ set(self.columns)))
            )
        for name, allowed in kinds.items():
            if not isinstance(self.columns[name], allowed):
                raise ValueError(  # noqa: TRY004 - what pydantic takes for a violation
                    f"schema.{name} is a {self.columns[name].type}, which its place in "
                    "features does not allow"
                )
        if not set(self.features.combination) <= set(self.features.names):
            raise ValueError("features.combination must name features")
        return self

    @model_validator(mode="after")
    def _age_bands_hold_every_age(self) -> Self:
        starts, ages = self.evaluation.age_bands, self.columns.get("Age")
        if list(starts) != sorted(set(starts)):
            raise ValueError("evaluation.age_bands must rise")
        if isinstance(ages, WholeNumber) and (starts[0] > ages.min or starts[-1] > ages.max):
            raise ValueError("evaluation.age_bands must hold every age of schema.Age")
        return self

    @property
    def pipeline_digest(self) -> str:
        """The SHA-256 of all that can change a trained model, which serving cannot."""
        return hashlib.sha256(self.model_dump_json(exclude={"serving"}).encode()).hexdigest()

    def whole_number(self, name: str) -> WholeNumber:
        """Give the range of a whole_number column; raises ParamsInvalid where it is none."""
        column = self.columns[name]
        if not isinstance(column, WholeNumber):
            raise ParamsInvalid(f"params.yaml: schema.{name} must be a whole_number")
        return column

    def categories(self, name: str) -> tuple[str, ...]:
        """Give the values of a category column; raises ParamsInvalid where it is none."""
        column = self.columns[name]
        if not isinstance(column, Category):
            raise ParamsInvalid(f"params.yaml: schema.{name} must be a category")
        return column.values

    def levels(self, name: str) -> tuple[int, ...]:
        """Give the values of a level column; raises ParamsInvalid where it is none."""
        column = self.columns[name]
        if not isinstance(column, Level):
            raise ParamsInvalid(f"params.yaml: schema.{name} must be a level")
        return column.values


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
