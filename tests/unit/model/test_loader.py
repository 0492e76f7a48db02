from collections.abc import Callable
from dataclasses import replace
from typing import Any, Never

import numpy as np
import obstore
import pytest
from clinical.card import LearningCurve, LearningPoint
from clinical.errors import ArtefactCorrupted, ArtefactMissing
from clinical.monitored import MONITORING, Monitoring
from clinical.obstore_bucket import ObstoreBucket
from clinical.params import params
from clinical.registry import (
    CARD,
    LEARNING_CURVE,
    MODEL,
    REFERENCE,
    Champion,
    Promotion,
    Registry,
    Version,
)
from clinical.verdict import Estimate, Verdict
from model import loader
from model.loader import LEDGER_ENTRIES, Model, load
from model.scorer import Columns, Scores

from tests.monitored import a_life
from tests.unit.conftest import NOW, PROMOTION, Candidate

type Promote = Callable[[Candidate], Champion]


@pytest.fixture
def bucket(store: ObstoreBucket) -> ObstoreBucket:
    """Models are published to where they serve from."""
    return store


@pytest.fixture
def champion(candidate: Candidate, promote: Promote) -> Champion:
    return promote(candidate)


@pytest.fixture
def model(bucket: ObstoreBucket, champion: Champion) -> Model:
    return load(bucket, champion)


@pytest.fixture
def features(patient: dict[str, object]) -> dict[str, Any]:
    return {name: patient[name] for name in params().features}


def test_a_champion_scores_rows_with_interval_and_support(
    model: Model, features: dict[str, Any]
) -> None:
    older = features | {"Age": 79}

    first, second = model.predict([features, older])

    raw = model.scorer.predict([features, older])
    assert [first.score, second.score] == [round(score, 2) for score in raw.tolist()]
    half_width = model.reference.interval.half_width
    for one, score in ((first, raw[0]), (second, raw[1])):
        assert one.low == pytest.approx(score - half_width, abs=0.01)
        assert one.high == pytest.approx(score + half_width, abs=0.01)
    (recorded,) = [
        combination.training_rows
        for combination in model.reference.combinations
        if combination.values.items() <= features.items()
    ]
    assert first.support == second.support == recorded > 0


def test_all_rows_are_one_call_of_onnx_runtime(
    model: Model, features: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    run = model.scorer._run

    def counted(columns: Columns) -> Scores:
        calls.append(len(columns["Age"]))
        return run(columns)

    monkeypatch.setattr(model.scorer, "_run", counted)

    model.predict([features] * 3)

    assert calls == [3]


def test_what_was_recorded_together_may_be_asked_for(
    model: Model, features: dict[str, Any]
) -> None:
    assert model.unrecorded(features) is None


def test_what_was_never_recorded_together_is_said_so(
    model: Model, features: dict[str, Any]
) -> None:
    violation = model.unrecorded(features | {"Side_Effects": "Cough"})

    assert violation is not None
    assert violation.loc == ("body",)
    assert violation.type == "unrecorded_combination"
    assert violation.msg.startswith("Condition, Drug_Name, Dosage_mg and Side_Effects were never")


def test_scores_are_explained_against_the_references_background(
    model: Model, features: dict[str, Any]
) -> None:
    explanation = model.explainer.explain(features)

    background = model.scorer.predict(model.reference.background)
    assert len(background) == params().explanations.background_rows
    assert explanation.base_value == pytest.approx(np.mean(background), abs=1e-9)
    assert list(explanation.contributions) == list(params().features)


def with_r2(verdict: Verdict, r2: float) -> Verdict:
    estimate = Estimate(value=r2, low=r2, high=r2)
    return verdict.model_copy(
        update={"candidate": verdict.candidate.model_copy(update={"r2": estimate})}
    )


@pytest.mark.parametrize("beats_average", [True, False])
def test_its_skill_is_the_verdicts(
    bucket: ObstoreBucket, candidate: Candidate, promote: Promote, beats_average: bool
) -> None:
    judged = with_r2(candidate.verdict, 0.123456).model_copy(
        update={"beats_average": beats_average}
    )

    skill = load(bucket, promote(replace(candidate, verdict=judged))).skill

    assert skill.r2 == 0.1235
    assert skill.beats_average is beats_average


def never_open(_: bytes) -> Never:
    pytest.fail("bytes were opened whose digest was not checked")


def test_bytes_with_another_digest_are_not_even_opened(
    bucket: ObstoreBucket, champion: Champion, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.put(champion.model.key, b"not the model")
    monkeypatch.setattr(loader, "Scorer", never_open)

    with pytest.raises(ArtefactCorrupted, match=champion.model.key):
        load(bucket, champion)


def test_a_reference_with_another_digest_is_refused(
    bucket: ObstoreBucket, champion: Champion
) -> None:
    bucket.put(champion.reference.key, bucket.get(champion.reference.key).body + b" ")

    with pytest.raises(ArtefactCorrupted, match=champion.reference.key):
        load(bucket, champion)


@pytest.mark.parametrize("file", [MODEL, REFERENCE])
def test_a_champion_with_a_file_missing_is_refused(
    bucket: ObstoreBucket, champion: Champion, file: str
) -> None:
    obstore.delete(bucket.store(), champion.files[file].key)

    with pytest.raises(ArtefactMissing, match=champion.files[file].key):
        load(bucket, champion)


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (b"{}", "is not in this release's format"),
        (b'{"combinations": ', "is not in this release's format"),
        (None, "model and reference do not belong together"),
    ],
)
def test_a_champion_published_with_another_reference_is_refused(
    bucket: ObstoreBucket, candidate: Candidate, promote: Promote, other: bytes | None, reason: str
) -> None:
    reference = other or candidate.files[REFERENCE] + b" "  # as good, but not the one
    champion = promote(replace(candidate, files={**candidate.files, REFERENCE: reference}))

    with pytest.raises(ArtefactCorrupted, match=reason):
        load(bucket, champion)


def test_its_card_is_the_published_one_with_the_ledger(
    model: Model, champion: Champion, candidate: Candidate
) -> None:
    card = model.card

    assert card.model_version == champion.version
    assert card.verdict == candidate.verdict
    assert card.interval == model.reference.interval
    (entry,) = card.ledger
    assert entry.model_version == champion.version
    assert entry.model_sha256 == champion.model.sha256
    assert entry.why == PROMOTION.why


def test_its_card_is_read_once(
    model: Model, bucket: ObstoreBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = model.card
    monkeypatch.setattr(bucket, "store", None)

    assert model.card == first


CURVE = LearningCurve(
    held_out_rows=200,
    confidence=0.95,
    points=(
        LearningPoint(
            fraction=1.0,
            rows=800,
            rmse=Estimate(value=1.5, low=1.4, high=1.6),
            draws=(1.4, 1.6),
        ),
    ),
    says="There are too few rows to tell whether more would help.",
)


def looking_always(model: Model) -> Model:
    """A model that looks for what is not there yet whenever it is asked."""
    serving = model.params.serving.model_copy(update={"refresh_seconds": 0.0})
    return replace(model, params=model.params.model_copy(update={"serving": serving}))


def test_its_card_has_its_learning_curve_once_that_is_measured(
    model: Model, registry: Registry, bucket: ObstoreBucket
) -> None:
    model = looking_always(model)
    before = model.card
    annex = registry.annotate(model.version, LEARNING_CURVE, CURVE)

    after = model.card
    bucket.put(annex.key, b"{}")  # which is asked for no more

    assert before.learning_curve is None
    assert after.learning_curve == CURVE
    assert after == before.model_copy(update={"learning_curve": CURVE})
    assert model.card == after


def test_a_learning_curve_that_is_not_there_is_looked_for_now_and_then_only(
    model: Model, registry: Registry
) -> None:
    assert model.card.learning_curve is None
    registry.annotate(model.version, LEARNING_CURVE, CURVE)

    assert model.card.learning_curve is None  # until refresh_seconds are over


@pytest.mark.parametrize("body", [b"{}", b"no JSON", None])
def test_a_learning_curve_with_other_bytes_is_refused_and_the_card_served_without(
    model: Model,
    registry: Registry,
    bucket: ObstoreBucket,
    body: bytes | None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    annex = registry.annotate(model.version, LEARNING_CURVE, CURVE)
    altered = bucket.get(annex.key).body.replace(b"0.95", b"0.99")
    bucket.put(annex.key, altered if body is None else body)

    assert model.card.learning_curve is None
    assert model.card.model_version == model.version
    printed = capsys.readouterr().out
    assert "ArtefactsRefused" in printed
    assert "the card is served without" in printed


def live(registry: Registry, version: str, life: Monitoring) -> None:
    registry.revise(version, MONITORING, Monitoring, lambda _: life)


def test_its_card_has_what_became_of_it_as_the_last_run_wrote_it(
    model: Model, registry: Registry
) -> None:
    always = looking_always(model)
    found = [always.card.monitoring, model.card.monitoring]
    lives = [a_life(59), a_life(60)]
    for life in lives:
        live(registry, model.version, life)
        found.append(always.card.monitoring)

    assert found == [None, None, *lives]
    assert model.card.monitoring is None  # until refresh_seconds are over


def test_monitoring_with_other_bytes_is_refused_told_and_the_card_served_as_it_was(
    model: Model, registry: Registry, bucket: ObstoreBucket, capsys: pytest.CaptureFixture[str]
) -> None:
    model = looking_always(model)
    live(registry, model.version, a_life())
    before = model.card
    key = f"models/{model.version}/monitoring.json"
    bucket.put(key, bucket.get(key).body.replace(b"2380", b"2381"))

    assert model.card == before
    assert before.monitoring == a_life()
    printed = capsys.readouterr().out
    assert "ArtefactsRefused" in printed
    assert "the card is served with earlier ones" in printed


def test_its_card_tells_the_last_promotions_only(
    bucket: ObstoreBucket, registry: Registry, candidate: Candidate, publish: Callable[..., Version]
) -> None:
    version = publish(candidate)
    for _ in range(LEDGER_ENTRIES + 2):
        champion = registry.promote(version, registry.champion(), PROMOTION, NOW)

    ledger = load(bucket, champion).card.ledger

    assert [entry.sequence for entry in ledger] == list(range(LEDGER_ENTRIES + 2, 2, -1))


@pytest.mark.parametrize(("judged", "told"), [(0.25, 0.25), (None, 0.5)])
def test_an_entry_tells_what_its_execution_found_or_else_the_version(
    bucket: ObstoreBucket,
    registry: Registry,
    candidate: Candidate,
    publish: Callable[..., Version],
    judged: float | None,
    told: float,
) -> None:
    version = publish(replace(candidate, verdict=with_r2(candidate.verdict, 0.5)))
    verdict = None if judged is None else with_r2(candidate.verdict, judged)
    promotion = Promotion(who="ada", why="It is hers.", execution="two", verdict=verdict)

    (entry,) = load(bucket, registry.promote(version, None, promotion, NOW)).card.ledger

    assert entry.r2 == told


def test_a_card_with_other_bytes_is_refused(model: Model, bucket: ObstoreBucket) -> None:
    bucket.put(model.champion.files[CARD].key, b"{}")

    with pytest.raises(ArtefactCorrupted, match=model.champion.card.key):
        _ = model.card
