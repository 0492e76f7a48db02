"""The interval around a score, from training rows that were left out of the fit."""

import math

import numpy as np
import pandas as pd
from clinical.params import Params
from clinical.reference import Conformal
from folds import folds
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import Pipeline

type Array = np.ndarray[tuple[int], np.dtype[np.float64]]


def predicted_when_left_out(
    model: Pipeline, features: pd.DataFrame, target: Array, params: Params
) -> Array:
    """Predict every training row (n,) by a model that was fitted on the other folds."""
    predicted: Array = cross_val_predict(
        model, features, target, cv=folds(params.intervals.folds, params)
    )
    return predicted


def conformal(residuals: Array, params: Params) -> Conformal:
    """Make an interval of residuals (n,) of rows that were left out of the fit."""
    return Conformal(
        coverage=params.intervals.coverage,
        half_width=interval_half_width(residuals, params.intervals.coverage, params.width),
        residuals=len(residuals),
        folds=params.intervals.folds,
    )


def interval_half_width(residuals: Array, coverage: float, widest: float) -> float:
    """Find how far around a score to go for a fraction of recorded scores to lie within.

    It is the (n + 1) x coverage-th smallest residual (n,), rounded up; where that is more than
    there are, the whole scale, `widest`. Source: Vovk, Cross-conformal predictors, 2015; Lei et
    al., Distribution-Free Predictive Inference for Regression, 2018.
    """
    rank = math.ceil((len(residuals) + 1) * coverage)
    if rank > len(residuals):
        return widest
    return float(np.sort(np.abs(residuals))[rank - 1])
