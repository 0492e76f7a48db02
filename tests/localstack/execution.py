"""How an execution went, read from its history, and every step that a definition allows."""

import json
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from tests.localstack.cases import Machine


class Step(NamedTuple):
    """From a state to the next one, and the rule that led there, if it is an error's."""

    state: str
    error: str | None
    to: str


@dataclass(frozen=True)
class Execution:
    """How an execution of a machine ended, and its history."""

    machine: Machine
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
    def left(self) -> list[str]:
        return [event["stateExitedEventDetails"]["name"] for event in self.events if _exits(event)]

    @property
    def path(self) -> list[str]:
        return [name for name in self.entered if name in self.machine.in_order]

    @property
    def within(self) -> dict[str, int]:
        return Counter(name for name in self.entered if name not in self.machine.in_order)

    @cached_property
    def steps(self) -> set[Step]:
        """Every step from state to state, the errors named as the state's Catch names them."""
        by_id = {event["id"]: event for event in self.events}
        found = set()
        for event in self.events:
            before = by_id.get(event["previousEventId"])
            if before and event["type"].endswith("StateEntered") and _exits(before):
                state = before["stateExitedEventDetails"]["name"]
                failed = by_id[before["previousEventId"]]
                while failed["type"] in {"MapStateFailed", "MapIterationFailed"}:
                    failed = by_id[failed["previousEventId"]]
                details = failed.get("taskFailedEventDetails") or failed.get(
                    "taskTimedOutEventDetails", {}
                )
                error = details.get("error")
                error = _rule(self.machine.states[state], error) if error else None
                found.add(Step(state, error, event["stateEnteredEventDetails"]["name"]))
        return found

    @property
    def failures(self) -> list[str]:
        """The error of each invocation that failed."""
        return [
            event["taskFailedEventDetails"]["error"]
            for event in self.events
            if event["type"] == "TaskFailed"
        ]

    @property
    def told(self) -> list[dict[str, Any]]:
        """The messages that were to be sent to somebody."""
        scheduled = [
            json.loads(event["taskScheduledEventDetails"]["parameters"])
            for event in self.events
            if event["type"] == "TaskScheduled"
        ]
        return [parameters for parameters in scheduled if "TopicArn" in parameters]

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
            if parameters.get("FunctionName", "").endswith(f":{function}Function")
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
