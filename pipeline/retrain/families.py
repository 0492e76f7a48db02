"""The families of models. Each owns all that is particular to fitting and exporting it.

That is: its regressor, which is fitted on encoded features; what makes a fitted one branch as its
ONNX graph does; how complex it is; and what is to be added to the graph that skl2onnx makes of the
encoder. Whoever needs one of them asks the family, and never asks which it is. A new family is a
class here, one in `clinical/hyperparameters.py`, and its test.

ONNX graphs take float32 numbers, so every family is fitted on numbers that float32 holds: forests
round them by themselves, and the others begin with `as_float32`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, override

import numpy as np
import sklearn.linear_model
from clinical import hyperparameters as decided
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from threadpoolctl import threadpool_limits

from retrain.encoding import fitted_encoder
from retrain.many_rows import width_of
from retrain.trees import Nodes

if TYPE_CHECKING:
    import pandas as pd
    from clinical.params import Params

    from retrain.graph import Graph

type Estimator = Any  # scikit-learn has no types
type Floats = np.ndarray[tuple[int, ...], np.dtype[np.float64]]

ENCODER, REGRESSOR = "encoder", "regressor"
# Bytes of training rows that are encoded one-hot, where there is a choice: a fit and its copies
# take three times that, of the 3 GB that a Lambda function has.
MOST_ONE_HOT = 2**29


class Family[Hyperparameters: decided.Hyperparameters](ABC):
    """A family of models, of which one has these hyperparameters, in a study of these decisions.

    HAS_THRESHOLDS: whether it divides rows by them. Then categories may be numbers, which is as
    good to tell them apart, takes a few more branches, and much less memory where there are many.
    """

    HAS_THRESHOLDS: ClassVar[bool] = True

    def __init__(self, hyperparameters: Hyperparameters, params: Params) -> None:
        self.hyperparameters = hyperparameters
        self.params = params

    def encoder(self, table: pd.DataFrame) -> Estimator:
        """Give the fitted encoder of training rows, with which models of them are to begin."""
        size = len(table) * width_of(self.params) * np.dtype(np.float32).itemsize
        return fitted_encoder(
            table, self.params, numbered=self.HAS_THRESHOLDS and size > MOST_ONE_HOT
        )

    @abstractmethod
    def regressor(self) -> Estimator:
        """Give a regressor that is to be fitted on encoded features (n, d), NaN for missing."""

    @abstractmethod
    def settle(self, regressor: Estimator) -> None:
        """Make a fitted regressor branch alike in float32, and answer as before."""

    @abstractmethod
    def fitted_values(self, regressor: Estimator) -> int:
        """Count what was fitted, by which models are simple: leaves, or coefficients."""

    @abstractmethod
    def finish(self, graph: Graph, regressor: Estimator) -> None:
        """Add to the graph of the encoder what it takes to answer as the whole pipeline does."""


class RandomForest(Family[decided.RandomForest]):
    """The average of trees that were each grown on other rows. Source: Breiman, 2001."""

    @override
    def regressor(self) -> Estimator:
        settings = self.hyperparameters.model_dump(exclude={"family"})
        return _Forest(**settings, random_state=self.params.seed)

    @override
    def settle(self, regressor: Estimator) -> None:
        """Make every threshold one that float32 holds, and no branch another.

        Trees compare float32 features with float64 thresholds, ONNX with float32 ones.
        """
        for tree in regressor.estimators_:
            tree.tree_.threshold[...] = float32_below(tree.tree_.threshold)

    @override
    def fitted_values(self, regressor: Estimator) -> int:
        return sum(tree.get_n_leaves() for tree in regressor.estimators_)

    @override
    def finish(self, graph: Graph, regressor: Estimator) -> None:
        """Add the trees; missing numbers go where they go in the forest."""
        trees = [tree.tree_ for tree in regressor.estimators_]
        left, right, feature, threshold, value, missing = (
            np.concatenate([getattr(one, name) for one in trees])
            for name in (
                "children_left",
                "children_right",
                "feature",
                "threshold",
                "value",
                "missing_go_to_left",
            )
        )
        nodes = Nodes(
            sizes=np.array([tree.node_count for tree in trees]),
            is_leaf=left < 0,
            left=left,
            right=right,
            feature=feature,
            threshold=threshold.astype(np.float32),
            missing_left=missing,
            value=(value.ravel() * (1 / len(trees))).astype(np.float32),
        )
        grown = graph.node(
            "TreeEnsemble",
            graph.as_float32(graph.last),
            domain="ai.onnx.ml",
            **nodes.as_ensemble(),
        )
        graph.end(grown, np.float32)


class GradientBoosting(Family[decided.GradientBoosting]):
    """The sum of small trees, each grown on what those before it left. Source: Friedman, 2001.

    Exported here: skl2onnx 1.20 hands ONNX booleans for whole numbers, which ONNX 1.23 refuses,
    and would add the average to the leaves in float32, where it costs them their last digits.
    """

    @override
    def regressor(self) -> Estimator:
        boosting = _Boosting(
            **self.hyperparameters.model_dump(exclude={"family"}),
            early_stopping=False,
            categorical_features=None,
            random_state=self.params.seed,
        )
        return Pipeline([*as_float32(), ("boosting", boosting)])

    @override
    def settle(self, regressor: Estimator) -> None:
        for nodes in _trees(regressor["boosting"]):
            nodes["num_threshold"] = float32_below(nodes["num_threshold"])

    @override
    def fitted_values(self, regressor: Estimator) -> int:
        return sum(int(nodes["is_leaf"].sum()) for nodes in _trees(regressor["boosting"]))

    @override
    def finish(self, graph: Graph, regressor: Estimator) -> None:
        boosting = regressor["boosting"]
        trees = _trees(boosting)
        nodes = np.concatenate(trees)
        of_all = Nodes(
            sizes=np.array([len(tree) for tree in trees]),
            is_leaf=nodes["is_leaf"].astype(bool),
            left=nodes["left"].astype(np.int64),
            right=nodes["right"].astype(np.int64),
            feature=nodes["feature_idx"],
            threshold=nodes["num_threshold"],
            missing_left=nodes["missing_go_to_left"],
            value=nodes["value"],
        )
        grown = graph.node(
            "TreeEnsemble",
            graph.as_float64(graph.as_float32(graph.last)),
            domain="ai.onnx.ml",
            **of_all.as_ensemble(),
        )
        average = graph.constant(boosting._baseline_prediction.reshape(1, 1))  # noqa: SLF001
        graph.end(graph.node("Add", grown, average))


class Ridge(Family[decided.Ridge]):
    """A linear model with small coefficients. Source: Hoerl and Kennard, Ridge Regression, 1970."""

    HAS_THRESHOLDS = False

    @override
    def regressor(self) -> Estimator:
        ridge = sklearn.linear_model.Ridge(alpha=self.hyperparameters.alpha)
        return Pipeline([*standardized(), ("ridge", ridge)])

    @override
    def settle(self, regressor: Estimator) -> None:
        """Leave it as it is: it has no branches."""

    @override
    def fitted_values(self, regressor: Estimator) -> int:
        return int(regressor["ridge"].coef_.size) + 1  # and the intercept

    @override
    def finish(self, graph: Graph, regressor: Estimator) -> None:
        """Add the regression in float64: in float32, days of a century would leave no digits.

        A feature's mean is subtracted before its coefficient is applied, as scikit-learn does.
        """
        impute, scale, ridge = (regressor[name] for name in ("impute", "scale", "ridge"))
        means, flagged = impute.statistics_, impute.indicator_.features_
        coefficients = (ridge.coef_ / scale.scale_).reshape(-1, 1)
        of_features, of_flags = np.split(coefficients, [len(means)])
        about, about_flags = np.split(scale.mean_, [len(means)])
        features = graph.as_float64(graph.as_float32(graph.last))
        missing = graph.node("IsNaN", features)
        known = graph.node("Where", missing, graph.constant(means), features)
        centred = graph.node("Sub", known, graph.constant(about))
        score = graph.node("MatMul", centred, graph.constant(of_features))
        if len(flagged):
            flags = graph.node("Gather", missing, graph.constant(flagged), axis=1)
            centred = graph.node("Sub", graph.as_float64(flags), graph.constant(about_flags))
            score = graph.node(
                "Add", score, graph.node("MatMul", centred, graph.constant(of_flags))
            )
        graph.end(graph.node("Add", score, graph.constant(np.array([[ridge.intercept_]]))))


def as_float32() -> list[tuple[str, Estimator]]:
    """Give the steps that leave of numbers what float32 holds, and compute in float64.

    numpy's own types as functions: a pickled model needs no code of ours. Each pipeline has steps
    of its own, for scikit-learn writes to them while it fits, and pipelines are fitted in threads.
    """
    return [
        ("float32", FunctionTransformer(np.float32)),
        ("float64", FunctionTransformer(np.float64)),
    ]


def standardized() -> list[tuple[str, Estimator]]:
    """Give the steps that make encoded features ready for a linear model.

    What is missing becomes the mean of what is not, beside a column that says so. A column without
    a single number becomes 0, and one that is the same everywhere stays without a say.
    """
    impute = SimpleImputer(strategy="mean", add_indicator=True, keep_empty_features=True)
    return [*as_float32(), ("impute", impute), ("scale", StandardScaler())]


class _Forest(RandomForestRegressor):  # type: ignore[misc]  # scikit-learn has no types
    """One whose trees have max_samples rows at most: scikit-learn's would have some of few twice.

    Where there are no more rows, each tree is grown on as many as there are, as without it.
    """

    max_samples: int | None

    @override
    def fit(self, X: Floats, y: Floats, sample_weight: Floats | None = None) -> _Forest:
        """Fit as scikit-learn does."""
        decided = self.max_samples
        if decided is not None and decided >= len(X):
            self.max_samples = None
        try:
            super().fit(X, y, sample_weight)
        finally:
            self.max_samples = decided
        return self

    @override
    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as scikit-learn's own: a fitted one is no other."""
        return RandomForestRegressor, (), _plain(RandomForestRegressor, self).__getstate__()


class _Boosting(HistGradientBoostingRegressor):  # type: ignore[misc]  # scikit-learn has no types
    """One that takes columns without a single number, on which scikit-learn 1.9 fails."""

    @override
    def fit(self, X: Floats, y: Floats, sample_weight: Floats | None = None) -> _Boosting:
        """Fit on such columns as if they said 0: they divide nothing either way."""
        nothing = np.isnan(X).all(axis=0)
        super().fit(np.where(nothing, 0.0, X), y, sample_weight)
        return self

    @override
    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as scikit-learn's own: a fitted one is no other."""
        plain = _plain(HistGradientBoostingRegressor, self)
        return HistGradientBoostingRegressor, (), plain.__getstate__()


def _plain(kind: Any, fitted: Estimator) -> Estimator:  # noqa: ANN401
    """Give what is fitted as an estimator of scikit-learn's own class."""
    plain = kind()
    plain.__dict__.update(fitted.__dict__)
    return plain


def float32_below(thresholds: Floats) -> Floats:
    """Give the largest float32 that is not above each threshold.

    A float32 is at most a threshold if and only if it is at most that.
    """
    nearest = thresholds.astype(np.float32)
    above = nearest.astype(np.float64) > thresholds
    nearest[above] = np.nextafter(nearest[above], np.float32(-np.inf))
    return nearest.astype(np.float64)


def _trees(boosting: HistGradientBoostingRegressor) -> list[Any]:
    """Give the nodes of each tree, structured arrays, which scikit-learn has no public name for."""
    return [tree.nodes for (tree,) in boosting._predictors]  # noqa: SLF001


FAMILIES: dict[type[decided.Hyperparameters], type[Family[Any]]] = {
    decided.RandomForest: RandomForest,
    decided.GradientBoosting: GradientBoosting,
    decided.Ridge: Ridge,
}


def family_of(hyperparameters: decided.Model, params: Params) -> Family[Any]:
    """Give the family of hyperparameters, with them."""
    return FAMILIES[type(hyperparameters)](hyperparameters, params)


def regressor_of(hyperparameters: decided.Model, params: Params) -> Estimator:
    """Give a regressor of these hyperparameters, for encoded features."""
    return family_of(hyperparameters, params).regressor()


def model_of(family: Family[Any], encoder: Estimator) -> Pipeline:
    """Give what takes a table of features: the encoder, and a regressor of a family."""
    return Pipeline([(ENCODER, encoder), (REGRESSOR, family.regressor())])


def on_one_thread() -> threadpool_limits:
    """Fit on one thread within: the last digit of a sum depends on how many there are."""
    return threadpool_limits(limits=1)
