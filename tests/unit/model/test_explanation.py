import csv
import itertools
import json
import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clinical.params import params
from clinical.registry import MODEL, REFERENCE
from hypothesis import given
from hypothesis import strategies as st
from model import explanation
from model.explanation import Explainer, column_of, first_alike, shapley_weights
from model.scorer import Columns, Scorer, Scores

from tests.unit.conftest import Candidate

FEATURES = tuple(params().features)

type Row = dict[str, Any]


@pytest.fixture(scope="module")
def scorer(candidate: Candidate) -> Scorer:
    return Scorer(candidate.files[MODEL])


@pytest.fixture(scope="module")
def background(candidate: Candidate) -> list[Row]:
    rows: list[Row] = json.loads(candidate.files[REFERENCE])["background"]
    return rows


@pytest.fixture(scope="module")
def rows(sample: Path) -> list[Row]:
    """Forty patients of the sample."""
    with sample.open(newline="") as file:
        recorded = list(csv.DictReader(file))
    numeric = {name for name, kind in params().features.items() if kind.is_number}
    return [
        {name: int(row[name]) if name in numeric else row[name] for name in FEATURES}
        for row in random.Random(7).sample(recorded, 40)  # noqa: S311 - which patients is no secret
    ]


def test_contributions_add_up_to_the_score(
    scorer: Scorer, background: list[Row], rows: list[Row]
) -> None:
    explainer = Explainer(scorer, background, FEATURES)
    mean = scorer.predict(background).mean()

    for row in rows:
        explanation = explainer.explain(row)

        assert explanation.base_value == pytest.approx(mean, abs=1e-9)
        (score,) = scorer.predict([row])
        assert sum(explanation.contributions.values()) == pytest.approx(score - mean, abs=1e-4)


def test_contributions_are_those_of_shap(
    scorer: Scorer, background: list[Row], rows: list[Row]
) -> None:
    """Shap takes numbers only, so that it gets each category as its number."""
    values = {name: sorted({row[name] for row in (*background, *rows)}) for name in FEATURES}

    def encoded(some: list[Row]) -> np.ndarray[Any, Any]:
        return np.array([[values[name].index(row[name]) for name in FEATURES] for row in some])

    def score(coded: np.ndarray[Any, Any]) -> Scores:
        return scorer.predict(
            [
                {name: values[name][int(code)] for name, code in zip(FEATURES, row, strict=True)}
                for row in coded
            ]
        )

    import shap  # noqa: PLC0415 - a second, which no other test needs

    masker = shap.maskers.Independent(encoded(background), max_samples=len(background))
    exact = shap.explainers.ExactExplainer(score, masker)
    explainer = Explainer(scorer, background, FEATURES)

    expected = exact(encoded(rows[:4]))

    for row, theirs, base in zip(rows, expected.values, expected.base_values, strict=False):
        explanation = explainer.explain(row)
        assert list(explanation.contributions.values()) == pytest.approx(theirs.tolist(), abs=1e-4)
        assert explanation.base_value == pytest.approx(base, abs=1e-4)


def test_what_does_not_differ_contributes_nothing(scorer: Scorer, background: list[Row]) -> None:
    row = background[0]

    explanation = Explainer(scorer, [row, row], FEATURES).explain(row)

    assert list(explanation.contributions.values()) == pytest.approx([0.0] * 7, abs=1e-12)
    assert explanation.base_value == scorer.predict([row])[0]


def test_a_single_feature_that_differs_contributes_all(
    scorer: Scorer, background: list[Row]
) -> None:
    before = background[0]
    days = 59 if before["Treatment_Duration_days"] < 32 else 5
    after = {**before, "Treatment_Duration_days": days}

    contributions = Explainer(scorer, [before], FEATURES).explain(after).contributions

    difference = scorer.predict([after])[0] - scorer.predict([before])[0]
    assert difference != 0
    assert contributions.pop("Treatment_Duration_days") == pytest.approx(difference, abs=1e-9)
    assert list(contributions.values()) == pytest.approx([0.0] * 6, abs=1e-12)


def test_an_explanation_is_one_call_of_onnx_runtime(
    scorer: Scorer, background: list[Row], rows: list[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = counting(scorer, monkeypatch, "_run")

    Explainer(scorer, background, FEATURES).explain(rows[0])

    (scored,) = calls
    assert scored < 2 ** len(FEATURES) * len(background)  # what is equal is scored once


def counting(
    scorer: Scorer, monkeypatch: pytest.MonkeyPatch, method: str = "score_in_order"
) -> list[int]:
    """Note how many rows are scored at each call of a method."""
    calls: list[int] = []
    score = getattr(scorer, method)

    def counted(columns: Columns) -> Scores:
        calls.append(len(columns["Age"]))
        scores: Scores = score(columns)
        return scores

    monkeypatch.setattr(scorer, method, counted)
    return calls


def test_the_same_row_is_explained_again_without_scoring(
    scorer: Scorer, background: list[Row], rows: list[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    explainer = Explainer(scorer, background, FEATURES)
    calls = counting(scorer, monkeypatch)

    first, again = explainer.explain(rows[0]), explainer.explain({**rows[0]})

    assert first == again
    assert len(calls) == 1


def test_what_other_rows_share_is_scored_once_and_changes_no_digit(
    scorer: Scorer, background: list[Row], rows: list[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    explainer = Explainer(scorer, background, FEATURES)
    older = {**rows[0], "Age": 79 if rows[0]["Age"] < 79 else 18}
    alone = [Explainer(scorer, background, FEATURES).explain(row) for row in (older, *rows[1:6])]
    explainer.explain(rows[0])
    calls = counting(scorer, monkeypatch)

    found = [explainer.explain(row) for row in (older, *rows[1:6])]

    assert found == alone
    first = Explainer(scorer, background, FEATURES)
    first.explain(older)
    assert calls[0] < 0.6 * calls[-1]  # half of all coalitions have no age


def test_no_more_is_kept_than_there_is_room_for(
    scorer: Scorer, background: list[Row], rows: list[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explanation, "MOST_KEPT", 200)
    explainer = Explainer(scorer, background, FEATURES)
    expected = [Explainer(scorer, background, FEATURES).explain(row) for row in rows[:4]]

    found = []
    for row in rows[:4]:
        found.append(explainer.explain(row))
        assert len(explainer._kept) <= 200

    assert found == expected


VALUES = {
    "words": st.sampled_from(["a", "b", ""]),
    "whole": st.integers(0, 2),
    "number": st.sampled_from([0.5, 1.5, math.nan]),
    "more": st.integers(0, 1),
}


@given(st.lists(st.tuples(*VALUES.values()), min_size=1, max_size=8))
def test_rows_are_alike_that_differ_in_nothing_but_a_coalitions_features(
    rows: list[tuple[Any, ...]],
) -> None:
    first = first_alike([column_of(values) for values in zip(*rows, strict=True)])

    for coalition, row in itertools.product(range(2 ** len(VALUES)), range(len(rows))):
        rest = [
            [str(one[bit]) for bit in range(len(VALUES)) if not coalition >> bit & 1]
            for one in rows
        ]
        assert first[coalition, row] == rest.index(rest[row])


def by_definition(model: Scorer, background: list[Row], row: Row) -> dict[str, float]:
    """The mean over all orders of what a feature adds to the mean score of the background."""
    worth: dict[frozenset[str], float] = {}
    for size in range(len(row) + 1):
        for taken in itertools.combinations(row, size):
            mixed = [{**other, **{name: row[name] for name in taken}} for other in background]
            columns = {name: column_of([one[name] for one in mixed]) for name in row}
            worth[frozenset(taken)] = float(model.score_in_order(columns).mean())
    orders = [*itertools.permutations(row)]
    added = dict.fromkeys(row, 0.0)
    for order in orders:
        for place, name in enumerate(order):
            before = frozenset(order[:place])
            added[name] += (worth[before | {name}] - worth[before]) / len(orders)
    return added


def test_contributions_are_shapleys_by_their_definition() -> None:
    """Of rows that repeat each other, words and missing numbers included."""
    repeated = [{**row, "n1": round(row["n1"])} for row in drawn(12, 4, seed=4)]
    background, rows = [*repeated[:6], *repeated[:3]], repeated[6:]
    model = ManyFeatures()
    explainer = Explainer(model, background, list(rows[0]))

    for row in rows:
        found = explainer.explain(row)

        assert found.contributions == pytest.approx(by_definition(model, background, row), abs=1e-9)


class KnownModel(Scorer):
    """2a + bc, for whatever d: a model that can be explained by hand."""

    def __init__(self) -> None:
        """Need no graph."""

    def score_in_order(self, columns: Columns) -> Scores:
        a, b, c = (columns[name].astype(np.float64) for name in "abc")
        scores: Scores = 2 * a + b * c
        return scores


NOTHING: Row = {"a": 0, "b": 0, "c": 0, "d": 0}
SOME: Row = {"a": 1, "b": 1, "c": 0, "d": 5}
ALL: Row = {"a": 1, "b": 1, "c": 1, "d": 1}


@pytest.mark.parametrize(
    ("background", "base_value", "contributions"),
    [
        # b and c are worth 1 only together, so each gets half; d is ignored.
        ([NOTHING], 0, {"a": 2, "b": 0.5, "c": 0.5, "d": 0}),
        # a and b are as they were; c makes the product.
        ([SOME], 2, {"a": 0, "b": 0, "c": 1, "d": 0}),
        # Against two rows: the mean of both.
        ([NOTHING, SOME], 1, {"a": 1, "b": 0.25, "c": 0.75, "d": 0}),
    ],
)
def test_a_known_model_is_explained_as_by_hand(
    background: list[Row], base_value: float, contributions: dict[str, float]
) -> None:
    explanation = Explainer(KnownModel(), background, "abcd").explain(ALL)

    assert explanation.base_value == base_value
    assert explanation.contributions == pytest.approx(contributions, abs=1e-12)


def test_contributions_are_in_the_order_of_the_features() -> None:
    explanation = Explainer(KnownModel(), [NOTHING], "dcba").explain(ALL)

    assert list(explanation.contributions) == ["d", "c", "b", "a"]
    assert explanation.contributions["a"] == pytest.approx(2)


def test_the_weights_of_two_features_are_the_textbooks() -> None:
    # The coalitions: of nobody, of the first, of the second, of both.
    assert shapley_weights(2).tolist() == [
        [-0.5, 0.5, -0.5, 0.5],
        [-0.5, -0.5, 0.5, 0.5],
    ]


@pytest.mark.parametrize("features", [1, 3, 7])
def test_weights_share_out_all_that_the_features_add_and_nothing_else(features: int) -> None:
    everybody = 2**features - 1

    weights = shapley_weights(features)

    shared_out = np.zeros(2**features)
    shared_out[0], shared_out[everybody] = -1, 1
    assert weights.sum(axis=0) == pytest.approx(shared_out, abs=1e-12)
    assert weights.sum(axis=1) == pytest.approx(np.zeros(features), abs=1e-12)


class ManyFeatures(Scorer):
    """A model with interactions of numbers, of which some may be missing, and a word."""

    def __init__(self) -> None:
        """Need no graph."""

    def score_in_order(self, columns: Columns) -> Scores:
        numbers = {
            name: np.nan_to_num(columns[name].astype(np.float64), nan=-1.0)
            for name in columns
            if name != "word"
        }
        is_b = columns["word"] == "b"
        scores: Scores = 5 * is_b * numbers["n1"] * numbers["n3"] + sum(numbers.values())
        return scores + 3 * numbers["n0"] * (numbers["n2"] > 0) * (numbers["n3"] < 1)


def drawn(number: int, numbers: int, seed: int) -> list[Row]:
    """Rows of so many numbers, a fifth of them missing, and of a word."""
    random = np.random.default_rng(seed)
    return [
        {
            **{
                f"n{n}": float("nan") if random.random() < 0.2 else random.normal()
                for n in range(numbers)
            },
            "word": str(random.choice(["a", "b", ""])),
        }
        for _ in range(number)
    ]


@pytest.fixture
def by_permutations(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if there were too many features to score every coalition."""
    monkeypatch.setattr(explanation, "EXACT_FEATURES", 0)


def test_ten_features_are_explained_exactly_and_eleven_by_permutations() -> None:
    for numbers, is_exact in ((9, True), (10, False)):
        rows = drawn(3, numbers, seed=1)
        found = Explainer(ManyFeatures(), rows[1:], list(rows[0])).explain(rows[0])

        assert (found.standard_errors is None) is is_exact
        assert set(found.contributions) == {*rows[0]}


def test_estimated_contributions_add_up_to_the_score_too() -> None:
    rows = drawn(30, 18, seed=2)
    model = ManyFeatures()
    explainer = Explainer(model, rows[10:], list(rows[0]))

    for row in rows[:10]:
        found = explainer.explain(row)

        (score,) = model.score_in_order({name: np.array([value]) for name, value in row.items()})
        assert sum(found.contributions.values()) == pytest.approx(score - found.base_value)
        assert found == explainer.explain(row)  # the same row, the same answer


@pytest.mark.usefixtures("by_permutations")
def test_estimates_are_within_what_their_standard_errors_say(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of the exact values of 100 rows, about 95% lie within 1.96 standard errors."""
    rows = drawn(120, 5, seed=3)
    background, names = rows[100:], list(rows[0])
    estimated = [Explainer(ManyFeatures(), background, names).explain(row) for row in rows[:100]]
    monkeypatch.setattr(explanation, "EXACT_FEATURES", 10)
    exact = Explainer(ManyFeatures(), background, names)

    off = []
    for row, found in zip(rows[:100], estimated, strict=True):
        expected = exact.explain(row)
        assert found.standard_errors is not None
        assert found.base_value == pytest.approx(expected.base_value)
        for name in names:
            difference = abs(found.contributions[name] - expected.contributions[name])
            error = found.standard_errors[name]
            assert difference <= 6 * error + 1e-9, name
            if error > 1e-9:
                off.append(difference / error)

    assert len(off) > 100
    assert 0.88 <= np.mean(np.array(off) <= 1.96) <= 0.995


@pytest.mark.usefixtures("by_permutations")
def test_what_adds_or_works_in_pairs_has_no_error_for_each_order_has_its_reverse() -> None:
    found = Explainer(KnownModel(), [NOTHING, SOME], "abcd").explain(ALL)

    assert found.standard_errors == pytest.approx(dict.fromkeys("abcd", 0), abs=1e-9)
    assert found.contributions == pytest.approx({"a": 1, "b": 0.25, "c": 0.75, "d": 0}, abs=1e-9)


def test_what_is_missing_in_both_contributes_nothing() -> None:
    row: Row = {"n0": float("nan"), "n1": 1.0, "n2": 0.5, "n3": 2.0, "word": "a"}

    found = Explainer(ManyFeatures(), [{**row, "n1": 3.0}], list(row)).explain(row)

    assert found.contributions == pytest.approx(
        {"n0": 0, "n1": -2, "n2": 0, "n3": 0, "word": 0}, abs=1e-9
    )
