"""What a model's errors on held-out rows come to."""

import numpy as np
from bootstrap import Array, Bootstrap, mae, r2, rmse
from clinical.params import Params
from clinical.verdict import Scores


def bootstrap_of(params: Params) -> Bootstrap:
    return Bootstrap(params.evaluation.resamples, params.evaluation.confidence, params.seed)


def scored(errors: Array, recorded: Array, bootstrap: Bootstrap) -> Scores:
    """Score errors (n,), prediction less recorded score, with the interval of each figure."""
    return Scores(
        rmse=bootstrap.estimate(rmse, errors),
        mae=bootstrap.estimate(mae, errors),
        r2=bootstrap.estimate(r2, errors, recorded),
    )


def clamped(predicted: Array, params: Params) -> Array:
    """Keep scores (n,) within the target's range, as they are served: some models go beyond it."""
    return np.clip(predicted, *params.scale)
