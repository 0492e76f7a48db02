"""Split a data set before anything is learned from it."""

import math

import numpy as np
from clinical.artefacts import Artefacts
from clinical.params import Params
from columns import Codes, dumped, loaded
from rows import Array, Rows
from stage import stage

from retrain.state import Preprocessed, Seen, Target, Validated


@stage()
def preprocess(validated: Validated, artefacts: Artefacts, params: Params) -> Preprocessed:
    """Write training rows and held-out rows."""
    body = artefacts.read(validated.dataset)
    columns, scores = loaded(body), Rows(body, params).target()
    training, held_out = (
        dumped({name: column.at(rows) for name, column in columns.items()})
        for rows in split(len(scores), params)
    )
    names, rows = sorted(columns), Rows(training, params)
    seen = Seen(
        columns={name: params.columns[name].form for name in names},
        digests=tuple(sorted(rows.digests(names))),
    )
    return Preprocessed(
        training=artefacts.write("training.npz", training),
        training_rows=artefacts.write_json("training_rows.json", seen),
        held_out=artefacts.write("held_out.npz", held_out),
        rows=len(scores),
        missing={
            name: columns[name].counts.get("", 0)
            for name, kind in params.features.items()
            if kind.nullable
        },
        target=described(scores),
    )


def split(rows: int, params: Params) -> tuple[Codes, Codes]:
    """Draw the indices of training rows and held-out rows, as scikit-learn does.

    Equivalent to `sklearn.model_selection.train_test_split`, without importing scikit-learn.
    """
    drawn = np.random.RandomState(params.seed).permutation(rows)
    held_out = math.ceil(rows * params.split.test_fraction)
    return drawn[held_out:], drawn[:held_out]


def described(scores: Array) -> Target:
    """Describe recorded scores (n,)."""
    return Target(
        mean=float(scores.mean()),
        std=float(scores.std(ddof=1)),
        min=float(scores.min()),
        max=float(scores.max()),
    )
