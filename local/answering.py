"""Let the predict function's own handler answer in this process: `python -m local.answering`.

A request is a line of JSON on stdin; on stdout comes, for each, a line with the answer's status and
body, and the lines that the function logged. The environment is to be as the template sets it.
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

from local.cloud import ROOT

APP = ROOT / "functions" / "predict" / "app.py"
ROUTE = "/predict"

type Handler = Callable[[dict[str, Any], object], dict[str, Any]]


def handler() -> Handler:
    """Import the function as Lambda does, by its file."""
    spec = importlib.util.spec_from_file_location("predict_app", APP)
    if spec is None or spec.loader is None:
        raise ImportError(f"{APP} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Handler = module.handler
    return found


def answered(handle: Handler, body: object) -> dict[str, Any]:
    """Ask as API Gateway does; gives status, body and what was logged."""
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
    with contextlib.redirect_stdout(io.StringIO()):  # a cold start may log, which nobody asked for
        handle = handler()
    for line in sys.stdin:
        print(json.dumps(answered(handle, json.loads(line))), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
