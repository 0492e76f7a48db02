"""The folds of cross-validation."""

from clinical.params import Params
from sklearn.model_selection import KFold


def folds(number: int, params: Params) -> KFold:
    """Split rows into folds, the same for everybody who asks for as many."""
    return KFold(number, shuffle=True, random_state=params.seed)
