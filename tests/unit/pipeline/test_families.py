"""Models of every family answer alike in scikit-learn and in ONNX, on whatever can be asked."""

import copy
import pickletools
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
from clinical.card import TuningCandidate
from clinical.hyperparameters import GradientBoosting, Model, RandomForest, Ridge
from clinical.kinds import Category, Date, Kind, Level, Number, WholeNumber, YesNo
from clinical.params import Params, params
from hypothesis import given, settings
from hypothesis import strategies as st
from model.explanation import EXACT_FEATURES, Explainer
from model.scorer import Scorer
from retrain.encoding import dumped, encoder_of
from retrain.export import as_onnx
from retrain.families import REGRESSOR, Family, family_of, float32_below, model_of, on_one_thread
from sklearn.pipeline import Pipeline

type Floats = np.ndarray[tuple[int, ...], np.dtype[np.float64]]

FOREST = RandomForest(n_estimators=20, max_depth=15, min_samples_split=2, min_samples_leaf=1)
BOOSTING = GradientBoosting(
    learning_rate=0.3, max_iter=40, max_leaf_nodes=8, min_samples_leaf=1, l2_regularization=0.5
)
RIDGE = Ridge(alpha=1)
TREES = pytest.mark.parametrize("decided", [FOREST, BOOSTING], ids=lambda one: one.family)
ALL = pytest.mark.parametrize("decided", [FOREST, BOOSTING, RIDGE], ids=lambda one: one.family)
SLACK = 1e-6  # of the target's range; the gate allows ten times as much
UP, DOWN = np.float32(np.inf), np.float32(-np.inf)


@dataclass
class Fitted:
    """A model of a family on some rows, and the graph that it became."""

    decisions: Params
    family: Family[Any]
    model: Pipeline
    graph: bytes

    @property
    def regressor(self) -> Any:
        return self.model[REGRESSOR]

    def difference(self, asked: pd.DataFrame) -> float:
        """The largest |ONNX - scikit-learn| on rows, of the target's range."""
        scores = Scorer(self.graph).score(
            {str(name): column.to_numpy() for name, column in asked.items()}
        )
        found: Floats = np.abs(scores - self.model.predict(asked))
        return float(found.max()) / self.decisions.width


def study_of(decided: Model, **columns: Kind) -> Params:
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
    return params().model_copy(
        update={"columns": {**columns, **target}, "roles": roles, "model": decided}
    )


def fitted(decisions: Params, known: pd.DataFrame, outcome: Floats) -> Fitted:
    family = family_of(decisions.model, decisions)
    model = model_of(family, encoder_of(decisions))
    with on_one_thread():
        model.fit(known, outcome)
    family.settle(model[REGRESSOR])
    return Fitted(decisions, family, model, as_onnx(model, family, {}, decisions))


def thresholds_of(regressor: Any) -> Floats:
    """Every threshold of a fitted regressor of trees, leaves' included."""
    if hasattr(regressor, "estimators_"):
        return np.concatenate([tree.tree_.threshold for tree in regressor.estimators_])
    trees = [tree.nodes for (tree,) in regressor["boosting"]._predictors]
    return np.concatenate([nodes["num_threshold"] for nodes in trees])


# ---- Thresholds ----


@given(st.floats(-1e12, 1e12) | st.floats(-1e-30, 1e-30), st.floats(width=32, allow_nan=False))
def test_a_float32_is_on_the_same_side_of_a_threshold_and_of_the_float32_below(
    threshold: float, value: float
) -> None:
    (below,) = float32_below(np.array([threshold]))

    near = np.float32(threshold)
    for one in (np.float32(value), near, np.nextafter(near, UP), np.nextafter(near, DOWN)):
        assert (float(one) <= threshold) == (float(one) <= below)
    assert float(np.float32(below)) == below


def test_what_goes_left_without_a_threshold_still_does() -> None:
    """Boosting splits what is missing from all that is not by a threshold of infinity."""
    assert float32_below(np.array([np.inf])).tolist() == [np.inf]


@TREES
@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.floats(-1e6, 1e6, width=32) | st.integers(-50, 50).map(lambda tenth: tenth / 10),
        min_size=10,
        max_size=60,
    ),
    st.integers(0, 9),
)
def test_settling_changes_no_prediction(decided: Model, values: list[float], seed: int) -> None:
    # Encoded features are float64, and what they are fitted on is what float32 holds of them.
    features = np.array(values).reshape(-1, 1)
    target = np.random.default_rng(seed).normal(size=len(features))
    family = family_of(decided, params())
    with on_one_thread():
        before = family.regressor().fit(features, target)
    near = thresholds_of(before)
    near = near[np.isfinite(near)].astype(np.float32)
    near = np.concatenate([near, np.nextafter(near, UP), np.nextafter(near, DOWN)])
    asked = np.concatenate([features.ravel(), near.astype(np.float64)]).reshape(-1, 1)

    after = copy.deepcopy(before)
    family.settle(after)

    kept = thresholds_of(after)
    assert kept.astype(np.float32).astype(np.float64).tolist() == kept.tolist()
    assert after.predict(asked).tolist() == before.predict(asked).tolist()


@ALL
@pytest.mark.parametrize("step", [0.1, 0.01])
@pytest.mark.parametrize("nullable", [False, True])
def test_onnx_takes_the_same_branch_on_decimals_that_are_thresholds(
    decided: Model, step: float, nullable: bool
) -> None:
    """Between values two steps apart, a threshold is the very decimal between them."""
    decimals = round(-np.log10(step))
    dose = Number(kind="number", min=-100, max=100, decimals=decimals, nullable=nullable)
    decisions = study_of(decided, dose=dose, other=dose)
    generator = np.random.default_rng(3)
    even = 2 * generator.integers(-200, 200, size=(300, 2))
    known = pd.DataFrame(np.round(even * step, decimals), columns=["dose", "other"])
    if nullable:
        known = known.mask(generator.random((300, 2)) < 0.2)
    outcome = np.nan_to_num(known["dose"], nan=9) + generator.normal(size=300)
    found = fitted(decisions, known, outcome)
    every = np.round(np.arange(-401, 402) * step, decimals)
    asked = pd.DataFrame({"dose": every, "other": generator.permutation(every)})
    if nullable:
        asked = pd.concat([asked, asked.assign(dose=np.nan), asked.assign(other=np.nan)])

    assert found.difference(asked) <= SLACK
    if decided is not RIDGE:
        hit = {round(float(value), 6) for value in thresholds_of(found.regressor)}
        assert len(hit & {round(float(value), 6) for value in every}) > 50


@pytest.mark.parametrize(
    ("decided", "about"),
    [
        *((FOREST, about) for about in (3e7, -2.5e11)),  # no closer than 1e-7: it divides no such
        *((BOOSTING, about) for about in (1.0, 0.1, 3e7, -2.5e11)),
    ],
)
def test_a_threshold_between_neighbouring_float32_numbers_divides_them(
    decided: Model, about: float
) -> None:
    dose = Number(kind="number", min=-1e12, max=1e12, decimals=6)
    decisions = study_of(decided, dose=dose)
    first = np.float32(about)
    neighbours = [first, np.nextafter(first, UP)]
    known = pd.DataFrame({"dose": np.array(neighbours * 40, np.float64)})
    outcome = np.tile([2.0, 8.0], 40)

    found = fitted(decisions, known, outcome)

    scores = Scorer(found.graph).score({"dose": np.array(neighbours)})
    assert scores == pytest.approx([2, 8], abs=0.5)
    assert found.difference(known) <= SLACK


# ---- What is missing ----


@ALL
def test_missing_numbers_are_scored_as_in_training(decided: Model) -> None:
    dose = Number(kind="number", min=0, max=9, decimals=1, nullable=True)
    decisions = study_of(decided, dose=dose)
    known = pd.DataFrame({"dose": [1.0, 2.0, np.nan] * 40})

    found = fitted(decisions, known, np.array([1.0, 2.0, 8.0] * 40))

    scores = Scorer(found.graph).score({"dose": np.array([1.0, 2.0, np.nan])})
    assert scores == pytest.approx([1, 2, 8], abs=0.1)
    assert found.difference(known) <= SLACK


@ALL
def test_a_gap_where_training_had_none_is_answered_alike(decided: Model) -> None:
    dose = Number(kind="number", min=0, max=9, decimals=1, nullable=True)
    decisions = study_of(decided, dose=dose, other=dose)
    generator = np.random.default_rng(1)
    known = pd.DataFrame(np.round(generator.uniform(0, 9, (100, 2)), 1), columns=["dose", "other"])

    found = fitted(decisions, known, known["dose"].to_numpy())

    asked = pd.DataFrame({"dose": [np.nan, 3.0, np.nan], "other": [1.0, np.nan, np.nan]})
    assert found.difference(asked) <= SLACK


# ---- Whatever a study has ----


@ALL
@pytest.mark.parametrize(
    "names",
    [
        ["a b", "a_b", "a/b"],  # all written a_b where only identifiers are names
        ["a_b", "a b", "a__b"],
        ["variable", "concat_result", "transformed_column"],  # what skl2onnx calls its own
        ["merged_columns", "shape_tensor", "1x"],
        ["constant_9", "Cast_12", "Add_20"],  # what we call ours
        ["variable", "variable_", '\N{GREEK CAPITAL LETTER DELTA} "quoted", (%)'],
    ],
)
def test_columns_of_any_names_are_told_apart_in_the_graph(decided: Model, names: list[str]) -> None:
    dose = Number(kind="number", min=0, max=9, decimals=1)
    words = Category(kind="category", values=("a", "b"), nullable=True)
    decisions = study_of(decided, **dict.fromkeys(names, dose), **{"w w": words, "w_w": words})
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

    found = fitted(decisions, known, outcome.to_numpy() / 10)

    assert found.difference(known) <= SLACK
    onnx.checker.check_model(onnx.load_from_string(found.graph), full_check=True)


@ALL
def test_numbers_that_float32_cannot_hold_are_scored_alike(decided: Model) -> None:
    """What remains of them in float32 is what both see, however large the mean is."""
    decisions = study_of(
        decided,
        nanoseconds=WholeNumber(kind="whole_number", min=0, max=10**12),
        days=Date(kind="date", since="0001-01-01", min="1990-01-01", max="2030-01-01"),
        mass=Number(kind="number", min=1e6, max=1e6 + 1, decimals=6),
        tiny=Number(kind="number", min=0, max=0.001, decimals=6, nullable=True),
    )
    generator = np.random.default_rng(2)
    known = pd.DataFrame(
        {
            "nanoseconds": generator.integers(10**12 - 10**6, 10**12, 400),
            "days": generator.integers(726_000, 741_000, 400),
            "mass": np.round(1e6 + generator.random(400), 6),
            "tiny": np.round(generator.random(400) / 1000, 6),
        }
    )
    known.loc[::7, "tiny"] = np.nan
    outcome = 5 + (known["days"] - 733_000) / 3000 + 2 * (known["mass"] - 1e6)

    assert fitted(decisions, known, outcome.to_numpy()).difference(known) <= SLACK


EVERYTHING: dict[str, Kind] = {
    "age": WholeNumber(kind="whole_number", min=18, max=79),
    "weight": Number(kind="number", min=30, max=160, decimals=1, nullable=True),
    "smoker": YesNo(kind="yes_no", nullable=True),
    "drinker": YesNo(kind="yes_no"),
    "dose": Level(kind="level", values=(0.1, 0.25, 50)),
    "arm": Category(kind="category", values=("a", "never seen", "b"), nullable=True),
    "enrolled": Date(kind="date", since="2000-01-01", min="1990-01-01", max="2030-01-01"),
}


def patients(number: int, **more: Kind) -> pd.DataFrame:
    """Rows of a study of every kind, and of as many other numbers as are named."""
    generator = np.random.default_rng(number)
    rows = pd.DataFrame(
        {
            "age": generator.integers(18, 80, number),
            "weight": np.round(generator.uniform(30, 160, number), 1),
            "smoker": generator.choice([0.0, 1.0, np.nan], number),
            "drinker": generator.integers(0, 2, number),
            "dose": generator.choice([0.1, 0.25, 50], number),
            "enrolled": generator.integers(-3650, 10_000, number),
            **{name: np.round(generator.uniform(0, 9, number), 1) for name in more},
            "arm": generator.choice(["a", "b", ""], number).astype(object),
        }
    )
    rows.loc[generator.random(number) < 0.2, "weight"] = np.nan
    return rows


def as_requests(rows: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in rows.to_dict("records")]


def outcome_of(rows: pd.DataFrame) -> Floats:
    scores = (
        rows["age"] / 20 + 2 * (rows["arm"] == "a") + np.nan_to_num(rows["weight"], nan=90) / 50
    )
    found: Floats = scores.to_numpy()
    return found


@ALL
def test_every_kind_of_column_is_scored_alike_and_a_category_that_training_lacked_too(
    decided: Model,
) -> None:
    found = fitted(study_of(decided, **EVERYTHING), patients(300), outcome_of(patients(300)))
    asked = patients(500)
    asked.loc[::3, "arm"] = "never seen"
    asked.loc[::5, "smoker"] = np.nan

    assert found.difference(asked) <= SLACK


@ALL
@pytest.mark.parametrize("others", [0, EXACT_FEATURES])
def test_contributions_add_up_to_the_score(decided: Model, others: int) -> None:
    """Exactly for few features, and by permutations for many."""
    dose = Number(kind="number", min=0, max=9, decimals=1)
    more: dict[str, Kind] = {f"n{number}": dose for number in range(others)}
    decisions = study_of(decided, **EVERYTHING, **more)
    known = patients(200, **more)
    found = fitted(decisions, known, outcome_of(known))
    scorer = Scorer(found.graph)
    rows = as_requests(known)
    explainer = Explainer(scorer, rows[:16], list(decisions.features))

    for row in rows[20:23]:
        explained = explainer.explain(row)

        (score,) = scorer.predict([row])
        whole = explained.base_value + sum(explained.contributions.values())
        assert whole == pytest.approx(score, abs=SLACK * decisions.width)
        assert (explained.standard_errors is None) == (not others)


# ---- What is particular to a family ----


def test_a_ridges_contributions_are_its_coefficients_times_the_distance_from_the_mean() -> None:
    """Of a linear model, Shapley values are known in advance."""
    dose = Number(kind="number", min=0, max=9, decimals=1)
    decisions = study_of(RIDGE, dose=dose, other=dose)
    generator = np.random.default_rng(4)
    known = pd.DataFrame(np.round(generator.uniform(0, 9, (200, 2)), 1), columns=["dose", "other"])
    found = fitted(decisions, known, 3 * known["dose"].to_numpy() - known["other"].to_numpy())
    slopes = found.regressor["ridge"].coef_ / found.regressor["scale"].scale_
    background = known.head(32)
    explainer = Explainer(Scorer(found.graph), as_requests(background), ["dose", "other"])

    explained = explainer.explain({"dose": 7.5, "other": 0.3})

    distances = np.array([7.5, 0.3]) - background.astype(np.float32).mean().to_numpy()
    assert list(explained.contributions.values()) == pytest.approx(slopes * distances, abs=1e-5)


@pytest.mark.parametrize(
    "column",
    [[np.nan] * 60, [3.0] * 60, [1e12] * 60, [0.1] * 60, [np.nan] * 59 + [1.0]],
    ids=["nothing", "constant", "huge", "no float32", "once"],
)
@ALL
def test_a_column_that_says_nothing_breaks_nothing(decided: Model, column: list[float]) -> None:
    dose = Number(kind="number", min=0, max=1e12, decimals=1, nullable=True)
    alone, beside = study_of(decided, dose=dose), study_of(decided, dose=dose, other=dose)
    known = pd.DataFrame({"dose": column, "other": np.arange(60.0)})
    outcome = np.arange(60.0) / 6

    for decisions, names in ((alone, ["dose"]), (beside, ["dose", "other"])):
        found = fitted(decisions, known[names], outcome)

        asked = pd.DataFrame({"dose": [np.nan, 0.0, 1e12, *column], "other": 5.0})[names]
        assert np.isfinite(found.model.predict(asked)).all()
        assert found.difference(asked.iloc[3:]) <= SLACK
        scale = max(1.0, float(np.abs(found.model.predict(asked)).max()) / decisions.width)
        assert found.difference(asked) <= SLACK * scale


def test_models_are_as_complex_as_they_have_leaves_or_coefficients() -> None:
    dose = Number(kind="number", min=0, max=9, decimals=1, nullable=True)
    words = Category(kind="category", values=("a", "b", "c"))
    known = pd.DataFrame({"dose": [1.0, np.nan, 3.0, 4.0] * 20, "words": ["a", "b"] * 40})
    outcome = np.arange(80.0)

    def complexity(decided: Model) -> int:
        found = fitted(study_of(decided, dose=dose, words=words), known, outcome)
        return found.family.fitted_values(found.regressor)

    stumps = FOREST.model_copy(update={"max_depth": 1, "n_estimators": 7})
    assert complexity(stumps) == 7 * 2
    assert complexity(BOOSTING.model_copy(update={"max_leaf_nodes": 3, "max_iter": 5})) == 5 * 3
    assert complexity(RIDGE) == 3 + 1 + 1 + 1  # words, dose, that it is missing, the intercept


def test_boosting_keeps_its_digits_where_scores_are_far_from_0() -> None:
    """A float32 has seven digits: 1,000,000 and something has none left for what is behind it."""
    dose = Number(kind="number", min=0, max=9, decimals=1)
    decisions = study_of(BOOSTING, dose=dose)
    known = pd.DataFrame({"dose": np.round(np.linspace(0, 9, 200), 1)})

    found = fitted(decisions, known, 1e6 + known["dose"].to_numpy())

    assert found.difference(known) <= SLACK


@ALL
def test_fitting_twice_makes_the_same_bytes(decided: Model) -> None:
    decisions = study_of(decided, **EVERYTHING)
    known = patients(300)

    one, other = (fitted(decisions, known, outcome_of(known)) for _ in range(2))

    assert one.graph == other.graph


@ALL
def test_a_pickled_model_needs_no_code_of_ours(decided: Model) -> None:
    known = patients(100)
    found = fitted(study_of(decided, **EVERYTHING), known, outcome_of(known))

    strings = {str(said) for _, said, _ in pickletools.genops(dumped(found.model)) if said}

    ours = {"families", "encoding", "graph", "export", "folds", "clinical"}
    assert not strings & ours
    assert any("sklearn" in one for one in strings)


def test_what_an_earlier_release_wrote_of_a_forest_is_read_as_one() -> None:
    written = FOREST.model_dump(exclude={"family"})

    read = TuningCandidate.model_validate({"hyperparameters": written, "rmse": 1.5})

    assert read.hyperparameters == FOREST
