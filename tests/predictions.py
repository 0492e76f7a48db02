"""Predictions as they are captured, made up."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from clinical.captured import Captured, new_ids
from clinical.kinds import Value

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def predictions(
    number: int,
    first: datetime = NOON,
    step: float = 3600,
    features: Mapping[str, Value] = MappingProxyType({}),
) -> list[Captured]:
    """Make so many predictions, so many seconds apart.

    features: beside those that each has, or in their place.
    """
    return [
        Captured(
            prediction_id=one,
            predicted_at=first + timedelta(seconds=step * place),
            source="predict",
            model_version="v-00000000",
            features={"Age": 20 + place % 50, "Gender": "Female", **features},
            score=6.5,
            low=4.0,
            high=8.25,
            coverage=0.9,
            explained=place % 2 == 0,
        )
        for place, one in enumerate(new_ids(number))
    ]
