"""Where there are many rows: what stands for all of them, and what is computed in blocks."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from clinical.hyperparameters import GradientBoosting, Model, RandomForest, Ridge
from clinical.kinds import Category, Number, YesNo
from clinical.params import Params, params
from model.scorer import Scorer
from retrain import families, many_rows
from retrain.averaging import Averaging, counting
from retrain.baseline import ridge_predictions
from retrain.encoding import as_table, encoded, encoder_of, fitted_encoder, table_of
from retrain.export import CONVERTED, TENSORS, as_onnx, name_inputs
from retrain.families import REGRESSOR, family_of, model_of, on_one_thread
from retrain.intervals import by_table, conformal, predicted_when_left_out
from retrain.many_rows import LEAST_JUDGED, MOST_JUDGED, blocks_of, in_blocks, some_of, width_of
from retrain.stages.extract_combinations import valid_combinations
from retrain.stages.learning_curve import squared_errors
from retrain.state import Chosen
from rows import Rows
from skl2onnx import to_onnx
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import Pipeline

from data.generate import as_csv, patients
from tests.pipeline import rows_of
from tests.unit.conftest import smaller

if TYPE_CHECKING:
    from collections.abc import Callable

type Floats = np.ndarray[tuple[int], np.dtype[np.float64]]

RIDGE = Ridge(alpha=1)
BOOSTING = GradientBoosting(
    learning_rate=0.3, max_iter=30, max_leaf_nodes=8, min_samples_leaf=5, l2_regularization=0
)
FEW = 60  # rows on which a tree of these tests is grown
FOREST = RandomForest(
    n_estimators=8, max_depth=15, min_samples_split=5, min_samples_leaf=2, max_samples=FEW
)
SETTINGS: dict[str, Any] = FOREST.model_dump(exclude={"family", "max_samples"})


@pytest.fixture(scope="module")
def sample() -> Rows:
    return rows_of(as_csv(patients(300, seed=1)), params())


@pytest.fixture
def in_small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of 16 rows of the drug study."""
    monkeypatch.setattr(many_rows, "AT_ONCE", 16 * width_of(params()))


def features_of(rows: Rows) -> tuple[Any, Floats]:
    table = table_of(rows)
    return encoded(fitted_encoder(table, params()), table), rows.target()


# ---- Blocks, and rows that stand for all ----


@pytest.mark.parametrize(("rows", "width"), [(0, 3), (1, 3), (64, 3), (65, 3), (1000, 10**9)])
def test_blocks_are_all_rows_in_their_order(
    rows: int, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(many_rows, "AT_ONCE", 100)

    blocks = list(blocks_of(rows, width))

    assert [row for block in blocks for row in range(rows)[block]] == list(range(rows))
    assert all((block.stop - block.start) * width <= max(100, width) for block in blocks)
    assert blocks  # one of no rows, where there are none


def test_up_to_a_number_all_rows_are_judged_and_of_more_the_same_draw() -> None:
    assert some_of(MOST_JUDGED, seed=1).tolist() == list(range(MOST_JUDGED))

    drawn = some_of(3 * MOST_JUDGED, seed=1)

    assert len(np.unique(drawn)) == MOST_JUDGED
    assert (np.diff(drawn) > 0).all()
    assert drawn.tolist() == some_of(3 * MOST_JUDGED, seed=1).tolist()
    assert drawn.tolist() != some_of(3 * MOST_JUDGED, seed=2).tolist()


def test_wide_rows_are_judged_by_fewer_but_never_by_fewer_than_a_number() -> None:
    assert len(some_of(3 * MOST_JUDGED, seed=1, width=1000)) == many_rows.AT_ONCE // 1000
    assert len(some_of(3 * MOST_JUDGED, seed=1, width=10**6)) == LEAST_JUDGED


@pytest.mark.usefixtures("in_small_blocks")
def test_a_score_is_the_same_in_whatever_block(sample: Rows) -> None:
    features, target = features_of(sample)
    family = family_of(FOREST, params())
    model = model_of(family, fitted_encoder(table_of(sample), params()))
    with on_one_thread():
        model[REGRESSOR].fit(features, target)
    scorer = Scorer(as_onnx(model, family, {}, params()))

    columns = sample.features()

    found = in_blocks(scorer.score, columns, sample.number, params())
    assert found.tolist() == scorer.score(columns).tolist()
    assert model.predict(as_table(columns)).tolist() == model[REGRESSOR].predict(features).tolist()


# ---- Encoding ----


def test_rows_are_encoded_alike_in_whatever_block(
    sample: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, _ = features_of(sample)
    monkeypatch.setattr(many_rows, "AT_ONCE", 16 * whole.shape[1])

    in_parts, _ = features_of(sample)

    assert whole.dtype == in_parts.dtype == np.float32
    assert in_parts.tolist() == whole.tolist()
    assert whole.shape[1] == width_of(params())


def test_encoding_says_in_float32_what_it_did_in_float64(sample: Rows) -> None:
    found, _ = features_of(sample)

    encoder = encoder_of(params()).set_params(categories__dtype=np.float64)
    expected = encoder.fit_transform(pd.DataFrame(sample.features()))
    assert expected.dtype == np.float64
    assert found.tolist() == expected.astype(np.float32).tolist()


# ---- Forests ----


@pytest.mark.parametrize("decided", [None, 10_000, 300])
def test_where_no_more_rows_than_max_samples_a_forest_is_as_without_it(
    sample: Rows, decided: int | None
) -> None:
    features, target = features_of(sample)
    plain = RandomForestRegressor(**SETTINGS, random_state=params().seed)
    hyperparameters = FOREST.model_copy(update={"max_samples": decided})

    found = family_of(hyperparameters, params()).regressor().fit(features, target)

    plain.fit(features.astype(np.float64), target)
    assert nodes_of(found) == nodes_of(plain)
    assert found.max_samples == decided


def test_where_there_are_more_rows_each_tree_has_as_many_as_scikit_learn_says(
    sample: Rows,
) -> None:
    features, target = features_of(sample)
    plain = RandomForestRegressor(**SETTINGS, max_samples=FEW, random_state=params().seed)

    found = family_of(FOREST, params()).regressor().fit(features, target)

    assert nodes_of(found) == nodes_of(plain.fit(features, target))
    assert {int(tree.tree_.weighted_n_node_samples[0]) for tree in found.estimators_} == {FEW}


def nodes_of(forest: Any) -> list[bytes]:
    return [
        getattr(tree.tree_, name).tobytes()
        for tree in forest.estimators_
        for name in ("children_left", "feature", "threshold", "value")
    ]


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> list[set[int]]:
    """On how many rows the trees of each forest were grown."""
    found: list[set[int]] = []
    fit: Callable[..., Any] = RandomForestRegressor.fit

    def watched(self: Any, *arguments: Any) -> Any:
        fitted = fit(self, *arguments)
        found.append({int(tree.tree_.weighted_n_node_samples[0]) for tree in self.estimators_})
        return fitted

    monkeypatch.setattr(RandomForestRegressor, "fit", watched)
    return found


def test_trees_of_left_out_folds_and_of_the_learning_curve_have_no_more_rows_either(
    sample: Rows, sizes: list[set[int]]
) -> None:
    decisions = params().model_copy(update={"model": FOREST})
    features, target = features_of(sample)
    model = model_of(family_of(FOREST, decisions), fitted_encoder(table_of(sample), decisions))
    counted = counting(valid_combinations(sample, decisions), sample, decisions)

    predicted_when_left_out(model, features, sample, counted, decisions)
    squared_errors((features, target), (features, target), [40, 300], Chosen(), decisions)

    folds, curve = sizes[: decisions.intervals.folds], sizes[decisions.intervals.folds :]
    assert folds == [{FEW}] * decisions.intervals.folds
    assert sorted(curve, key=sum) == [{40}] * 5 + [{FEW}] * 5


@pytest.mark.parametrize("nullable", [False, True])
def test_the_graph_of_a_forest_scores_as_what_skl2onnx_makes_of_it(nullable: bool) -> None:
    """Figure for figure, but for where missing numbers go, of which skl2onnx says nothing."""
    columns = {
        "dose": Number(kind="number", min=0, max=9, decimals=1, nullable=nullable),
        "smoker": YesNo(kind="yes_no"),
        "arm": Category(kind="category", values=("a", "b")),
    }
    decisions = params().model_copy(
        update={"columns": {**columns, "Improvement_Score": params().outcome}}
    )
    generator = np.random.default_rng(1)
    table = as_table(
        {
            "dose": np.round(generator.uniform(0, 9, 200), 1),
            "smoker": generator.integers(0, 2, 200),
            "arm": generator.choice(["a", "b"], 200).astype(object),
        }
    )
    if nullable:
        table["dose"] = table["dose"].mask(generator.random(200) < 0.2)
    family = family_of(FOREST, decisions)
    model = model_of(family, encoder_of(decisions))
    model.fit(table, generator.normal(size=200))
    family.settle(model[REGRESSOR])
    plain = RandomForestRegressor()
    plain.__dict__.update(model[REGRESSOR].__dict__)

    found = Scorer(as_onnx(model, family, {}, decisions)).score(columns_of(table, decisions))

    if nullable:
        left = [tree.tree_.missing_go_to_left for tree in plain.estimators_]
        assert any(part.any() for part in left)
        assert found == pytest.approx(model.predict(table), abs=1e-6)
    else:
        whole = Pipeline([*model.steps[:-1], (REGRESSOR, plain)])
        kinds = decisions.features.items()
        inputs = [(name, TENSORS[kind.tensor]([None, 1])) for name, kind in kinds]
        expected = to_onnx(whole, initial_types=inputs, target_opset=CONVERTED)
        name_inputs(expected, list(decisions.features))
        scorer = Scorer(expected.SerializeToString())
        assert found.tolist() == scorer.score(columns_of(table, decisions)).tolist()


@pytest.mark.parametrize("decided", [FOREST, BOOSTING], ids=lambda one: one.family)
def test_a_tree_may_be_one_leaf(decided: Model) -> None:
    """Where no branch makes anything better, or only in some of the trees."""
    decisions = params().model_copy(
        update={
            "columns": {
                "dose": Number(kind="number", min=0, max=9, decimals=0),
                "Improvement_Score": params().outcome,
            }
        }
    )
    family = family_of(decided, decisions)
    table = as_table({"dose": np.arange(200) % 10 * 1.0})
    constant, rare = np.full(200, 2.5), np.where(np.arange(200) == 7, 5.0, 1.0)
    for outcome in (constant, rare):
        model = model_of(family, encoder_of(decisions))
        with on_one_thread():
            model.fit(table, outcome)
        family.settle(model[REGRESSOR])

        scores = Scorer(as_onnx(model, family, {}, decisions)).score(columns_of(table, decisions))

        assert scores == pytest.approx(model.predict(table), abs=1e-6)


def columns_of(table: Any, decisions: Params) -> dict[str, Any]:
    return {name: table[name].to_numpy() for name in decisions.features}


@pytest.mark.parametrize("decided", [FOREST, BOOSTING], ids=lambda one: one.family)
def test_trees_take_numbers_for_categories_where_one_hot_would_be_too_much(
    decided: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = {
        "site": Category(kind="category", values=tuple(f"s{n}" for n in range(300))),
        "arm": Category(kind="category", values=("b", "a"), nullable=True),
        "dose": Number(kind="number", min=0, max=9, decimals=1, nullable=True),
    }
    decisions = params().model_copy(
        update={"columns": {**columns, "Improvement_Score": params().outcome}}
    )
    generator = np.random.default_rng(1)
    rows = {
        "dose": np.where(np.arange(400) % 7, np.round(generator.uniform(0, 9, 400), 1), np.nan),
        "site": generator.choice([f"s{n}" for n in range(300)], 400).astype(object),
        "arm": generator.choice(["a", "b", ""], 400).astype(object),
    }
    table, outcome = as_table(rows), np.nan_to_num(rows["dose"]) + 2 * (rows["arm"] == "a")
    family = family_of(decided, decisions)
    one_hot = family.encoder(table)
    monkeypatch.setattr(families, "MOST_ONE_HOT", 400 * width_of(decisions) * 4 - 1)

    encoder = family.encoder(table)

    assert encoded(one_hot, table).shape == (400, 300 + 3 + 1)
    features = encoded(encoder, table)
    assert features.shape == (400, 3)
    model = model_of(family, encoder)
    with on_one_thread():
        model[REGRESSOR].fit(features, outcome)
    family.settle(model[REGRESSOR])
    scores = Scorer(as_onnx(model, family, {}, decisions)).score(rows)
    assert scores == pytest.approx(model.predict(table), abs=1e-6 * decisions.width)
    assert np.corrcoef(scores, outcome)[0, 1] > 0.9
    assert family_of(RIDGE, decisions).encoder(table).transform(table).shape[1] == 304


# ---- Intervals, averages and the baseline ----


def test_intervals_of_some_left_out_rows_are_about_those_of_all(
    sample: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 150 of 300 residuals, a 90% quantile is off by 2.4% of coverage (standard error)."""
    features, target = features_of(sample)
    encoder = fitted_encoder(table_of(sample), params())
    model = Pipeline([("encoder", encoder), ("line", LinearRegression())])
    counted = counting(valid_combinations(sample, params()), sample, params())
    whole = predicted_when_left_out(model, features, sample, counted, params())
    monkeypatch.setattr(many_rows, "MOST_JUDGED", 150)

    some = predicted_when_left_out(model, features, sample, counted, params())

    assert whole.rows.tolist() == list(range(300))
    assert len(some.rows) == 150
    for over, scores in whole.scores.items():
        assert some.scores[over] == pytest.approx(scores[some.rows])
        off = np.abs(target - scores)
        width = conformal(target[some.rows] - some.scores[over], params()).half_width
        assert np.mean(off <= width) == pytest.approx(0.9, abs=0.06)


@pytest.mark.usefixtures("in_small_blocks")
def test_averages_are_the_same_in_whatever_block(
    sample: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    features, target = features_of(sample)
    decisions = params().model_copy(update={"model": FOREST})
    model = model_of(family_of(FOREST, decisions), fitted_encoder(table_of(sample), decisions))
    model[REGRESSOR].fit(features, target)
    counted = counting(valid_combinations(sample, decisions), sample, decisions)
    averaging = Averaging(sample, counted(np.arange(sample.number)), decisions)
    over, which = decisions.roles.known_after_treatment, np.arange(7, 207)

    in_parts = averaging.predict(by_table(model), over, which)

    monkeypatch.undo()
    assert in_parts.tolist() == averaging.predict(by_table(model), over, which).tolist()


def test_a_baseline_with_the_penalty_of_some_rows_predicts_about_as_that_of_all(
    sample: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, target, encoder = table_of(sample), sample.target(), encoder_of(params())
    table.loc[::7, "Age"] = np.nan
    whole = ridge_predictions(encoder, table, target, table.head(50), params())
    monkeypatch.setattr(many_rows, "MOST_JUDGED", 200)
    monkeypatch.setattr(many_rows, "AT_ONCE", 64 * width_of(params()))

    some = ridge_predictions(encoder, table, target, table.head(50), params())

    assert whole is not None
    assert some is not None
    assert some == pytest.approx(whole, abs=0.15)  # the penalties are neighbours in PENALTIES
    assert some != whole


def test_a_forest_of_few_rows_a_tree_has_no_more_trees_in_the_curve() -> None:
    curve = smaller(params(), trees=5).model.with_at_most(3)

    assert curve.model_dump()["max_samples"] == 10_000
    assert curve.model_dump()["n_estimators"] == 3
