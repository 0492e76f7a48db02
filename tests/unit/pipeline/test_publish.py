import json
from collections.abc import Callable
from typing import Any

import pytest
import stage
from clinical.artefacts import Bucket, read_verified
from clinical.card import Card
from clinical.params import params
from clinical.registry import TRAINING_ROWS, Registry, Version
from clinical.report import render
from clinical.upload import Upload as MadeOf
from retrain.stages.publish import publish
from rows import Rows

from events.generate import inputs_of
from tests.pipeline import Context
from tests.unit.conftest import smaller, tuning_of
from tests.unit.pipeline.conftest import Retrained

pytestmark = pytest.mark.usefixtures("few_trees")

type Retrain = Callable[..., dict[str, Any]]
type Upload = Callable[[bytes], str]

OF_THE_VERSION = {"model.onnx", "model.joblib", "reference.json", TRAINING_ROWS}
OF_THE_EXECUTION = {"evaluation.json", "lineage.json", "card.json", "card.md", "report.html"}


@pytest.fixture
def came_to(retrained: Retrained, sample_bytes: bytes) -> dict[str, Any]:
    return retrained(sample_bytes)


def published(registry: Registry, came_to: dict[str, Any]) -> Version:
    version = registry.version(came_to["nominated"]["version"])
    assert version is not None
    return version


def test_the_published_version_has_all_that_made_it(
    registry: Registry, came_to: dict[str, Any]
) -> None:
    version = published(registry, came_to)

    folder = f"models/{version.version}"
    assert {name: file.key for name, file in version.files.items()} == {
        **{name: f"{folder}/{name}" for name in OF_THE_VERSION},
        **{name: f"{folder}/one/{name}" for name in OF_THE_EXECUTION},
    }
    assert registry.verified(version.version) == version
    assert version.model.sha256 == came_to["trained"]["onnx"]["sha256"]
    assert version.reference.sha256 == came_to["trained"]["reference"]["sha256"]
    assert version.execution == "one"
    assert version.verdict.model_dump(mode="json") == came_to["evaluated"]["verdict"]


def test_a_version_names_the_rows_that_it_was_trained_on(
    registry: Registry, bucket: Bucket, came_to: dict[str, Any]
) -> None:
    named = json.loads(read_verified(bucket, published(registry, came_to).training_rows))

    training, held_out = (
        Rows(bucket.get(came_to["preprocessed"][part]["key"]).body, params())
        for part in ("training", "held_out")
    )
    names = sorted(training.columns)
    assert list(named["columns"]) == names
    assert named["digests"] == sorted(training.digests(names))
    assert set(named["digests"]).isdisjoint(held_out.digests(names))


def test_publishing_promotes_nothing(registry: Registry, came_to: dict[str, Any]) -> None:
    before = registry.champion()
    handler: Callable[..., dict[str, Any]] = publish
    inputs = inputs_of("publish")
    event = {"execution": "one", **{name: came_to[name] for name in inputs}}

    again = handler(event, Context())

    assert again == came_to["nominated"]
    assert registry.champion() == before


def test_another_execution_that_made_the_same_model_publishes_nothing_new(
    registry: Registry, retrain: Retrain, came_to: dict[str, Any], bucket: Bucket
) -> None:
    first = published(registry, came_to)
    before = bucket.keys(f"models/{first.version}/", "")

    second = retrain("two")

    assert second["nominated"]["version"] == first.version
    assert published(registry, second) == first
    assert bucket.keys(f"models/{first.version}/", "") == before


def test_a_tuned_version_has_its_tuning_in_its_card(
    registry: Registry,
    bucket: Bucket,
    upload: Upload,
    retrain: Retrain,
    sample_bytes: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    decisions = tuning_of(params(), n_estimators=(2,), max_depth=(1, 2), min_samples_leaf=(2,))
    monkeypatch.setattr(stage, "params", lambda: decisions)
    upload(sample_bytes)

    came_to = retrain("tuned", {"tune": True})

    card = Card.model_validate_json(read_verified(bucket, published(registry, came_to).card))
    assert card.training.tuning is not None
    assert len(card.training.tuning.candidates) == 2
    (taken,) = [one for one in card.training.tuning.candidates if one.chosen]
    assert taken.hyperparameters == card.training.hyperparameters
    assert taken.hyperparameters.model_dump()["n_estimators"] == 2


def test_without_a_tuning_the_card_has_none(
    registry: Registry, bucket: Bucket, came_to: dict[str, Any]
) -> None:
    card = Card.model_validate_json(read_verified(bucket, published(registry, came_to).card))

    assert card.training.tuning is None
    assert card.training.hyperparameters == smaller(params(), trees=5).model


def test_the_report_beside_the_card_is_of_that_card(
    registry: Registry, bucket: Bucket, came_to: dict[str, Any]
) -> None:
    version = published(registry, came_to)
    card = Card.model_validate_json(read_verified(bucket, version.card))

    page = read_verified(bucket, version.files["report.html"]).decode()

    assert page == render(card, params())


def test_the_nomination_says_who_why_and_over_which_champion(
    retrain: Retrain, came_to: dict[str, Any]
) -> None:
    first = came_to["nominated"]
    by_somebody = retrain("two", {"who": "ada", "reason": "She knows."})["nominated"]

    assert (first["who"], first["over"]) == ("execution one", 0)
    assert first["why"].startswith("It beats the average baseline")
    assert first["upload"] == came_to["admitted"]["upload"]
    assert (by_somebody["who"], by_somebody["why"]) == ("ada", "She knows.")
    assert by_somebody["over"] == 1


def test_a_version_remembers_whose_rows_it_was_trained_on(
    registry: Registry, came_to: dict[str, Any]
) -> None:
    version = published(registry, came_to)

    assert version.upload == MadeOf.model_validate(came_to["admitted"]["upload"])
