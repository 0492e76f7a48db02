"""The stages that look at requests and outcomes, by their handlers, as the state machine does."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from clinical.artefacts import Artefact, Bucket, canonical_json, read_verified, sha256
from clinical.boto3_bucket import Boto3Bucket
from clinical.captured import Captured
from clinical.captures import Captures
from clinical.environment import environment
from clinical.monitored import Drift, Observed, Window
from clinical.outcomes import Outcome, Outcomes
from clinical.registry import POPULATION, Champion
from clinical.upload import Upload
from monitor.entering import enter
from monitor.stages.drift import drift
from monitor.stages.join_outcomes import join_outcomes
from monitor.state import Begun

from tests.pipeline import ran
from tests.unit.pipeline.monitor.made import BEGAN, predictions, told_otherwise

UNTIL = BEGAN + timedelta(days=28)
WINDOW = Window(date=UNTIL.date(), since=BEGAN, until=UNTIL)


@pytest.fixture
def begun(champion: Champion) -> dict[str, Any]:
    return Begun(decision="monitor", window=WINDOW, champion=champion).model_dump(mode="json")


@pytest.fixture
def predicted(bucket: Bucket, champion: Champion) -> Callable[..., list[Captured]]:
    """Capture predictions of the champion: those of so many patients, and each a little wrong."""

    def make(rows: int, **features: Any) -> list[Captured]:
        made = [
            replace(told_otherwise(one, **features), model_version=champion.version)
            for one in predictions(rows)
        ]
        enter(Captures(bucket), made)
        Captures(bucket).move_watermark(UNTIL)
        return made

    return make


def drift_in(bucket: Bucket, begun: dict[str, Any]) -> tuple[dict[str, Any], Drift]:
    came_to = ran(drift, "one", {"begun": begun})
    return came_to, Drift.model_validate_json(read_verified(bucket, Artefact(**came_to["drift"])))


def observed_in(bucket: Bucket, begun: dict[str, Any]) -> tuple[dict[str, Any], Observed]:
    came_to = ran(join_outcomes, "one", {"begun": begun})
    artefact = Artefact(**came_to["observed"])
    return came_to, Observed.model_validate_json(read_verified(bucket, artefact))


def told(bucket: Bucket, of: list[Captured], off: float) -> None:
    """Tell outcomes that are off by so much, in turn above and below."""
    at = BEGAN + timedelta(days=20)
    outcomes = [
        Outcome(
            prediction_id=one.prediction_id,
            value=round(min(max(one.score + (off if number % 2 else -off), 0), 10), 2),
            observed_at=at,
            received_at=at,
            told_by="api",
        )
        for number, one in enumerate(of)
    ]
    Outcomes(bucket).receive(outcomes, at)


def test_requests_that_moved_are_found_in_what_was_captured(
    bucket: Bucket, begun: dict[str, Any], predicted: Callable[..., list[Captured]]
) -> None:
    predicted(300, Age=79)

    came_to, found = drift_in(bucket, begun)

    assert came_to["drifted"] is found.drifted is True
    assert came_to["says"] == found.says
    assert "Age moved: 7" in found.says
    assert found.requests == 300


def test_without_any_capture_there_is_too_little_to_tell(
    bucket: Bucket, begun: dict[str, Any]
) -> None:
    came_to, found = drift_in(bucket, begun)

    assert (came_to["drifted"], found.requests) == (False, 0)
    assert found.says == "Too few to tell: 0 requests in 28 days; at least 200 are needed."


def test_what_lies_outside_the_window_does_not_count(
    bucket: Bucket, begun: dict[str, Any], predicted: Callable[..., list[Captured]]
) -> None:
    predicted(300)
    later = Begun.model_validate(begun).model_copy(
        update={"window": WINDOW.model_copy(update={"since": BEGAN + timedelta(minutes=100)})}
    )

    _, found = drift_in(bucket, later.model_dump(mode="json"))

    assert found.requests == 200


def test_a_version_of_an_earlier_release_is_not_compared(
    bucket: Boto3Bucket,
    begun: dict[str, Any],
    champion: Champion,
    predicted: Callable[..., list[Captured]],
) -> None:
    some = predicted(300, Age=79)
    told(bucket, some, off=4.0)
    bucket.client.delete_object(Bucket=bucket.name, Key=f"models/{champion.version}/{POPULATION}")

    _, drifted = drift_in(bucket, begun)
    _, observed = observed_in(bucket, begun)

    assert (drifted.drifted, drifted.requests, drifted.p_value) == (False, 300, None)
    assert "published by an earlier release" in drifted.says
    assert (observed.degraded, observed.outcomes, observed.selection) == (False, 300, None)
    assert observed.rmse is not None


def test_outcomes_that_are_far_off_degrade_the_version(
    bucket: Bucket, begun: dict[str, Any], predicted: Callable[..., list[Captured]]
) -> None:
    some = predicted(300)
    told(bucket, some[:120], off=3.0)

    came_to, found = observed_in(bucket, begun)

    assert came_to["degraded"] is found.degraded is True
    assert came_to["says"] == found.says
    assert found.says.startswith("On 120 outcomes, it performs worse than in its verdict")
    assert found.outcomes == 120
    assert found.selection is not None
    assert not found.selection.differs


def test_outcomes_that_are_as_promised_degrade_nothing(
    bucket: Bucket, begun: dict[str, Any], predicted: Callable[..., list[Captured]]
) -> None:
    told(bucket, predicted(300)[:120], off=0.6)

    came_to, found = observed_in(bucket, begun)

    assert (came_to["degraded"], found.outcomes) == (False, 120)
    assert found.beats_average


def test_files_of_outcomes_are_taken_in_first(
    bucket: Boto3Bucket, begun: dict[str, Any], predicted: Callable[..., list[Captured]]
) -> None:
    some = predicted(60)
    lines = ["prediction_id,Improvement_Score,observed_at"]
    lines += [f"{one.prediction_id},{one.score},2026-10-21" for one in some]
    body = "\n".join(lines).encode()
    bucket.client.put_object(Bucket="raw", Key="outcomes/october.csv", Body=body)

    _, found = observed_in(bucket, begun)

    assert (found.outcomes, found.unknown, found.waiting) == (60, 0, 0)


def test_where_all_predictions_have_an_outcome_nobody_is_left_to_compare_with(
    bucket: Bucket, begun: dict[str, Any], predicted: Callable[..., list[Captured]]
) -> None:
    told(bucket, predicted(60), off=0.6)

    _, found = observed_in(bucket, begun)

    assert found.selection is not None
    assert found.selection.p_value is None


# ── What could be learned anew ──────────────────────────────────────────────────────────────────


@pytest.fixture
def of_an_upload(begun: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A champion whose upload is known, on a stack that retrains by itself."""
    monkeypatch.setenv("RETRAIN_AFTER_OUTCOMES", "10")
    environment.cache_clear()
    uploaded = Upload(key="raw/data.csv", version_id="7", uploaded_at=BEGAN)
    champion = {**begun["champion"], "upload": uploaded.model_dump(mode="json")}
    return {**begun, "champion": champion}


def test_outcomes_that_the_model_did_not_learn_from_are_counted(
    bucket: Bucket, of_an_upload: dict[str, Any], predicted: Callable[..., list[Captured]]
) -> None:
    told(bucket, predicted(40)[:30], off=0.1)

    assert observed_in(bucket, of_an_upload)[0]["further"] == 30


def test_those_that_it_learned_from_are_not(
    bucket: Bucket, of_an_upload: dict[str, Any], predicted: Callable[..., list[Captured]]
) -> None:
    told(bucket, predicted(40)[:30], off=0.1)
    card = of_an_upload["champion"]["files"]["card.json"]
    body = canonical_json({"data": {"outcomes": 22}})
    bucket.put(card["key"], body)
    card["sha256"] = sha256(body)

    assert observed_in(bucket, of_an_upload)[0]["further"] == 8


def test_of_a_window_that_ends_before_what_it_learned_from_none_are(
    bucket: Bucket, of_an_upload: dict[str, Any], predicted: Callable[..., list[Captured]]
) -> None:
    told(bucket, predicted(40)[:30], off=0.1)
    of_an_upload["champion"]["upload"]["outcomes_until"] = UNTIL.isoformat()

    assert observed_in(bucket, of_an_upload)[0]["further"] == 0


def test_where_nothing_is_retrained_by_itself_nobody_counts(
    bucket: Bucket,
    of_an_upload: dict[str, Any],
    predicted: Callable[..., list[Captured]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RETRAIN_AFTER_OUTCOMES", "0")
    environment.cache_clear()
    told(bucket, predicted(40)[:30], off=0.1)

    assert observed_in(bucket, of_an_upload)[0]["further"] == 0
