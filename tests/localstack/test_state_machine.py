"""Every branch of the retrain state machine, in another engine than the local cloud's."""

import json
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import pytest
from pydantic import BaseModel

from events.generate import inputs_of, stages
from local.stack import Stack
from tests import state_machine
from tests.localstack.cases import CASES, NOTES, VERSION, Case
from tests.patience import until

DEFINITION = state_machine.definition()
STATES = state_machine.states(DEFINITION)
IN_ORDER = state_machine.in_order(DEFINITION)
STAGES = {"".join(part.capitalize() for part in name.split("_")): name for name in stages()}


class Step(NamedTuple):
    """From a state to the next one, and the rule that led there, if it is an error's."""

    state: str
    error: str | None
    to: str


@dataclass(frozen=True)
class Execution:
    """How an execution ended, and its history."""

    described: dict[str, Any]
    events: list[dict[str, Any]]

    @property
    def name(self) -> str:
        name: str = self.described["name"]
        return name

    @property
    def entered(self) -> list[str]:
        """The states entered, as the history has them."""
        return [
            event["stateEnteredEventDetails"]["name"]
            for event in self.events
            if event["type"].endswith("StateEntered")
        ]

    @property
    def path(self) -> list[str]:
        return [name for name in self.entered if name in IN_ORDER]

    @property
    def within(self) -> dict[str, int]:
        return Counter(name for name in self.entered if name not in IN_ORDER)

    @cached_property
    def steps(self) -> set[Step]:
        """Every step from state to state, the errors named as the state's Catch names them."""
        by_id = {event["id"]: event for event in self.events}
        found = set()
        for event in self.events:
            before = by_id.get(event["previousEventId"])
            if before and event["type"].endswith("StateEntered") and _exits(before):
                state = before["stateExitedEventDetails"]["name"]
                failed = by_id[before["previousEventId"]].get("taskFailedEventDetails")
                error = _rule(STATES[state], failed["error"]) if failed else None
                found.add(Step(state, error, event["stateEnteredEventDetails"]["name"]))
        return found

    def asked(self, function: str) -> list[dict[str, Any]]:
        """The payloads that a function was to be invoked with."""
        scheduled = [
            json.loads(event["taskScheduledEventDetails"]["parameters"])
            for event in self.events
            if event["type"] == "TaskScheduled"
        ]
        return [
            parameters["Payload"]
            for parameters in scheduled
            if parameters["FunctionName"].endswith(f":{function}Function")
        ]


def _exits(event: dict[str, Any]) -> bool:
    left: bool = event["type"].endswith("StateExited")
    return left


def _rule(state: dict[str, Any], error: str) -> str:
    """Name an error as the state's Catch does."""
    named = {name for catch in state["Catch"] for name in catch["ErrorEquals"]}
    return error if error in named else "States.ALL"


def steps_of(states: dict[str, Any]) -> set[Step]:
    """Every step that the definition allows."""
    found = set()
    for name, state in states.items():
        following = [state.get("Next"), state.get("Default")]
        following += [choice["Next"] for choice in state.get("Choices", [])]
        found |= {Step(name, None, to) for to in following if to}
        for catch in state.get("Catch", []):
            found |= {Step(name, error, catch["Next"]) for error in catch["ErrorEquals"]}
    return found


@pytest.fixture(scope="module")
def executions(localstack: Stack, outputs: dict[str, str]) -> dict[str, Execution]:
    """Every case, run at the same time."""
    machine = outputs["StateMachineArn"]
    arns = {
        name: localstack.stepfunctions.start_execution(
            stateMachineArn=f"{machine}#{name}", name=name, input=json.dumps(case.asked)
        )["executionArn"]
        for name, case in CASES.items()
    }
    return {name: _ended(localstack, arn) for name, arn in arns.items()}


def _ended(localstack: Stack, arn: str) -> Execution:
    def described() -> dict[str, Any] | None:
        found = localstack.stepfunctions.describe_execution(executionArn=arn)
        return dict(found) if found["status"] != "RUNNING" else None

    ended = until(described, f"the end of {arn}, see {localstack.cloud.log}")
    history = localstack.stepfunctions.get_paginator("get_execution_history")
    pages = history.paginate(executionArn=arn)
    return Execution(ended, [dict(event) for page in pages for event in page["events"]])


@pytest.mark.parametrize("name", CASES)
def test_a_case_takes_its_path_and_ends_as_it_should(
    executions: dict[str, Execution], name: str
) -> None:
    case, execution = CASES[name], executions[name]

    assert execution.path == case.path.split(), execution.described
    assert execution.within == case.within
    match case.ends:
        case (error, cause):
            assert execution.described["status"] == "FAILED"
            assert execution.described["error"] == error
            assert _message(execution.described["cause"]) == cause
        case output:
            assert execution.described["status"] == "SUCCEEDED", execution.described
            assert json.loads(execution.described["output"]) == _plain(output) | _notes(case)


def _plain(output: Any) -> Any:
    return output.model_dump(mode="json") if isinstance(output, BaseModel) else output


def _notes(case: Case) -> dict[str, Any]:
    """How leniently the upload was read, which whatever was read for ends with."""
    if "Promote" not in case.path and "Validate" not in case.path:
        return {}
    return NOTES if "Validate" in case.path else {"notes": []}


def _message(cause: str) -> str:
    """The error's own words: where no state caught it, the cause is all that Lambda said."""
    try:
        told = json.loads(cause)
    except ValueError:
        return cause
    message: str = told.get("errorMessage", cause)
    return message


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_is_handed_what_its_models_take(
    executions: dict[str, Execution], stage: str
) -> None:
    payloads = [
        (execution.name, payload)
        for execution in executions.values()
        for payload in execution.asked(stage)
    ]

    assert payloads
    for execution, payload in payloads:
        inputs = inputs_of(STAGES[stage])
        assert set(payload) == {"execution", *inputs}
        assert payload["execution"] == execution
        for name, kind in inputs.items():
            kind.model_validate(payload[name])


def test_together_they_enter_every_state_and_follow_every_choice_and_every_catch(
    executions: dict[str, Execution],
) -> None:
    entered = {name for execution in executions.values() for name in execution.entered}
    steps = {step for execution in executions.values() for step in execution.steps}

    assert entered == set(STATES)
    assert steps == steps_of(STATES)


@pytest.mark.parametrize(
    ("name", "stage", "failures", "error"),
    [
        ("StorageUnavailableTwice", "Ingest", 2, "StorageUnavailable"),
        ("TooManyRequestsTwice", "Promote", 2, "Lambda.TooManyRequestsException"),
        ("StorageStaysUnavailable", "Promote", 5, "StorageUnavailable"),
        ("StorageDenied", "Train", 1, "StorageDenied"),
    ],
)
def test_what_may_pass_is_tried_again_and_the_history_shows_it(
    executions: dict[str, Execution], name: str, stage: str, failures: int, error: str
) -> None:
    execution = executions[name]

    failed = [
        event["taskFailedEventDetails"]["error"]
        for event in execution.events
        if event["type"] == "TaskFailed"
    ]
    assert failed == [error] * failures
    recovered = execution.described["status"] == "SUCCEEDED"
    assert len(execution.asked(stage)) == failures + recovered


@pytest.mark.parametrize("name", CASES)
def test_what_was_asked_for_reaches_the_first_state_as_it_was_written(
    executions: dict[str, Execution], name: str
) -> None:
    (payload,) = executions[name].asked("Admit")

    assert payload["given"] == CASES[name].asked


@pytest.mark.parametrize(
    ("name", "over"),
    [
        ("PromotedWithWarning", [0]),
        ("Promoted", [1]),
        ("Overtaken", [1, 2]),
        ("OvertakenByHand", [None, None]),
    ],
)
def test_the_nomination_says_over_which_champion_and_after_a_lost_race_over_the_next(
    executions: dict[str, Execution], name: str, over: list[int | None]
) -> None:
    asked = executions[name].asked("Promote")

    assert [one["nominated"].get("over") for one in asked] == over


def test_one_candidate_that_fails_is_reported_with_its_error(
    executions: dict[str, Execution],
) -> None:
    (asked,) = executions["Tuned"].asked("Choose")

    tried = asked["tried"]["candidates"]
    assert [one["error"] for one in tried if "error" in one] == ["MemoryError"]
    assert sum("rmse" in one for one in tried) == len(tried) - 1


def test_what_tuning_chose_is_trained(executions: dict[str, Execution]) -> None:
    (tuned,) = executions["Tuned"].asked("Train")
    (untuned,) = executions["Promoted"].asked("Train")

    assert tuned["chosen"]["hyperparameters"]["n_estimators"] == 100
    assert untuned["chosen"] == {}


def test_a_promotion_does_not_wait_for_the_learning_curve(
    executions: dict[str, Execution],
) -> None:
    left = [
        event["stateExitedEventDetails"]["name"]
        for event in executions["CurveSlow"].events
        if _exits(event)
    ]

    assert left.index("Promote") < left.index("LearningCurve") < left.index("Annotate")


@pytest.mark.parametrize(
    ("name", "annotated"),
    [
        ("Promoted", [VERSION]),
        ("Overtaken", [VERSION]),
        ("Withheld", [VERSION]),
        ("Rejected", []),
        ("ByHand", []),
        ("CurveFails", []),
        ("OutOfMemoryInPublish", []),
    ],
)
def test_a_curve_goes_to_the_version_that_was_published(
    executions: dict[str, Execution], name: str, annotated: list[str]
) -> None:
    asked = executions[name].asked("Annotate")

    assert [one["published"]["version"] for one in asked] == annotated


def test_a_curve_is_of_the_hyperparameters_that_are_trained(
    executions: dict[str, Execution],
) -> None:
    for name in ("Tuned", "Promoted"):
        (trained,), (measured,) = (
            executions[name].asked(stage) for stage in ("Train", "LearningCurve")
        )
        assert measured["chosen"] == trained["chosen"]
