"""Run the branches of a Parallel as AWS does: a correction before ministack starts.

- On AWS the history has the states in branches, and each event names the one that it follows.
  Ministack records only the outermost states, in no order. It still records no items of a Map.
- On AWS a stopped execution also stops in its branches. Ministack runs them to their end.
- On AWS variables that a branch assigns are local to it. Ministack's branches share the execution's
  variables.
- On AWS a Parallel's Output and Assign take effect, in JSONata too.
"""

import contextvars
import json
import threading
from typing import Any

import maps  # type: ignore[import-not-found]
from ministack.services import stepfunctions

type Json = Any
type State = dict[str, Any]

_add_event = stepfunctions._add_event  # noqa: SLF001
_run_sub_machine = stepfunctions._run_sub_machine  # noqa: SLF001
_run_parallel_branches = stepfunctions._run_parallel_branches  # noqa: SLF001
_failed = stepfunctions._ExecutionError  # noqa: SLF001

_numbering = threading.Lock()
# Of this branch, which has a copy of what was before it.
_follows: contextvars.ContextVar[int] = contextvars.ContextVar("follows", default=0)


def add_event(execution: State, kind: str, details: State | None = None) -> State:
    """Add an event to the history, after the previous one in the same branch."""
    with _numbering:
        details = {"previousEventId": _follows.get(), **(details or {})}
        event: State = _add_event(execution, kind, details)
    _follows.set(event["id"])
    return event


def run_sub_machine(states: State, start: str, given: Json, execution: State, ctx: State) -> Json:
    """Run a branch with its own variables, state by state, while the execution runs."""
    if "Map" in ctx:
        return maps.run_item(states, start, given, execution, ctx)
    ctx = {**ctx, "variables": dict(ctx["variables"])}
    name: str | None = start
    while name and execution["status"] == "RUNNING":
        kind = states[name]["Type"]
        entered = {"name": name, "input": json.dumps(given)}
        stepfunctions._add_event(  # noqa: SLF001
            execution, f"{kind}StateEntered", {"stateEnteredEventDetails": entered}
        )
        given, following = _step(states, name, given, execution, ctx)
        exited = {"name": name, "output": json.dumps(given)}
        stepfunctions._add_event(  # noqa: SLF001
            execution, f"{kind}StateExited", {"stateExitedEventDetails": exited}
        )
        name = following
    return given


def _step(
    states: State, name: str, given: Json, execution: State, ctx: State
) -> tuple[Json, str | None]:
    """Run one state of a branch, and return its output and the next state."""
    state = states[name]
    ctx["State"] = {"Name": name, "EnteredTime": stepfunctions.now_iso(), "RetryCount": 0}
    match state["Type"]:
        case "Succeed" | "Fail":
            return _run_sub_machine(states, name, given, execution, ctx), None
        case "Task" | "Parallel" | "Map" as kind:
            run = getattr(stepfunctions, f"_execute_{kind.lower()}")
            return run(state, given, execution, ctx)  # type: ignore[no-any-return]
        case kind:
            run = getattr(stepfunctions, f"_execute_{kind.lower()}")
            return run(state, given, ctx)  # type: ignore[no-any-return]


def run_parallel_branches(
    state: State, given: Json, execution: State, ctx: State
) -> tuple[Json, str | None]:
    """Run all branches, and combine their results into the output and the variables."""
    try:
        output, following = _run_parallel_branches(state, given, execution, ctx)
    except _failed:
        if execution["status"] == "RUNNING":
            raise
    if execution["status"] != "RUNNING":  # it was stopped: nothing comes of its branches
        return given, None
    if stepfunctions._state_query_language(state, ctx) == "JSONata":  # noqa: SLF001
        came_to = output
        output = stepfunctions._apply_jsonata_output(  # noqa: SLF001
            state, given, ctx, result=came_to, default=came_to
        )
        stepfunctions._apply_state_assign(state, given, ctx, result=came_to)  # noqa: SLF001
    return output, following


def install() -> None:
    stepfunctions._add_event = add_event  # noqa: SLF001
    stepfunctions._run_sub_machine = run_sub_machine  # noqa: SLF001
    stepfunctions._run_parallel_branches = run_parallel_branches  # noqa: SLF001
