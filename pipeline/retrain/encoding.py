"""How rows become the numbers that every family of models is fitted on."""

import io

import joblib
import numpy as np
import pandas as pd
from clinical.params import Params
from rows import Rows
from sklearn.compose import ColumnTransformer
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

from retrain.many_rows import Columns, blocks_of

type Matrix = np.ndarray[tuple[int, ...], np.dtype[np.floating]]


def table_of(rows: Rows) -> pd.DataFrame:
    """Give features as the model takes them, one column each, in its order."""
    return as_table(rows.features())


def as_table(columns: Columns) -> pd.DataFrame:
    """Make a table of features (n,), with numbers in float32: no model sees more of them."""
    return pd.DataFrame(
        {
            name: column if column.dtype == np.object_ else column.astype(np.float32)
            for name, column in columns.items()
        }
    )


def encoded(encoder: ColumnTransformer, table: pd.DataFrame) -> Matrix:
    """Encode a table by a fitted encoder, block by block: (n, d)."""
    width = max(columns.stop for columns in encoder.output_indices_.values())
    features = np.empty((len(table), width), np.float32)
    for rows in blocks_of(len(table), width):
        features[rows] = encoder.transform(table.iloc[rows])
    return features


def fitted_encoder(
    table: pd.DataFrame, params: Params, *, numbered: bool = False
) -> ColumnTransformer:
    """Give the encoder, ready to use: it learns its columns' names, and nothing of their rows."""
    return encoder_of(params, numbered=numbered).fit(table.head(1))


def encoder_of(params: Params, *, numbered: bool = False) -> ColumnTransformer:
    """Categories one-hot, in params.yaml's order; numbers as they are, for trees need no scale.

    All are float32, of which no family sees more. What is missing needs no filling in here: among
    categories it is one more, and of numbers each family makes something of its own.
    numbered: whether a category is one number, its place in that order, instead of one-hot.
    """
    categories = {
        name: list(kind.categories)
        for name, kind in params.features.items()
        if kind.categories is not None
    }
    numbers = [name for name in params.features if name not in categories]
    words = list(categories.values())
    coder = (
        OrdinalEncoder(categories=words, dtype=np.float32)
        if numbered
        else OneHotEncoder(categories=words, sparse_output=False, dtype=np.float32)
    )
    return ColumnTransformer(
        [
            *([("categories", coder, list(categories))] if categories else []),
            *([("numbers", "passthrough", numbers)] if numbers else []),
        ]
    )


def dumped(fitted: object) -> bytes:
    """Pickle what was fitted, as scikit-learn advises."""
    buffer = io.BytesIO()
    joblib.dump(fitted, buffer)
    return buffer.getvalue()
