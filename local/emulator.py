"""Start ministack with one thing put right: a failed Lambda's error is named as on AWS.

On AWS `errorType` is the class of the exception, and the state machine catches by it. ministack
answers `Runtime.HandlerError` for all of them. It runs in an environment of its own, which holds
nothing of this project; its settings are environment variables, set by `local.cloud`.
"""

import threading
from typing import Any

from ministack import app
from ministack.core import lambda_runtime
from ministack.services import lambda_svc

WORKER_ERROR = '{"status": "error", "error": str(e), "trace"'
NAMED_ERROR = '{"status": "error", "error": str(e), "error_type": type(e).__name__, "trace"'
UNNAMED = "Runtime.HandlerError"

_invocation = threading.local()
_invoke = lambda_runtime.Worker.invoke
_execute = lambda_svc._execute_function_warm  # noqa: SLF001


def invoke_and_note(
    worker: lambda_runtime.Worker, *args: object, **kwargs: object
) -> dict[str, Any]:
    answer: dict[str, Any] = _invoke(worker, *args, **kwargs)
    _invocation.error_type = answer.get("error_type")
    return answer


def execute_and_name(*args: object, **kwargs: object) -> dict[str, Any]:
    _invocation.error_type = None
    answer: dict[str, Any] = _execute(*args, **kwargs)
    body = answer.get("body")
    if answer.get("error") and isinstance(body, dict) and body.get("errorType") == UNNAMED:
        body["errorType"] = _invocation.error_type or UNNAMED
    return answer


def name_errors() -> None:
    """Let the worker tell an exception's class, and the invocation answer with it."""
    script = lambda_runtime._PYTHON_WORKER_SCRIPT  # noqa: SLF001
    if WORKER_ERROR not in script:
        raise SystemExit("ministack changed: see whether it names errors itself by now")
    lambda_runtime._PYTHON_WORKER_SCRIPT = script.replace(WORKER_ERROR, NAMED_ERROR)  # noqa: SLF001
    lambda_runtime.Worker.invoke = invoke_and_note
    lambda_svc._execute_function_warm = execute_and_name  # noqa: SLF001


if __name__ == "__main__":
    name_errors()
    app.main()
