"""The forest that training and tuning fit, the rows and folds it is fitted on, how it is kept."""

import io

import joblib
import pandas as pd
from clinical.params import Model, Params
from sklearn.ensemble import RandomForestRegressor
from sklearn.model_selection import KFold


def read_table(body: bytes, params: Params) -> pd.DataFrame:
    """Read the rows that preprocess wrote; a category that reads "None" or "NA" is what it says."""
    return pd.read_csv(
        io.BytesIO(body),
        dtype=dict.fromkeys(params.features.categorical, "str"),
        keep_default_na=False,
    )


def forest_of(hyperparameters: Model, params: Params) -> RandomForestRegressor:
    return RandomForestRegressor(**hyperparameters.model_dump(), random_state=params.seed)


def folds(number: int, params: Params) -> KFold:
    """Split rows into folds, the same for everybody who asks for as many."""
    return KFold(number, shuffle=True, random_state=params.seed)


def dumped(fitted: object) -> bytes:
    """Pickle what was fitted, as scikit-learn advises."""
    buffer = io.BytesIO()
    joblib.dump(fitted, buffer)
    return buffer.getvalue()
