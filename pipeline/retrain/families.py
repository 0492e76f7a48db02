"""The families of models; each owns everything specific to fitting and exporting it.

That is: its regressor, which is fitted on encoded features; how a fitted one is made to branch like
its ONNX graph; how complex it is; and what is added to the graph that skl2onnx exports from the
encoder. Code asks the family for these, and never asks which family it is. A new family is a class
here, one in `clinical/hyperparameters.py`, and its test.

ONNX graphs take float32 numbers, so every family is fitted on float32 values: forests round them
by themselves, and the others begin with `as_float32`.
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
# The most bytes of training rows for one-hot encoding, if there is a choice: a fit and its copies
# take three times that, of a Lambda function's 3 GB.
MOST_ONE_HOT = 2**29


class Family[Hyperparameters: decided.Hyperparameters](ABC):
    """A family of models, with hyperparameters and the params of a study.

    HAS_THRESHOLDS: whether it splits rows by thresholds. Then categories may be encoded as numbers,
    which distinguishes them as well, with a few more branches and much less memory.
    """

    HAS_THRESHOLDS: ClassVar[bool] = True

    def __init__(self, hyperparameters: Hyperparameters, params: Params) -> None:
        self.hyperparameters = hyperparameters
        self.params = params

    def encoder(self, table: pd.DataFrame) -> Estimator:
        """Return the fitted encoder of training rows, the first step of their models."""
        size = len(table) * width_of(self.params) * np.dtype(np.float32).itemsize
        return fitted_encoder(
            table, self.params, numbered=self.HAS_THRESHOLDS and size > MOST_ONE_HOT
        )

    @abstractmethod
    def regressor(self) -> Estimator:
        """Return an unfitted regressor for encoded features (n, d), NaN for missing."""

    @abstractmethod
    def settle(self, regressor: Estimator) -> None:
        """Make a fitted regressor branch the same in float32, with unchanged predictions."""

    @abstractmethod
    def fitted_values(self, regressor: Estimator) -> int:
        """Count fitted values, as a measure of complexity: leaves, or coefficients."""

    @abstractmethod
    def finish(self, graph: Graph, regressor: Estimator) -> None:
        """Complete the encoder's graph so that it predicts like the whole pipeline."""


class RandomForest(Family[decided.RandomForest]):
    """The average of trees, each grown on a different sample of rows. Source: Breiman, 2001."""

    @override
    def regressor(self) -> Estimator:
        settings = self.hyperparameters.model_dump(exclude={"family"})
        return _Forest(**settings, random_state=self.params.seed)

    @override
    def settle(self, regressor: Estimator) -> None:
        """Round every threshold to float32 without changing any branch.

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
    """The sum of small trees, each fitted to the errors so far. Source: Friedman, 2001.

    Exported here, because skl2onnx 1.20 writes booleans for integers, which ONNX 1.23 refuses, and
    adds the average to the leaves in float32, where they lose their last digits.
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
        """Do nothing: it has no branches."""

    @override
    def fitted_values(self, regressor: Estimator) -> int:
        return int(regressor["ridge"].coef_.size) + 1  # and the intercept

    @override
    def finish(self, graph: Graph, regressor: Estimator) -> None:
        """Add the regression in float64, because days of a century exceed float32's digits.

        A feature's mean is subtracted before its coefficient is applied, as in scikit-learn.
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
    """Return the steps that round numbers to float32 and compute in float64.

    They use numpy's types as functions, so that a pickled model needs no code of ours. Each
    pipeline has its own steps, because scikit-learn changes them while fitting, and pipelines are
    fitted in threads.
    """
    return [
        ("float32", FunctionTransformer(np.float32)),
        ("float64", FunctionTransformer(np.float64)),
    ]


def standardized() -> list[tuple[str, Estimator]]:
    """Return the steps that prepare encoded features for a linear model.

    Missing values become the mean, with an indicator column. A column without any number becomes 0,
    and a constant column has no influence.
    """
    impute = SimpleImputer(strategy="mean", add_indicator=True, keep_empty_features=True)
    return [*as_float32(), ("impute", impute), ("scale", StandardScaler())]


class _Forest(RandomForestRegressor):  # type: ignore[misc]  # scikit-learn has no types
    """A forest whose trees have at most max_samples rows, and no more than there are.

    scikit-learn's would draw max_samples rows even from fewer.
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
        """Pickle as scikit-learn's own class, which a fitted one is equivalent to."""
        return RandomForestRegressor, (), _plain(RandomForestRegressor, self).__getstate__()


class _Boosting(HistGradientBoostingRegressor):  # type: ignore[misc]  # scikit-learn has no types
    """Gradient boosting that accepts columns without any number, where scikit-learn 1.9 fails."""

    @override
    def fit(self, X: Floats, y: Floats, sample_weight: Floats | None = None) -> _Boosting:
        """Fit with 0 in such columns, which cannot split rows either way."""
        nothing = np.isnan(X).all(axis=0)
        super().fit(np.where(nothing, 0.0, X), y, sample_weight)
        return self

    @override
    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as scikit-learn's own class, which a fitted one is equivalent to."""
        plain = _plain(HistGradientBoostingRegressor, self)
        return HistGradientBoostingRegressor, (), plain.__getstate__()


def _plain(kind: Any, fitted: Estimator) -> Estimator:  # noqa: ANN401
    """Return a fitted estimator as one of scikit-learn's own class."""
    plain = kind()
    plain.__dict__.update(fitted.__dict__)
    return plain


def float32_below(thresholds: Floats) -> Floats:
    """Return the largest float32 that is not above each threshold.

    A float32 is at most the threshold if and only if it is at most this number.
    """
    nearest = thresholds.astype(np.float32)
    above = nearest.astype(np.float64) > thresholds
    nearest[above] = np.nextafter(nearest[above], np.float32(-np.inf))
    return nearest.astype(np.float64)


def _trees(boosting: HistGradientBoostingRegressor) -> list[Any]:
    """Return the nodes of each tree, structured arrays that scikit-learn has no public name for."""
    return [tree.nodes for (tree,) in boosting._predictors]  # noqa: SLF001


FAMILIES: dict[type[decided.Hyperparameters], type[Family[Any]]] = {
    decided.RandomForest: RandomForest,
    decided.GradientBoosting: GradientBoosting,
    decided.Ridge: Ridge,
}


def family_of(hyperparameters: decided.Model, params: Params) -> Family[Any]:
    """Return the family of hyperparameters, with them."""
    return FAMILIES[type(hyperparameters)](hyperparameters, params)


def regressor_of(hyperparameters: decided.Model, params: Params) -> Estimator:
    """Return a regressor with these hyperparameters, for encoded features."""
    return family_of(hyperparameters, params).regressor()


def model_of(family: Family[Any], encoder: Estimator) -> Pipeline:
    """Return a pipeline for tables of features: the encoder, and a regressor of a family."""
    return Pipeline([(ENCODER, encoder), (REGRESSOR, family.regressor())])


def on_one_thread() -> threadpool_limits:
    """Fit on one thread, because the last digit of a sum depends on the number of threads."""
    return threadpool_limits(limits=1)
