"""A retraining is recorded before it is started, and is one however often that is asked for."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import boto3
import pytest
from clinical.artefacts import Bucket
from clinical.errors import MachineUnavailable, PreconditionFailed
from machines import stepfunctions
from monitor.retraining import Decision, Found
from monitor.starting import FOLDER, Retrainings

from tests.monitored import MIDNIGHT, MOVED
from tests.pipeline import own_state_machine
from tests.unit.pipeline.monitor.test_retraining import CHAMPION, NAME, found

FURTHER = 20


@pytest.fixture
def machine(bucket: Bucket) -> Iterator[str]:
    with own_state_machine() as arn:
        yield arn


@pytest.fixture
def retrainings(bucket: Bucket, machine: str) -> Retrainings:
    return Retrainings(bucket, stepfunctions(), machine)


def begin(retrainings: Retrainings, of: Found | None = None, days: int = 0) -> Decision:
    return retrainings.begin(of or found(), FURTHER, MIDNIGHT + timedelta(days=days))


def started(machine: str) -> dict[str, dict[str, Any]]:
    """The executions there are, with what they were asked for."""
    client = boto3.client("stepfunctions")
    listed = client.list_executions(stateMachineArn=machine)["executions"]
    described = [client.describe_execution(executionArn=one["executionArn"]) for one in listed]
    return {one["name"]: json.loads(one["input"]) for one in described}


def end(machine: str, name: str = NAME) -> None:
    arn = machine.replace(":stateMachine:", ":execution:") + f":{name}"
    boto3.client("stepfunctions").stop_execution(executionArn=arn)


def fail(monkeypatch: pytest.MonkeyPatch, retrainings: Retrainings) -> None:
    def refused(**_: Any) -> None:
        raise retrainings.states.exceptions.ClientError(
            {"Error": {"Code": "ThrottlingException", "Message": ""}}, "StartExecution"
        )

    monkeypatch.setattr(retrainings.states, "start_execution", refused)


def test_what_is_decided_is_started_with_what_moved_as_its_reason(
    retrainings: Retrainings, machine: str
) -> None:
    decision = begin(retrainings)

    assert decision.starts
    assert started(machine) == {NAME: decision.starts.asked}
    assert decision.starts.asked["reason"] == MOVED


def test_the_same_cause_is_retrained_once_whichever_run_comes_to_it(
    retrainings: Retrainings, machine: str
) -> None:
    begin(retrainings)
    again = [begin(retrainings, found(99, execution="later")), begin(retrainings)]
    end(machine)
    ended = begin(retrainings, found(39, execution="later still"))

    assert "is running or waiting for approval" in again[0].why_not
    assert again[1].starts  # the run itself, tried again
    assert "have been 19 since" in ended.why_not
    assert list(started(machine)) == [NAME]


def test_where_the_start_fails_whoever_tries_again_starts_what_was_decided(
    retrainings: Retrainings, machine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        fail(patched, retrainings)
        with pytest.raises(MachineUnavailable, match="ThrottlingException for retrain"):
            begin(retrainings)
    assert started(machine) == {}

    decision = begin(retrainings, found(25, execution="the next day"), days=1)

    assert decision.starts
    assert (decision.starts.further, decision.starts.by) == (20, "now")
    assert started(machine) == {NAME: decision.starts.asked}


def test_a_start_that_nobody_tried_again_for_long_is_given_up(
    retrainings: Retrainings, machine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Step Functions forgets executions, and then nobody knows whether it was started."""
    with monkeypatch.context() as patched:
        fail(patched, retrainings)
        with pytest.raises(MachineUnavailable):
            begin(retrainings)

    assert "ended" in begin(retrainings, found(execution="later"), days=86).why_not


def test_two_runs_at_once_come_to_one_execution(
    retrainings: Retrainings, machine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other decides while this one, which knew of nothing, is about to."""
    other = Retrainings(retrainings.bucket, retrainings.states, machine)
    every = retrainings._every
    others: list[Decision] = []

    def meanwhile() -> Any:
        known = every()
        if not others:
            others.append(other.begin(found(21, execution="other"), FURTHER, MIDNIGHT))
        return known

    monkeypatch.setattr(retrainings, "_every", meanwhile)
    decision = begin(retrainings)

    assert others[0].starts
    assert "is running or waiting for approval" in decision.why_not
    assert started(machine) == {NAME: others[0].starts.asked}


def test_where_others_always_decide_first_that_is_told(
    retrainings: Retrainings, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(retrainings)
    monkeypatch.setattr(retrainings, "_every", list)

    with pytest.raises(PreconditionFailed, match="decided first 5 times"):
        begin(retrainings, found(40, execution="later"))


def test_a_name_that_somebody_took_is_left_to_them(retrainings: Retrainings, machine: str) -> None:
    boto3.client("stepfunctions").start_execution(stateMachineArn=machine, name=NAME, input="{}")

    decision = begin(retrainings)
    again = begin(retrainings, found(execution="later"))

    assert decision.starts
    assert decision.starts.execution == f"{NAME}-2"
    assert started(machine) == {NAME: {}, f"{NAME}-2": decision.starts.asked}
    assert f"{NAME}-2 was started" in again.why_not


def test_another_promotion_is_another_cause(retrainings: Retrainings, machine: str) -> None:
    begin(retrainings)
    next_one = CHAMPION.model_copy(update={"sequence": 5})

    decision = begin(retrainings, replace(found(execution="later"), champion=next_one))

    assert decision.starts
    assert started(machine).keys() == {NAME, f"{NAME}-2"}
    assert retrainings.bucket.keys(FOLDER, ".json") == [
        f"{FOLDER}4-0.json",
        f"{FOLDER}5-0.json",
    ]


def test_nothing_is_asked_of_step_functions_where_nothing_alarms(
    bucket: Bucket, retrainings: Retrainings
) -> None:
    nowhere = Retrainings(bucket, stepfunctions(), "")

    assert "there is no alarm" in begin(nowhere, found(alarms=())).why_not
    assert "is 0" in nowhere.begin(found(), 0, MIDNIGHT).why_not
