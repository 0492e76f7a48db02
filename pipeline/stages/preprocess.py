"""Split a data set, fill what may be missing, and fit the encoding, on training rows alone."""

import io

import pandas as pd
from clinical.artefacts import Artefacts
from clinical.params import Params, WholeNumber
from forest import dumped
from rows import row_digests
from sklearn.compose import ColumnTransformer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import OneHotEncoder
from stage import stage
from state import Preprocessed, Target, Validated


@stage()
def preprocess(validated: Validated, artefacts: Artefacts, params: Params) -> Preprocessed:
    """Write training rows, held-out rows and the fitted encoder; `Patient_ID` ends here."""
    table = read_table(artefacts.read(validated.dataset), params)
    training, held_out = train_test_split(
        table, test_size=params.split.test_fraction, random_state=params.seed
    )
    fills = lower_medians(training, params)
    encoder = one_hot(params).fit(filled(training, fills)[list(params.features.names)])
    rows = as_csv(filled(training, fills))
    return Preprocessed(
        encoder=artefacts.write("encoder.joblib", dumped(encoder)),
        training=artefacts.write("training.csv", rows),
        training_rows=artefacts.write_json("training_rows.json", [*sorted(row_digests(rows))]),
        held_out=artefacts.write("held_out.csv", as_csv(filled(held_out, fills))),
        rows=len(table),
        imputed={name: int(table[name].isna().sum()) for name in fills},
        target=described(table[params.features.target]),
    )


def read_table(body: bytes, params: Params) -> pd.DataFrame:
    """Read the rows that validate wrote: whole numbers as Int64, a category as what it says."""
    features = params.features
    return pd.read_csv(
        io.BytesIO(body),
        usecols=[*features.names, features.target],
        dtype={
            **dict.fromkeys(features.numeric, "Int64"),
            **dict.fromkeys(features.categorical, "str"),
            features.target: "float64",
        },
        keep_default_na=False,
        na_values={name: [""] for name in features.numeric},
    )


def described(scores: "pd.Series[float]") -> Target:
    return Target(
        mean=float(scores.mean()),
        std=float(scores.std()),
        min=float(scores.min()),
        max=float(scores.max()),
    )


def lower_medians(training: pd.DataFrame, params: Params) -> dict[str, int]:
    """Find what fills the columns that may have missing cells: a whole number, as they hold."""
    return {
        name: int(training[name].dropna().quantile(0.5, interpolation="lower"))
        for name, column in params.columns.items()
        if isinstance(column, WholeNumber) and column.nullable
    }


def filled(table: pd.DataFrame, fills: dict[str, int]) -> pd.DataFrame:
    return table.fillna(fills)


def one_hot(params: Params) -> ColumnTransformer:
    """Categories one-hot, in params.yaml's order; numbers as they are, for trees need no scale."""
    names = list(params.features.categorical)
    return ColumnTransformer(
        [
            (
                "categories",
                OneHotEncoder(
                    categories=[params.categories(name) for name in names], sparse_output=False
                ),
                names,
            ),
            ("numbers", "passthrough", list(params.features.numeric)),
        ]
    )


def as_csv(table: pd.DataFrame) -> bytes:
    return table.to_csv(index=False).encode()
