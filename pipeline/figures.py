"""Summarise a model's errors on the held-out rows."""

import numpy as np
from bootstrap import Array, Bootstrap, mae, r2, rmse
from clinical.params import Params
from clinical.verdict import Scores


def bootstrap_of(params: Params) -> Bootstrap:
    return Bootstrap(params.evaluation.resamples, params.evaluation.confidence, params.seed)


def scored(errors: Array, recorded: Array, bootstrap: Bootstrap) -> Scores:
    """Summarise errors (n,), predicted less recorded score, each figure with its interval."""
    return Scores(
        rmse=bootstrap.estimate(rmse, errors),
        mae=bootstrap.estimate(mae, errors),
        r2=bootstrap.estimate(r2, errors, recorded),
    )


def clamped(predicted: Array, params: Params) -> Array:
    """Clamp scores (n,) to the target's range, as for serving; some models exceed it."""
    return np.clip(predicted, *params.scale)
