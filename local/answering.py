"""Run the predict function's own handler in this process: `python -m local.answering`.

Each line on stdin is a request as JSON; each line on stdout is the response's status and body, with
the lines that the function logged. The environment must be as the template sets it.
"""

import contextlib
import importlib.util
import io
import json
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

from local import imported
from local.cloud import ROOT

APP = ROOT / "functions" / "predict" / "app.py"
ROUTE = "/predict"

type Handler = Callable[[dict[str, Any], object], dict[str, Any]]


def handler() -> Handler:
    """Import the function from its file, as Lambda does."""
    spec = importlib.util.spec_from_file_location("predict_app", APP)
    if spec is None or spec.loader is None:
        raise ImportError(f"{APP} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Handler = module.handler
    return found


def answered(handle: Handler, body: object) -> dict[str, Any]:
    """Call the handler as API Gateway does; returns the status, the body and the log lines."""
    request_id = str(uuid4())
    event = {
        "httpMethod": "POST",
        "resource": ROUTE,
        "path": ROUTE,
        "headers": {"content-type": "application/json"},
        "multiValueHeaders": {"content-type": ["application/json"]},
        "queryStringParameters": None,
        "body": json.dumps(body),
        "isBase64Encoded": False,
        "requestContext": {"requestId": request_id, "stage": "v1"},
    }
    context = SimpleNamespace(
        aws_request_id=request_id,
        function_name="predict",
        memory_limit_in_mb=1769,
        invoked_function_arn="arn:aws:lambda:us-east-1:000000000000:function:predict",
        get_remaining_time_in_millis=lambda: 15_000,
    )
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        answer = handle(event, context)
    return {
        "status": answer["statusCode"],
        "body": json.loads(answer["body"]),
        "logged": printed.getvalue().splitlines(),
    }


def main() -> None:
    with contextlib.redirect_stdout(io.StringIO()):  # a cold start may log, too
        handle = handler()
    imported()
    for line in sys.stdin:
        print(json.dumps(answered(handle, json.loads(line))), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
