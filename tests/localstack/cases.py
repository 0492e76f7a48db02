"""What a way through a state machine is, and how an engine is told what Lambdas answer on it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pydantic import BaseModel

from tests import state_machine


class LambdaFailed(Exception):
    """When Lambda itself tells of a failure, under a name that no function raises.

    By default it refuses to invoke a function that runs too often.
    """

    def __init__(
        self,
        error: str = "Lambda.TooManyRequestsException",
        cause: str = "Rate Exceeded. (Service: Lambda, Status Code: 429)",
    ) -> None:
        super().__init__(cause)
        self.error = error


type Output = BaseModel | Mapping[str, Any]
type Answer = Output | Exception


def plain(output: Output) -> dict[str, Any]:
    return output.model_dump(mode="json") if isinstance(output, BaseModel) else dict(output)


@dataclass(frozen=True)
class Case:
    """An execution: its input, the answers that are not the ordinary ones, and what is expected.

    asked: its input. answers: of a state's Lambda, invocation by invocation.
    ahead: a state that it leaves before the others take the engine's time, where its branches race.
    woken: how whoever holds the token that it waits for wakes it: with an output, or with an error.
    path: the states entered, in their order: the machine's own, and those of Release's first branch
    where there is one. within: the others, which run side by side, and how often each is entered.
    ends: the output, or the error and its cause.
    """

    asked: Any
    path: str
    ends: Output | tuple[str, str]
    answers: Mapping[str, tuple[Answer, ...]] = field(default_factory=dict)
    within: Mapping[str, int] = field(default_factory=dict)
    ahead: str = ""
    woken: Output | Exception | None = None


@dataclass(frozen=True)
class Machine:
    """A state machine, what its Lambdas ordinarily answer, and every way through it."""

    name: str
    ordinary: Mapping[str, tuple[Answer, ...]]
    cases: Mapping[str, Case]

    @cached_property
    def definition(self) -> dict[str, Any]:
        return state_machine.definition(self.name)

    @cached_property
    def states(self) -> dict[str, Any]:
        return state_machine.states(self.definition)

    @cached_property
    def in_order(self) -> set[str]:
        return state_machine.in_order(self.definition)


def mock_config(*machines: Machine) -> dict[str, Any]:
    """Write the cases as AWS Step Functions Local and LocalStack read them."""
    tests: dict[str, dict[str, Any]] = {}
    responses = {}
    for machine in machines:
        tests[machine.name] = {"TestCases": {}}
        for name, case in machine.cases.items():
            answers = {**machine.ordinary, **case.answers}
            told = {state: f"{machine.name}-{name}-{state}" for state in answers}
            tests[machine.name]["TestCases"][name] = told
            for state, given in answers.items():
                responses[told[state]] = {
                    str(number): as_lambda_answers(answer) for number, answer in enumerate(given)
                }
    return {"StateMachines": tests, "MockedResponses": responses}


def as_lambda_answers(answer: Answer) -> dict[str, Any]:
    """Put a stage's output, or the error it raised, as Step Functions gets it from Lambda."""
    match answer:
        case LambdaFailed():
            error, cause = answer.error, str(answer)
        case Exception():
            error = type(answer).__name__
            cause = json.dumps(
                {
                    "errorMessage": str(answer),
                    "errorType": error,
                    "requestId": "11111111-2222-3333-4444-555555555555",
                    "stackTrace": ['  File "/var/task/stage.py", line 96, in handler\n'],
                }
            )
        case output:
            return {"Return": {"StatusCode": 200, "Payload": plain(output)}}
    return {"Throw": {"Error": error, "Cause": cause}}
