"""Predictions of synthetic patients, and what a version's data were like, without a model."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from clinical.captured import Captured
from clinical.params import Params, params
from clinical.population import LeftOut, Population
from levels import levels_of_scores
from retrain.population import feature_levels

from data.generate import as_csv, patients
from tests.pipeline import rows_of

VERSION = "v-00000001"
BEGAN = datetime(2026, 10, 1, tzinfo=UTC)


def watching(**changed: Any) -> Params:
    """The decisions, with some of monitoring's changed."""
    decisions = params()
    monitoring = decisions.monitoring.model_copy(update=changed)
    return decisions.model_copy(update={"monitoring": monitoring})


def captured(number: int, features: dict[str, Any], score: float = 6.0, **of: Any) -> Captured:
    """A prediction of the version, a minute after the one before."""
    given = {
        "prediction_id": f"{number:032x}",
        "predicted_at": BEGAN + timedelta(minutes=number),
        "source": "predict",
        "model_version": VERSION,
        "low": score - 1.2,
        "high": score + 1.2,
        "coverage": 0.9,
    }
    return Captured(**{**given, **of}, features=features, score=score)


def predictions(rows: int, seed: int = 7, score: float | None = None) -> list[Captured]:
    """Predictions of so many patients, with their own scores for a model's."""
    return [
        captured(
            number,
            {name: one[name] for name in params().features},
            one["Improvement_Score"] if score is None else score,
        )
        for number, one in enumerate(patients(rows, seed))
    ]


def told_otherwise(one: Captured, **features: Any) -> Captured:
    return replace(one, features={**one.features, **features})


def population(
    rows: int = 1000, seed: int = 1, decisions: Params | None = None, pairs: int = 800
) -> Population:
    """What the data of the version were like; its scores are the patients' own."""
    decisions = decisions or params()
    drawn = patients(rows, seed)
    table = rows_of(as_csv(drawn), decisions)
    scores = np.array([one["Improvement_Score"] for one in drawn[: max(rows // 5, 1)]], float)
    noise = np.random.default_rng(seed).normal(0, 0.7, pairs)
    recorded = np.array([one["Improvement_Score"] for one in patients(pairs, seed + 1)], float)
    return Population(
        rows=rows,
        average=6.0,
        features=tuple(feature_levels(name, (table,), decisions) for name in decisions.features),
        scores=(levels_of_scores(decisions.target.column, scores, 2),),
        score_mean=float(scores.mean()),
        score_variance=float(scores.var()),
        left_out=(
            LeftOut(
                predicted=tuple((recorded - noise).tolist()), recorded=tuple(recorded.tolist())
            ),
        ),
    )


def ids(some: Sequence[Captured]) -> list[str]:
    return [one.prediction_id for one in some]
