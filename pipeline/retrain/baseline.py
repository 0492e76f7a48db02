"""A ridge regression, which a model has to be worth more than to be worth its complexity."""

import numpy as np
from clinical import telemetry
from clinical.params import Params
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import Pipeline

from retrain.families import on_one_thread, standardized

# Of standardized features, from next to none to one that leaves hardly more than the average.
PENALTIES = np.logspace(-3, 6, 19)
DIGITS = 9  # of the target's range: what comes after them depends on the machine's linear algebra

type Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


def ridge_predictions(
    training: Array, target: Array, held_out: Array, params: Params
) -> list[float] | None:
    """Predict held-out rows (m, d) by a ridge regression on training rows (n, d), target (n,).

    Rows are encoded, NaN for what is missing. The penalty is the best of `PENALTIES` by
    leave-one-out, which takes one decomposition. None where linear algebra fails on the rows, which
    is logged: a baseline stops no model.
    """
    ridge = Pipeline([*standardized(), ("ridge", RidgeCV(PENALTIES))])
    try:
        with on_one_thread():
            predicted = ridge.fit(training, target).predict(held_out)
    except np.linalg.LinAlgError as error:
        telemetry.logger().error("No ridge regression can be fitted.", error=str(error))
        return None
    rounded: list[float] = (np.round(predicted / params.width, DIGITS) * params.width).tolist()
    return rounded
