"""A ridge regression, which a complex model must beat to be worth its complexity."""

import numpy as np
import pandas as pd
from clinical import telemetry
from clinical.params import Params
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import Pipeline

from retrain.families import ENCODER, Estimator, on_one_thread, standardized
from retrain.many_rows import blocks_of, some_of, width_of

# For standardised features, from almost none to one that leaves hardly more than the average.
PENALTIES = np.logspace(-3, 6, 19)
DIGITS = 9  # of the target's range: what comes after them depends on the machine's linear algebra

type Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


def ridge_predictions(
    encoder: Estimator,
    training: pd.DataFrame,
    target: Array,
    held_out: pd.DataFrame,
    params: Params,
) -> list[float] | None:
    """Predict held-out rows (m,) with a ridge regression on training rows (n,), target (n,).

    encoder: encodes tables of them as numbers, with NaN for missing values.
    The penalty is the best of `PENALTIES` by leave-one-out, which takes one decomposition, of a
    sample if there are many rows. Returns None, and logs it, if linear algebra fails on the rows: a
    baseline must not stop a model.
    """
    width = width_of(params)
    few = some_of(len(target), params.seed, width)
    ridge = Pipeline([(ENCODER, encoder), *standardized(), ("ridge", RidgeCV(PENALTIES))])
    try:
        with on_one_thread():
            ridge.fit(training.iloc[few], target[few])
            if len(few) < len(target):
                refit(ridge, training, target, width)
            predicted = np.concatenate(
                [ridge.predict(held_out.iloc[rows]) for rows in blocks_of(len(held_out), width)]
            )
    except np.linalg.LinAlgError as error:
        telemetry.logger().error("The ridge regression could not be fitted.", error=str(error))
        return None
    rounded: list[float] = (np.round(predicted / params.width, DIGITS) * params.width).tolist()
    return rounded


def refit(ridge: Pipeline, training: pd.DataFrame, target: Array, width: int) -> None:
    """Refit a sample's regression to all rows, with its penalty, by the normal equations.

    These are sums over rows, calculated block by block. Features stay standardised as in the
    sample.
    """
    prepare, regression = ridge[:-1], ridge[-1]
    average = target.mean()
    of_features = len(regression.coef_)
    total, products = np.zeros(of_features), np.zeros(of_features)
    squares = np.zeros((of_features, of_features))
    for rows in blocks_of(len(target), width):
        features = prepare.transform(training.iloc[rows])
        total += features.sum(axis=0)
        squares += features.T @ features
        products += features.T @ (target[rows] - average)
    means = total / len(target)
    squares -= len(target) * np.outer(means, means)
    squares[np.diag_indices(of_features)] += regression.alpha_
    regression.coef_ = np.linalg.solve(squares, products)
    regression.intercept_ = average - means @ regression.coef_
