from collections.abc import Callable
from typing import Any

import pytest
from clinical.artefacts import Bucket, read_verified
from clinical.card import LearningCurve
from clinical.errors import ArtefactCorrupted, VersionUnknown
from clinical.registry import LEARNING_CURVE, Registry
from retrain.stages.annotate import annotate
from retrain.state import Annotated, Measured

from tests.pipeline import measure, ran
from tests.unit.pipeline.conftest import Retrained

pytestmark = pytest.mark.usefixtures("few_trees")

type Retrain = Callable[..., dict[str, Any]]
type Upload = Callable[[bytes], str]


@pytest.fixture
def came_to(retrained: Retrained, sample_bytes: bytes) -> dict[str, Any]:
    first = retrained(sample_bytes)
    return first | measure("one", first)


def test_the_version_has_the_curve_that_was_measured(
    registry: Registry, bucket: Bucket, came_to: dict[str, Any]
) -> None:
    version = came_to["nominated"]["version"]
    curve = registry.annex(version, LEARNING_CURVE, LearningCurve)

    measured = read_verified(bucket, Measured.model_validate(came_to["measured"]).curve)
    assert curve == LearningCurve.model_validate_json(measured)
    annotated = Annotated.model_validate(came_to["annotated"])
    assert annotated.version == version
    assert annotated.learning_curve.key == f"models/{version}/learning_curve.json"
    assert read_verified(bucket, annotated.learning_curve)


def test_a_version_that_is_made_again_keeps_its_first_curve(
    registry: Registry, bucket: Bucket, retrain: Retrain, came_to: dict[str, Any]
) -> None:
    first = bucket.get(came_to["annotated"]["learning_curve"]["key"])

    again = measure("two", retrain("two"))

    assert again["annotated"] == came_to["annotated"]
    assert bucket.get(first_key := came_to["annotated"]["learning_curve"]["key"]) == first
    assert first_key.endswith(LEARNING_CURVE)


def test_a_version_that_nobody_published_gets_none(came_to: dict[str, Any]) -> None:
    handler: Callable[..., dict[str, Any]] = annotate
    inputs = {"measured": came_to["measured"], "published": {"version": "v-00000000"}}

    with pytest.raises(VersionUnknown):
        ran(handler, "one", inputs)


def test_a_curve_with_other_bytes_is_refused(bucket: Bucket, came_to: dict[str, Any]) -> None:
    bucket.put(came_to["measured"]["curve"]["key"], b"{}")

    with pytest.raises(ArtefactCorrupted):
        ran(annotate, "one", {name: came_to[name] for name in ("measured", "published")})
