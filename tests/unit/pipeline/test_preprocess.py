from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from clinical.params import Params, params
from stages.preprocess import filled, lower_medians, one_hot, read_table


@pytest.fixture
def nullable() -> Params:
    ages = params().whole_number("Age").model_copy(update={"nullable": True})
    return params().model_copy(update={"columns": {**params().columns, "Age": ages}})


def test_the_table_has_features_and_target_and_no_patient_id(sample: Path) -> None:
    table = read_table(sample.read_bytes(), params())

    assert set(table.columns) == {*params().features.names, "Improvement_Score"}
    assert len(table) == 1000


def test_categories_that_look_like_nothing_stay_what_they_are() -> None:
    body = (",".join(params().columns) + "\nP1,56,Male,None,NA,50,9,null,8.5\n").encode()

    table = read_table(body, params())

    row = table.iloc[0].to_dict()
    assert (row["Condition"], row["Drug_Name"], row["Side_Effects"]) == ("None", "NA", "null")


def test_missing_cells_are_filled_with_a_whole_number_of_the_training_rows(
    nullable: Params,
) -> None:
    training = pd.DataFrame({"Age": pd.array([20, 30, 40, 50, None], dtype="Int64")})
    held_out = pd.DataFrame({"Age": pd.array([None, 79], dtype="Int64")})

    fills = lower_medians(training, nullable)

    assert fills == {"Age": 30}
    assert filled(held_out, fills)["Age"].tolist() == [30, 79]


def test_where_nothing_may_be_missing_nothing_is_filled(sample: Path) -> None:
    assert lower_medians(read_table(sample.read_bytes(), params()), params()) == {}


def test_categories_are_encoded_in_the_order_of_params_and_numbers_stay_whole(
    patient: dict[str, object],
) -> None:
    table = pd.DataFrame([patient])[list(params().features.names)]

    (encoded,) = one_hot(params()).fit(table).transform(table)

    categories = [params().categories(name) for name in params().features.categorical]
    assert len(encoded) == sum(map(len, categories)) + 3
    assert encoded[:2].tolist() == [0, 1]  # Female, Male
    assert encoded[-3:].tolist() == [56, 50, 9]
    assert np.flatnonzero(encoded[2:7]).tolist() == [
        params().categories("Condition").index("Infection")
    ]
