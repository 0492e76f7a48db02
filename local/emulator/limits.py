"""Enforce AWS's limit on the data between states: a correction before ministack starts.

- On AWS the output of a state, and the input and output of a task, have at most 256 KiB; more ends
  the execution. Ministack has no such limit, so that too much data would fail only on AWS.
- On AWS `States.ALL` includes neither that error nor `States.Runtime`. Ministack retries and
  catches both.
"""

import json
from typing import Any

from ministack.services import stepfunctions

type Json = Any
type State = dict[str, Any]

MOST_BYTES = 256 * 1024
TERMINAL = ("States.DataLimitExceeded", "States.Runtime")

_invoke_resource = stepfunctions._invoke_resource  # noqa: SLF001
_error_matches = stepfunctions._error_matches  # noqa: SLF001
_failed = stepfunctions._ExecutionError  # noqa: SLF001


def check(what: str, text: str) -> None:
    """Raise the error that ends an execution if a JSON text is too long, without escapes."""
    if len(text) <= MOST_BYTES:
        return
    size = len(json.dumps(json.loads(text), ensure_ascii=False).encode())
    if size > MOST_BYTES:
        raise _failed(
            "States.DataLimitExceeded",
            f"{what} has {size} bytes, and the service's limit is {MOST_BYTES}",
        )


def invoke_resource(resource: str, given: Json) -> Json:
    check(f"what {resource} is given", json.dumps(given))
    answer = _invoke_resource(resource, given)
    check(f"what {resource} answers", json.dumps(answer))
    return answer


def error_matches(names: list[str], error: str) -> bool:
    """Whether a Retry or a Catch applies to an error; a terminal error must be named explicitly."""
    if error in TERMINAL:
        return error in names
    matches: bool = _error_matches(names, error)
    return matches


def install() -> None:
    def add_event(execution: State, kind: str, details: State | None = None) -> State:
        """Add an event to the history, unless its state's output is too large."""
        left = (details or {}).get("stateExitedEventDetails")
        if left:
            check(f"the output of the state '{left['name']}'", left["output"])
        event: State = before(execution, kind, details)
        return event

    before = stepfunctions._add_event  # noqa: SLF001 - which knows of branches by now
    stepfunctions._add_event = add_event  # noqa: SLF001
    stepfunctions._invoke_resource = invoke_resource  # noqa: SLF001
    stepfunctions._error_matches = error_matches  # noqa: SLF001
