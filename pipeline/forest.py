"""The forest that training and tuning fit, the folds they split rows into, and how it is kept."""

import io

import joblib
from clinical.params import Model, Params
from sklearn.ensemble import RandomForestRegressor
from sklearn.model_selection import KFold


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
