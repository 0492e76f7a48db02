from collections.abc import Callable
from typing import Any

import pytest
from card import markdown
from clinical.artefacts import Bucket
from clinical.card import Card, Tuning, TuningCandidate
from clinical.params import params

pytestmark = pytest.mark.usefixtures("few_trees")

type Retrain = Callable[[str], dict[str, Any]]
type Upload = Callable[[bytes], str]


@pytest.fixture
def card(bucket: Bucket, upload: Upload, retrain: Retrain, sample_bytes: bytes) -> Card:
    upload(sample_bytes)
    version = retrain("one")["published"]["version"]
    return Card.model_validate_json(bucket.get(f"models/{version}/one/card.json").body)


def test_a_card_says_what_the_model_was_made_of(card: Card) -> None:
    assert card.data.rows == 1000
    assert card.data.training_rows == 800
    assert card.data.combinations == 225
    assert card.training.seed == params().seed
    assert card.training.cross_validation_r2 == pytest.approx(0.7, abs=0.1)
    assert card.lineage.execution == "one"
    assert card.lineage.stages["validate"].wrote["dataset"] == card.data.sha256


def test_the_card_is_readable_as_markdown(card: Card) -> None:
    text = markdown(card)

    for reason in card.verdict.reasons:
        assert f"- {reason}" in text
    for group in card.subgroups:
        assert f"| {group.feature} | {group.group} | {group.rows} |" in text
    for name in params().features.names:
        assert f"| {name} | " in text
    assert card.data.sha256 in text
    assert "does not beat" not in text


def test_the_same_card_is_beside_it_in_the_registry(card: Card, bucket: Bucket) -> None:
    stored = bucket.get(f"models/{card.model_version}/one/card.md").body.decode()

    assert stored == markdown(card)


def test_a_tuning_is_told_with_its_failures(card: Card) -> None:
    tuning = Tuning(
        grid="small",
        limit=1.25,
        candidates=(
            TuningCandidate(
                hyperparameters=params().model,
                rmse=1.2,
                standard_error=0.05,
                leaves=1234,
                best=True,
                chosen=True,
            ),
            TuningCandidate(hyperparameters=params().model, error="States.Timeout"),
        ),
    )
    training = card.training.model_copy(update={"tuning": tuning})

    text = markdown(card.model_copy(update={"training": training}))

    assert "| 1.2000 | 0.0500 | 1,234 | best, chosen |" in text
    assert "| States.Timeout |" in text
