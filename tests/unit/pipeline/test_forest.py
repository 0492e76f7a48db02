"""A forest splits alike with thresholds of float64 and of float32, and ONNX as scikit-learn."""

import copy

import numpy as np
import pandas as pd
import pytest
from clinical.kinds import Category, Kind, Number
from clinical.params import Params, params
from export import as_onnx
from forest import encoder_of, forest_of, with_float32_thresholds
from hypothesis import given, settings
from hypothesis import strategies as st
from model.scorer import Scorer
from sklearn.ensemble import RandomForestRegressor
from sklearn.pipeline import Pipeline

from tests.unit.conftest import smaller

type Floats = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


def fitted(features: Floats, seed: int) -> RandomForestRegressor:
    target = np.random.default_rng(seed).normal(size=len(features))
    return RandomForestRegressor(5, min_samples_leaf=1, random_state=seed).fit(features, target)


@settings(max_examples=30)
@given(
    st.lists(
        st.floats(-1e6, 1e6, width=32) | st.integers(-50, 50).map(lambda tenth: tenth / 10),
        min_size=10,
        max_size=60,
    ),
    st.integers(0, 9),
)
def test_float32_thresholds_change_no_prediction(values: list[float], seed: int) -> None:
    features = np.array(values).reshape(-1, 1)
    forest = fitted(features, seed)
    thresholds = np.concatenate([tree.tree_.threshold for tree in forest.estimators_])
    # Trees see float32: the data, every threshold, and what lies next to one.
    near = thresholds.astype(np.float32)
    asked = np.concatenate(
        [
            features.ravel().astype(np.float32),
            near,
            np.nextafter(near, np.float32(np.inf)),
            np.nextafter(near, np.float32(-np.inf)),
        ]
    ).reshape(-1, 1)

    changed = with_float32_thresholds(copy.deepcopy(forest))

    for tree in changed.estimators_:
        kept = tree.tree_.threshold
        assert kept.astype(np.float32).astype(np.float64).tolist() == kept.tolist()
    assert changed.predict(asked).tolist() == forest.predict(asked).tolist()


def study_of(**columns: Kind) -> Params:
    """A study of some features, with the drug study's target."""
    target = {"Improvement_Score": params().outcome}
    roles = params().roles.model_copy(
        update={
            "treatment": (),
            "recorded_together": (),
            "known_after_treatment": (),
            "subgroups": {},
        }
    )
    return smaller(params(), trees=20).model_copy(
        update={"columns": {**columns, **target}, "roles": roles}
    )


@pytest.mark.parametrize("step", [0.1, 0.01])
@pytest.mark.parametrize("nullable", [False, True])
def test_onnx_takes_the_same_branch_on_decimals_that_are_thresholds(
    step: float, nullable: bool
) -> None:
    """Between values two steps apart, a threshold is the very decimal between them."""
    decimals = round(-np.log10(step))
    dose = Number(kind="number", min=-100, max=100, decimals=decimals, nullable=nullable)
    decisions = study_of(dose=dose, other=dose)
    generator = np.random.default_rng(3)
    even = 2 * generator.integers(-200, 200, size=(300, 2))
    known = pd.DataFrame(np.round(even * step, decimals), columns=["dose", "other"])
    if nullable:
        known = known.mask(generator.random((300, 2)) < 0.2)
    outcome = np.nan_to_num(known["dose"], nan=9) + generator.normal(size=300)
    model = Pipeline(
        [("encoder", encoder_of(decisions)), ("forest", forest_of(decisions.model, decisions))]
    ).fit(known, outcome)
    with_float32_thresholds(model.named_steps["forest"])
    every = np.round(np.arange(-401, 402) * step, decimals)
    asked = pd.DataFrame({"dose": every, "other": generator.permutation(every)})
    if nullable:
        asked = pd.concat([asked, asked.assign(dose=np.nan), asked.assign(other=np.nan)])
    thresholds = {
        float(value)
        for tree in model[-1].estimators_
        for value in np.round(tree.tree_.threshold, 6)
    }

    scores = Scorer(as_onnx(model, {}, decisions)).score(
        {name: asked[name].to_numpy() for name in ("dose", "other")}
    )

    assert len(thresholds & {round(float(value), 6) for value in every}) > 50  # they are hit
    assert np.abs(scores - model.predict(asked)).max() <= 1e-5 * decisions.width


def test_missing_numbers_go_where_they_went_in_training() -> None:
    dose = Number(kind="number", min=0, max=9, decimals=1, nullable=True)
    decisions = study_of(dose=dose)
    known = pd.DataFrame({"dose": [1.0, 2.0, np.nan] * 40})
    outcome = np.array([1.0, 2.0, 8.0] * 40)
    model = Pipeline(
        [("encoder", encoder_of(decisions)), ("forest", forest_of(decisions.model, decisions))]
    ).fit(known, outcome)

    scores = Scorer(as_onnx(model, {}, decisions)).score({"dose": np.array([1.0, 2.0, np.nan])})

    assert scores == pytest.approx([1, 2, 8], abs=1e-4)


def test_a_gap_where_training_had_none_is_answered_alike() -> None:
    dose = Number(kind="number", min=0, max=9, decimals=1, nullable=True)
    decisions = study_of(dose=dose, other=dose)
    generator = np.random.default_rng(1)
    known = pd.DataFrame(np.round(generator.uniform(0, 9, (100, 2)), 1), columns=["dose", "other"])
    model = Pipeline(
        [("encoder", encoder_of(decisions)), ("forest", forest_of(decisions.model, decisions))]
    ).fit(known, known["dose"])
    with_float32_thresholds(model.named_steps["forest"])
    asked = pd.DataFrame({"dose": [np.nan, 3.0, np.nan], "other": [1.0, np.nan, np.nan]})

    scores = Scorer(as_onnx(model, {}, decisions)).score(
        {name: asked[name].to_numpy() for name in ("dose", "other")}
    )

    assert scores == pytest.approx(model.predict(asked), abs=1e-4)


@pytest.mark.parametrize(
    "names",
    [
        ["a b", "a_b", "a/b"],  # all written a_b where only identifiers are names
        ["a_b", "a b", "a__b"],
        ["variable", "concat_result", "transformed_column"],  # what skl2onnx calls its own
        ["merged_columns", "shape_tensor", "1x"],
        ["variable", "variable_", '\N{GREEK CAPITAL LETTER DELTA} "quoted", (%)'],
    ],
)
def test_columns_of_any_names_are_told_apart_in_the_graph(names: list[str]) -> None:
    dose = Number(kind="number", min=0, max=9, decimals=1)
    words = Category(kind="category", values=("a", "b"), nullable=True)
    decisions = study_of(**dict.fromkeys(names, dose), **{"w w": words, "w_w": words})
    generator = np.random.default_rng(0)
    known = pd.DataFrame(
        {
            **{name: np.round(generator.uniform(0, 9, 200), 1) for name in names},
            **{
                name: generator.choice(["a", "b", ""], 200).astype(object)
                for name in ("w w", "w_w")
            },
        }
    )
    outcome = known[names].to_numpy() @ np.array([1.0, 2.0, 4.0]) + 9 * (known["w_w"] == "a")
    model = Pipeline(
        [("encoder", encoder_of(decisions)), ("forest", forest_of(decisions.model, decisions))]
    ).fit(known, outcome)
    with_float32_thresholds(model.named_steps["forest"])

    scores = Scorer(as_onnx(model, {}, decisions)).score(
        {name: known[name].to_numpy() for name in (*names, "w w", "w_w")}
    )

    assert scores == pytest.approx(model.predict(known), abs=1e-4)
