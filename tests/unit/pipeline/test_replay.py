"""The stage between Evaluate and the gate: by its handler, on captures and outcomes in S3."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
import stage
from clinical.artefacts import Bucket
from clinical.boto3_bucket import Boto3Bucket
from clinical.captured import Captured
from clinical.captures import Captures
from clinical.errors import ArtefactCorrupted
from clinical.outcomes import Outcome, Outcomes
from clinical.params import params
from clinical.registry import CHAMPION_KEY, MODEL, Registry
from model.loader import opened
from retrain.stages.replay import replay

from data.generate import as_csv, patients
from tests.captures import answered, capture
from tests.pipeline import State, ran
from tests.unit.conftest import fact_lines, smaller
from tests.unit.pipeline.conftest import Retrained

pytestmark = pytest.mark.usefixtures("few_trees")

MONDAY = datetime(2026, 11, 23, 10, tzinfo=UTC)

type Upload = Callable[[bytes], str]
type Retrain = Callable[[str], State]


@pytest.fixture
def captures(retrained: Retrained, sample_bytes: bytes, bucket: Boto3Bucket) -> list[Captured]:
    """What the champion answered, captured."""
    retrained(sample_bytes)
    pointer = Registry(bucket).champion()
    assert pointer
    asked = [
        one | {"Side_Effects": None} if place % 2 else one
        for place, one in enumerate(patients(200, 7))
    ]
    found = answered(opened(bucket, pointer.champion), asked, MONDAY)
    capture(bucket, found)
    return found


@pytest.fixture
def came_to(
    captures: list[Captured], upload: Upload, retrain: Retrain, bucket: Boto3Bucket
) -> State:
    """What a retrain on other rows came to; the first champion serves again."""
    first = bucket.get(CHAMPION_KEY).body
    upload(as_csv(patients(1000, seed=3)).encode())
    found = retrain("two")
    assert found["promoted"]["decision"] == "promoted"
    found["second"] = bucket.get(CHAMPION_KEY).body
    bucket.put(CHAMPION_KEY, first)
    return found


def told(bucket: Bucket, captures: list[Captured], off: float = 0.2, days: int = 7) -> None:
    """Tell outcomes that are near to what the champion predicted."""
    noise = np.random.default_rng(1).normal(0, off, len(captures))
    at = [one.predicted_at + timedelta(days=days) for one in captures]
    outcomes = [
        Outcome(
            prediction_id=one.prediction_id,
            value=round(float(np.clip(one.score + noisy, 0, 10)), 1),
            observed_at=when,
            received_at=when,
            told_by="api",
        )
        for one, noisy, when in zip(captures, noise, at, strict=True)
    ]
    Outcomes(bucket).receive(outcomes, at[-1])


def again(came_to: State, **changed: Any) -> State:
    """Replay for the candidate once more, had params.yaml said otherwise."""
    inputs = {name: came_to[name] for name in ("preprocessed", "trained")}
    decisions = smaller(params(), trees=5).model_copy(update=changed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage, "params", lambda: decisions)
        return ran(replay, "again", {**inputs, "evaluated": came_to["before_replay"]})


def test_the_verdict_says_what_the_candidate_would_have_answered(
    captures: list[Captured], came_to: State, bucket: Bucket
) -> None:
    verdict = came_to["evaluated"]["verdict"]

    found = verdict["replay"]
    assert (found["reproduced"], found["mismatches"], found["void"]) == (len(captures), 0, "")
    assert found["requests"] + found["refused"] == len(captures)
    assert any("In a replay of" in one for one in verdict["reasons"])
    report = came_to["evaluated"]["report"]
    assert report["key"] == "runs/two/replay/evaluation.json"
    evaluation = json.loads(bucket.get(report["key"]).body)
    assert evaluation["verdict"] == verdict
    assert sum(one["requests"] for one in evaluation["replayed"]) > 0
    before = json.loads(bucket.get(came_to["before_replay"]["report"]["key"]).body)
    assert evaluation["subgroups"] == before["subgroups"]


def test_the_first_model_has_nobody_to_be_set_beside(
    retrained: Retrained, sample_bytes: bytes
) -> None:
    verdict = retrained(sample_bytes)["evaluated"]["verdict"]

    assert verdict["replay"] is None
    assert verdict["champion"] is None


def test_without_captures_the_verdict_says_so(retrained: Retrained, sample_bytes: bytes) -> None:
    verdict = retrained(sample_bytes, sample_bytes)["evaluated"]["verdict"]

    assert (
        verdict["replay"]["void"]
        == "No requests were replayed: no requests have been captured yet."
    )
    assert verdict["replay"]["void"] in verdict["reasons"]
    assert verdict["decision"] == "promoted"


def test_a_candidate_that_is_worse_on_outcomes_is_rejected_and_counted(
    captures: list[Captured],
    came_to: State,
    bucket: Boto3Bucket,
    capsys: pytest.CaptureFixture[str],
) -> None:
    told(bucket, captures)
    capsys.readouterr()

    verdict = again(came_to)["verdict"]

    assert came_to["before_replay"]["verdict"]["decision"] == "promoted"
    assert verdict["decision"] == "rejected"
    assert verdict["replay"]["outcomes"] > 100
    assert verdict["replay"]["rmse_difference_of_two"]["low"] > 0
    ended = [line for line in fact_lines(capsys.readouterr().out) if "verdict" in line]
    assert [line["verdict"] for line in ended] == ["rejected"]


def test_what_was_observed_before_the_prediction_is_no_outcome_of_it(
    captures: list[Captured], came_to: State, bucket: Boto3Bucket
) -> None:
    told(bucket, captures, days=-3)

    assert again(came_to)["verdict"]["replay"]["outcomes"] == 0


def test_an_outcome_that_was_told_twice_is_one_the_last(
    captures: list[Captured], came_to: State, bucket: Boto3Bucket
) -> None:
    told(bucket, captures, off=3.0, days=2)
    told(bucket, captures, off=0.2, days=9)

    found = again(came_to)["verdict"]["replay"]

    assert found["outcomes"] <= len(captures)
    assert found["champion_scores"]["rmse"]["value"] < 0.3


def test_only_so_many_of_the_last_requests_are_asked_as_params_say(
    captures: list[Captured], came_to: State, bucket: Boto3Bucket
) -> None:
    few, none = (params().replay.model_copy(update={"requests": number}) for number in (50, 0))

    found = again(came_to, replay=few)["verdict"]["replay"]

    assert found["requests"] + found["refused"] == found["reproduced"] == 50
    assert datetime.fromisoformat(found["until"]) == captures[-1].predicted_at
    assert again(came_to, replay=none)["verdict"]["replay"]["void"] == (
        "No requests were replayed: replay.requests is 0 in params.yaml."
    )


def test_a_champion_that_cannot_be_read_makes_it_void_and_stops_nobody(
    captures: list[Captured], bucket: Boto3Bucket, upload: Upload, retrain: Retrain
) -> None:
    served = captures[0].model_version
    bucket.put(f"models/{served}/{MODEL}", b"nothing of the kind")
    upload(as_csv(patients(300, seed=3)).encode())

    verdict = retrain("two")["evaluated"]["verdict"]

    assert verdict["decision"] == "promoted"
    assert verdict["replay"]["void"] == (
        f"No requests were replayed: the champion {served} cannot answer them, because it "
        "can no longer be read or scored."
    )


def test_a_champion_that_moved_meanwhile_is_not_taken_for_the_one_before(
    captures: list[Captured], came_to: State, bucket: Boto3Bucket
) -> None:
    bucket.put(CHAMPION_KEY, came_to["second"])

    found = again(came_to)

    replayed = found["verdict"]["replay"]
    assert replayed["champion"] == captures[0].model_version
    assert "now serves instead of" in replayed["void"]


def test_captures_that_were_altered_are_no_captures_and_nothing_is_judged_without(
    captures: list[Captured], came_to: State, bucket: Boto3Bucket
) -> None:
    (entry,) = Captures(bucket).manifest(MONDAY.date()).entries.values()
    bucket.put(entry.key, b"others")

    with pytest.raises(ArtefactCorrupted):
        again(came_to)
