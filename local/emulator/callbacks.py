"""Wait for a task's token as AWS does: a correction before ministack starts.

- On AWS a task fails if its function fails, even if it waits for a token. Ministack ignores the
  failure and keeps waiting.
- On AWS each attempt has its own token. Ministack's attempts share one.
- On AWS a task's TimeoutSeconds may be JSONata. Ministack does not evaluate it.
- On AWS a stopped execution no longer waits, and stays stopped. Ministack's keeps waiting, and its
  status is then that of the task that fails.
"""

import contextvars
import json
import threading
import time
from collections.abc import Callable, MutableMapping
from typing import Any

type Json = Any
type State = dict[str, Any]

WAITS = ".waitForTaskToken"
BY_FUNCTION = "arn:aws:states:::lambda:invoke"
TIMEOUT = "States.Timeout"
STOPPED = "States.Runtime"  # which no Catch of States.ALL is meant by


class Tokens:
    """The tokens that executions wait for."""

    def __init__(
        self, held: MutableMapping[str, State], failed: Callable[[str, str], Exception]
    ) -> None:
        """Wait by the mapping in which SendTaskSuccess and SendTaskFailure look for a token.

        failed: makes what a task fails with, of an error and its cause.
        """
        self._held = held
        self._failed = failed

    def wait(
        self, token: str, execution: State, seconds: float, invoke: Callable[[], object]
    ) -> Json:
        """Pass a token to a function, and return the token's result; raises either's error."""
        waiting: State = {
            "event": threading.Event(),
            "result": None,
            "error": None,
            "heartbeat": None,
            "execution": execution["executionArn"],
        }
        until = time.monotonic() + seconds
        self._held[token] = waiting
        try:
            invoke()
            waiting["event"].wait(max(0.0, until - time.monotonic()))
        finally:
            self._held.pop(token, None)
        if execution["status"] != "RUNNING":
            raise self._failed(STOPPED, "the execution was stopped while it waited for a token")
        if not waiting["event"].is_set():
            raise self._failed(TIMEOUT, f"nobody sent the token within {seconds:g} seconds")
        if error := waiting["error"]:
            raise self._failed(error["Error"], error["Cause"])
        return json.loads(waiting["result"])

    def stop(self, execution: str) -> None:
        """End an execution's waiting, by its ARN."""
        for waiting in list(self._held.values()):
            if waiting.get("execution") == execution:
                waiting["event"].set()


def unless_ended(fail: Callable[[State, str, str], None]) -> Callable[[State, str, str], None]:
    """Make an execution fail, unless it has already ended."""

    def fail_if_running(execution: State, error: str, cause: str) -> None:
        if execution["status"] == "RUNNING":
            fail(execution, error, cause)

    return fail_if_running


def install() -> None:
    # Here alone, so that what is above can be tested where there is no ministack.
    from ministack.services import stepfunctions  # noqa: PLC0415

    tokens = Tokens(stepfunctions._task_tokens, stepfunctions._ExecutionError)  # noqa: SLF001
    # Of the task under way in this branch, which has a copy of what was before it.
    under_way: contextvars.ContextVar[tuple[State, State]] = contextvars.ContextVar("under way")
    execute_before = stepfunctions._execute_task  # noqa: SLF001
    wait_before = stepfunctions._invoke_with_callback  # noqa: SLF001
    stop_before = stepfunctions._stop_execution  # noqa: SLF001

    def execute(state: State, given: Json, execution: State, ctx: State) -> tuple[Json, str | None]:
        if isinstance(state.get("TimeoutSeconds"), str):
            seconds = stepfunctions._jsonata_state_field(  # noqa: SLF001
                state, "TimeoutSeconds", "number", given, ctx
            )
            state = {**state, "TimeoutSeconds": seconds}
        before = under_way.set((execution, ctx))
        try:
            done: tuple[Json, str | None] = execute_before(state, given, execution, ctx)
        finally:
            under_way.reset(before)
        return done

    def wait(resource: str, given: Json, token: str, state: State) -> Json:
        if resource != BY_FUNCTION + WAITS:
            return wait_before(resource, given, token, state)
        execution, ctx = under_way.get()
        seconds = state.get("TimeoutSeconds", threading.TIMEOUT_MAX)

        def invoke() -> None:
            stepfunctions._invoke_resource_with_timeout(BY_FUNCTION, given, seconds)  # noqa: SLF001

        try:
            return tokens.wait(token, execution, seconds, invoke)
        finally:
            ctx["Task"] = {"Token": stepfunctions.new_uuid()}  # of the next try

    def stop(asked: State) -> tuple[int, dict[str, str], bytes]:
        answer: tuple[int, dict[str, str], bytes] = stop_before(asked)
        tokens.stop(asked.get("executionArn", ""))
        return answer

    stepfunctions._execute_task = execute  # noqa: SLF001
    stepfunctions._invoke_with_callback = wait  # noqa: SLF001
    stepfunctions._stop_execution = stop  # noqa: SLF001
    stepfunctions._fail_execution = unless_ended(stepfunctions._fail_execution)  # noqa: SLF001
