"""The folds of cross-validation."""

from clinical.params import Params
from sklearn.model_selection import KFold


def folds(number: int, params: Params) -> KFold:
    """Return the split of rows into folds, the same for the same number of folds."""
    return KFold(number, shuffle=True, random_state=params.seed)
