import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import stage
from clinical.artefacts import Bucket
from clinical.params import params
from retrain.encoding import encoder_of, table_of
from retrain.stages.preprocess import described as described_scores
from retrain.stages.preprocess import split
from rows import Rows
from sklearn.model_selection import train_test_split

from tests.pipeline import rows_of
from tests.unit.conftest import smaller, with_column
from tests.unit.pipeline.conftest import Retrained

type Retrain = Callable[[str], dict[str, Any]]
type Upload = Callable[[bytes], str]


def test_the_table_has_the_features_alone_in_the_models_order(sample: Path) -> None:
    rows = rows_of(sample.read_bytes(), params())

    table = table_of(rows)

    assert list(table.columns) == list(params().features)
    assert len(table) == len(rows.target()) == 1000


@pytest.mark.parametrize("rows", [2, 51, 1000, 12_345])
@pytest.mark.parametrize("fraction", [0.2, 0.33])
def test_rows_are_split_as_scikit_learn_splits_them(rows: int, fraction: float) -> None:
    decisions = params().model_copy(
        update={"split": params().split.model_copy(update={"test_fraction": fraction})}
    )

    training, held_out = split(rows, decisions)

    expected = train_test_split(range(rows), test_size=fraction, random_state=decisions.seed)
    assert [training.tolist(), held_out.tolist()] == expected


def test_scores_are_described_as_pandas_describes_them() -> None:
    scores = np.random.default_rng(1).normal(5, 2, 1_001)

    described = described_scores(scores)

    expected = pd.Series(scores).describe()
    assert described.mean == pytest.approx(expected["mean"])
    assert described.std == pytest.approx(expected["std"])
    assert (described.min, described.max) == (expected["min"], expected["max"])


def test_categories_are_encoded_in_the_order_of_params_and_numbers_stay_whole(
    patient: dict[str, object],
) -> None:
    table = pd.DataFrame([patient])[list(params().features)]

    (encoded,) = encoder_of(params()).fit(table).transform(table)

    categories = [kind.categories for kind in params().features.values() if kind.categories]
    conditions = params().columns["Condition"].categories or ()
    assert len(encoded) == sum(map(len, categories)) + 3
    assert encoded[:2].tolist() == [0, 1]  # Female, Male
    assert encoded[-3:].tolist() == [56, 50, 9]
    assert np.flatnonzero(encoded[2:7]).tolist() == [conditions.index("Infection")]


def test_a_missing_category_is_encoded_as_one_more_and_a_missing_number_as_none(
    patient: dict[str, object],
) -> None:
    nullable = with_column(params(), "Gender", nullable=True)
    nullable = with_column(nullable, "Age", nullable=True)
    features = nullable.features_of({**patient, "Gender": None, "Age": None})  # type: ignore[dict-item]
    table = pd.DataFrame([features])

    (encoded,) = encoder_of(nullable).fit(table).transform(table)

    assert encoded[:3].tolist() == [0, 0, 1]  # Female, Male, nothing
    assert np.isnan(encoded[-3])
    assert encoded[-2:].tolist() == [50, 9]


@pytest.fixture
def sample_with_gaps(sample: Path) -> bytes:
    """The sample without every third age and every fifth side effect."""
    header, *lines = sample.read_text().splitlines()
    rows = [line.split(",") for line in lines]
    age, effect = (header.split(",").index(name) for name in ("Age", "Side_Effects"))
    for row in rows[::3]:
        row[age] = ""
    for row in rows[::5]:
        row[effect] = ""
    return "\n".join([header, *map(",".join, rows), ""]).encode()


def test_missing_cells_are_counted_and_reach_the_model_as_missing(
    bucket: Bucket,
    upload: Upload,
    retrain: Retrain,
    sample_with_gaps: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nullable = with_column(smaller(params(), trees=5), "Age", nullable=True)
    nullable = with_column(nullable, "Side_Effects", nullable=True)
    monkeypatch.setattr(stage, "params", lambda: nullable)
    upload(sample_with_gaps)

    came_to = retrain("one")

    preprocessed = came_to["preprocessed"]
    assert preprocessed["missing"] == {"Age": 334, "Side_Effects": 200}
    missing = sum(
        np.isnan(Rows(bucket.get(preprocessed[part]["key"]).body, nullable).features()["Age"]).sum()
        for part in ("training", "held_out")
    )
    assert missing == 334
    assert came_to["evaluated"]["verdict"]["parity"]["holds"]
    reference = json.loads(bucket.get(came_to["trained"]["reference"]["key"]).body)
    assert None in {row["Age"] for row in reference["background"]}
    assert None in {one["values"]["Side_Effects"] for one in reference["combinations"]}


@pytest.mark.usefixtures("few_trees")
def test_where_nothing_may_be_missing_nothing_is_counted(
    retrained: Retrained, sample_bytes: bytes
) -> None:
    assert retrained(sample_bytes)["preprocessed"]["missing"] == {}


@pytest.mark.usefixtures("few_trees")
def test_rows_to_train_on_are_named_with_the_columns_that_name_them(
    bucket: Bucket, retrained: Retrained, sample_bytes: bytes
) -> None:
    preprocessed = retrained(sample_bytes)["preprocessed"]

    seen = json.loads(bucket.get(preprocessed["training_rows"]["key"]).body)
    rows = Rows(bucket.get(preprocessed["training"]["key"]).body, params())
    assert seen["columns"] == {
        name: kind.form for name, kind in params().columns.items() if name != "Patient_ID"
    }
    assert list(seen["columns"]) == sorted(rows.columns)
    assert seen["digests"] == sorted(rows.digests(seen["columns"]))
