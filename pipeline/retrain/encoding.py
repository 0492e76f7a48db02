"""Encode rows as the numbers that all families of models are fitted on."""

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
    """Return the model's features, one column each, in its order."""
    return as_table(rows.features())


def as_table(columns: Columns) -> pd.DataFrame:
    """Build a table of features (n,), with numbers in float32, the precision of all models."""
    return pd.DataFrame(
        {
            name: column if column.dtype == np.object_ else column.astype(np.float32)
            for name, column in columns.items()
        }
    )


def encoded(encoder: ColumnTransformer, table: pd.DataFrame) -> Matrix:
    """Encode a table with a fitted encoder, block by block: (n, d)."""
    width = max(columns.stop for columns in encoder.output_indices_.values())
    features = np.empty((len(table), width), np.float32)
    for rows in blocks_of(len(table), width):
        features[rows] = encoder.transform(table.iloc[rows])
    return features


def fitted_encoder(
    table: pd.DataFrame, params: Params, *, numbered: bool = False
) -> ColumnTransformer:
    """Return a ready encoder: it learns only the columns' names, and nothing from their rows."""
    return encoder_of(params, numbered=numbered).fit(table.head(1))


def encoder_of(params: Params, *, numbered: bool = False) -> ColumnTransformer:
    """Categories one-hot, in params.yaml's order; numbers unchanged, because trees need no scale.

    All are float32, the precision of all families. Missing values are not imputed here: among
    categories, missing is one more; for numbers, each family handles it in its own way.
    numbered: whether a category is a number, its place in that order, instead of one-hot.
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
    """Pickle a fitted object, as scikit-learn advises."""
    buffer = io.BytesIO()
    joblib.dump(fitted, buffer)
    return buffer.getvalue()
