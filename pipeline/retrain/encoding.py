"""How rows become the numbers that every family of models is fitted on."""

import io

import joblib
import pandas as pd
from clinical.params import Params
from rows import Rows
from sklearn.compose import ColumnTransformer
from sklearn.preprocessing import OneHotEncoder


def table_of(rows: Rows) -> pd.DataFrame:
    """Give features as the model takes them, one column each, in its order."""
    return pd.DataFrame(rows.features())


def encoder_of(params: Params) -> ColumnTransformer:
    """Categories one-hot, in params.yaml's order; numbers as they are, for trees need no scale.

    What is missing needs no filling in here: among categories it is one more, and of numbers each
    family makes something of its own.
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


def dumped(fitted: object) -> bytes:
    """Pickle what was fitted, as scikit-learn advises."""
    buffer = io.BytesIO()
    joblib.dump(fitted, buffer)
    return buffer.getvalue()
