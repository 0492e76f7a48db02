"""Split a data set, and fit the encoding on training rows alone."""

import io

import pandas as pd
from clinical.artefacts import Artefacts
from clinical.params import Params
from rows import Rows
from sklearn.model_selection import train_test_split
from stage import stage

from retrain.encoding import dumped, encoder_of, table_of
from retrain.state import Preprocessed, Seen, Target, Validated


@stage()
def preprocess(validated: Validated, artefacts: Artefacts, params: Params) -> Preprocessed:
    """Write training rows, held-out rows and the fitted encoder."""
    cells = read_cells(artefacts.read(validated.dataset))
    training, held_out = train_test_split(
        cells, test_size=params.split.test_fraction, random_state=params.seed
    )
    body = as_csv(training)
    rows = Rows(body, params)
    names = sorted(rows.cells)
    seen = Seen(
        columns={name: params.columns[name].form for name in names},
        digests=tuple(sorted(rows.digests(names))),
    )
    return Preprocessed(
        encoder=artefacts.write("encoder.joblib", dumped(encoder_of(params).fit(table_of(rows)))),
        training=artefacts.write("training.csv", body),
        training_rows=artefacts.write_json("training_rows.json", seen),
        held_out=artefacts.write("held_out.csv", as_csv(held_out)),
        rows=len(cells),
        missing={
            name: int((cells[name] == "").sum())
            for name, kind in params.features.items()
            if kind.nullable
        },
        target=described(cells[params.target.column].astype("float64")),
    )


def read_cells(body: bytes) -> pd.DataFrame:
    """Read the rows that validate wrote, as the strings that they are."""
    return pd.read_csv(io.BytesIO(body), dtype="str", keep_default_na=False)


def described(scores: "pd.Series[float]") -> Target:
    return Target(
        mean=float(scores.mean()),
        std=float(scores.std()),
        min=float(scores.min()),
        max=float(scores.max()),
    )


def as_csv(table: pd.DataFrame) -> bytes:
    return table.to_csv(index=False, lineterminator="\n").encode()
