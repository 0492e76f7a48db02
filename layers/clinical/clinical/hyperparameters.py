"""The families of models: their hyperparameters, and the values that tuning tries.

Each is a class here, with its grid, and one in `pipeline/retrain/families.py`, which fits and
exports it.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, ClassVar, Literal, Self, override

from pydantic import BeforeValidator, Field, model_validator

from clinical.frozen import Frozen

type FamilyName = Literal["random_forest", "gradient_boosting", "ridge"]

Count = Annotated[int, Field(ge=1)]
Several = Annotated[int, Field(ge=2)]
Positive = Annotated[float, Field(gt=0)]
Penalty = Annotated[float, Field(ge=0)]
Rate = Annotated[float, Field(gt=0, le=1)]

# The default for forests: more rows per tree improve 200 trees hardly at all, and take longer to
# fit and to serve.
MAX_SAMPLES = 10_000


class Hyperparameters(Frozen):
    """The hyperparameters of a model of any family.

    ALGORITHM: the name of the algorithm, for people.
    """

    ALGORITHM: ClassVar[str]

    def with_at_most(self, trees: int) -> Self:  # noqa: ARG002 - not every model has trees to spare
        """Return hyperparameters with fewer trees: the same learning curve in less time."""
        return self


class RandomForest(Hyperparameters):
    """Hyperparameters, under the names of `sklearn.ensemble.RandomForestRegressor`.

    max_samples: the number of rows drawn for each tree; None, or a number that is too large, means
    as many as there are.
    """

    ALGORITHM = "RandomForestRegressor of scikit-learn"

    family: Literal["random_forest"] = "random_forest"
    n_estimators: Count
    max_depth: Count | None
    min_samples_split: Several
    min_samples_leaf: Count
    max_samples: Count | None = MAX_SAMPLES

    @override
    def with_at_most(self, trees: int) -> Self:
        return self.model_copy(update={"n_estimators": min(self.n_estimators, trees)})


class GradientBoosting(Hyperparameters):
    """Hyperparameters, under the names of `sklearn.ensemble.HistGradientBoostingRegressor`."""

    ALGORITHM = "HistGradientBoostingRegressor of scikit-learn"

    family: Literal["gradient_boosting"] = "gradient_boosting"
    learning_rate: Rate
    max_iter: Count
    max_leaf_nodes: Several
    min_samples_leaf: Count
    l2_regularization: Penalty


class Ridge(Hyperparameters):
    """Hyperparameters, under the names of `sklearn.linear_model.Ridge`.

    alpha: the penalty on the coefficients of standardised features.
    """

    ALGORITHM = "Ridge of scikit-learn, on standardised features"

    family: Literal["ridge"] = "ridge"
    alpha: Positive


def _of_a_family(raw: object) -> object:
    """Read hyperparameters without a family as a forest's, once the only family."""
    if isinstance(raw, dict) and "family" not in raw:
        return {"family": "random_forest", **raw}
    return raw


Model = Annotated[
    RandomForest | GradientBoosting | Ridge,
    Field(discriminator="family"),
    BeforeValidator(_of_a_family),
]


def _of_all_rows(raw: object) -> object:
    """Read a forest without max_samples as one of all rows, as every forest once was."""
    raw = _of_a_family(raw)
    if isinstance(raw, dict) and raw["family"] == "random_forest":
        return {"max_samples": None, **raw}
    return raw


# As in a card, which an earlier release may have written.
ModelAsFitted = Annotated[Model, BeforeValidator(_of_all_rows)]


class Values(Frozen):
    """Values to try for each hyperparameter of MODEL's family."""

    MODEL: ClassVar[type[Hyperparameters]]

    def candidates(self) -> Iterator[Any]:
        """Yield every combination of the values, as hyperparameters of the family."""
        values = dict(self)
        for one in itertools.product(*values.values()):
            yield self.MODEL(**dict(zip(values, one, strict=True)))


class ForestValues(Values):
    """Values to try for each hyperparameter of a random forest."""

    MODEL = RandomForest

    n_estimators: tuple[Count, ...] = Field(min_length=1)
    max_depth: tuple[Count | None, ...] = Field(min_length=1)
    min_samples_split: tuple[Several, ...] = Field(min_length=1)
    min_samples_leaf: tuple[Count, ...] = Field(min_length=1)
    max_samples: tuple[Count | None, ...] = Field(default=(MAX_SAMPLES,), min_length=1)


class BoostingValues(Values):
    """Values to try for each hyperparameter of gradient boosting."""

    MODEL = GradientBoosting

    learning_rate: tuple[Rate, ...] = Field(min_length=1)
    max_iter: tuple[Count, ...] = Field(min_length=1)
    max_leaf_nodes: tuple[Several, ...] = Field(min_length=1)
    min_samples_leaf: tuple[Count, ...] = Field(min_length=1)
    l2_regularization: tuple[Penalty, ...] = Field(min_length=1)


class RidgeValues(Values):
    """Values to try for each hyperparameter of a ridge regression."""

    MODEL = Ridge

    alpha: tuple[Positive, ...] = Field(min_length=1)


def is_of_forests(grid: object) -> bool:
    """Whether a grid has the old form without a family, from when there were only forests."""
    return isinstance(grid, dict) and not grid.keys().isdisjoint(ForestValues.model_fields)


class Grid(Frozen):
    """The values that tuning tries, by family."""

    random_forest: ForestValues | None = None
    gradient_boosting: BoostingValues | None = None
    ridge: RidgeValues | None = None

    @model_validator(mode="before")
    @classmethod
    def _by_family(cls, raw: object) -> object:
        return {"random_forest": raw} if is_of_forests(raw) else raw

    def of(self, family: FamilyName) -> Values | None:
        """Return a family's values to try; None if there are none."""
        values: Values | None = getattr(self, family)
        return values

    def candidates(self, families: Sequence[FamilyName]) -> tuple[Model, ...]:
        """List every combination of the values of each family, in their order."""
        grids = [values for family in families if (values := self.of(family))]
        return tuple(one for values in grids for one in values.candidates())
