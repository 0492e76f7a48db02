import csv
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shap
from clinical.params import params
from clinical.registry import MODEL, REFERENCE
from model.explanation import Explainer, shapley_weights
from model.scorer import Columns, Scorer, Scores

from tests.unit.conftest import Candidate

FEATURES = params().features.names

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
    """Ten patients of the sample."""
    with sample.open(newline="") as file:
        recorded = list(csv.DictReader(file))
    numeric = params().features.numeric
    return [
        {name: int(row[name]) if name in numeric else row[name] for name in FEATURES}
        for row in random.Random(7).sample(recorded, 10)  # noqa: S311 - which patients is no secret
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


def test_an_explanation_is_one_call_of_the_model(
    scorer: Scorer, background: list[Row], rows: list[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    score = scorer.score

    def counted(columns: Columns) -> Scores:
        calls.append(len(columns["Age"]))
        return score(columns)

    monkeypatch.setattr(scorer, "score", counted)

    Explainer(scorer, background, FEATURES).explain(rows[0])

    (scored,) = calls
    assert scored < 2 ** len(FEATURES) * len(background)  # what is equal is scored once


def test_the_weights_of_two_features_are_the_textbooks() -> None:
    nothing, first, second, both = range(4)

    weights = shapley_weights(2)

    for one, other, row in ((first, second, weights[0]), (second, first, weights[1])):
        assert row[one] == 0.5
        assert row[nothing] == -0.5
        assert row[both] == 0.5
        assert row[other] == -0.5
