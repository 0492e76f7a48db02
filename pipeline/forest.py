"""The forest that training and tuning fit, the rows and folds it is fitted on, how it is kept."""

import io

import joblib
import numpy as np
import pandas as pd
from clinical.params import Model, Params
from rows import Rows
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestRegressor
from sklearn.model_selection import KFold
from sklearn.preprocessing import OneHotEncoder


def table_of(rows: Rows) -> pd.DataFrame:
    """Give features as the model takes them, one column each, in its order."""
    return pd.DataFrame(rows.features())


def encoder_of(params: Params) -> ColumnTransformer:
    """Categories one-hot, in params.yaml's order; numbers as they are, for trees need no scale.

    What is missing needs no filling in: among categories it is one more, and at each split of a
    number, trees learn which way it goes.
    """
    categories = {
        name: list(kind.categories)
        for name, kind in params.features.items()
        if kind.categories is not None
    }
    numbers = [name for name in params.features if name not in categories]
    one_hot = OneHotEncoder(categories=list(categories.values()), sparse_output=False)
    return ColumnTransformer(
        [
            *([("categories", one_hot, list(categories))] if categories else []),
            *([("numbers", "passthrough", numbers)] if numbers else []),
        ]
    )


def forest_of(hyperparameters: Model, params: Params) -> RandomForestRegressor:
    return RandomForestRegressor(**hyperparameters.model_dump(), random_state=params.seed)


def with_float32_thresholds(forest: RandomForestRegressor) -> RandomForestRegressor:
    """Make every threshold of a fitted forest one that float32 holds, and no branch another.

    Trees compare float32 features with float64 thresholds, ONNX with float32 ones. A float32 is at
    most a threshold if and only if it is at most the largest float32 that is not above it.
    """
    for tree in forest.estimators_:
        thresholds = tree.tree_.threshold
        nearest = thresholds.astype(np.float32)
        above = nearest.astype(np.float64) > thresholds
        nearest[above] = np.nextafter(nearest[above], np.float32(-np.inf))
        thresholds[...] = nearest
    return forest


def folds(number: int, params: Params) -> KFold:
    """Split rows into folds, the same for everybody who asks for as many."""
    return KFold(number, shuffle=True, random_state=params.seed)


def dumped(fitted: object) -> bytes:
    """Pickle what was fitted, as scikit-learn advises."""
    buffer = io.BytesIO()
    joblib.dump(fitted, buffer)
    return buffer.getvalue()
