"""Start ministack with corrections, also reachable from containers.

- On AWS the `errorType` of a failed Lambda is the class of the exception, by which the state
  machine catches it. Ministack always returns `Runtime.HandlerError`.
- On AWS a process that ends before it answers is a `Runtime.ExitError`, and does not affect others.
  Ministack reports it like an exception; if the process was just being started, ministack also ends
  all other processes of that function.
- On AWS the gateway responses in an API's OpenAPI body take effect. Ministack has gateway
  responses, but accepts them only through its own API.
- On AWS the SAM transform knows the values of the template's parameters. Ministack does not pass
  them on.

In addition to loopback it listens on Docker's bridge, if there is one, because `sam local` runs
functions in containers, whose loopback is their own. The socket is bound to the bridge's device, so
that requests from elsewhere, such as the network, are not answered.

It runs in an environment of its own without anything of this project; `local.ministack` sets its
environment variables.
"""

import gc
import os
import socket
import threading
from functools import cache
from typing import Any

# Beside this file, which is where Python looks first; mypy knows them as local.emulator.*.
import adoption  # type: ignore[import-not-found]
import branches  # type: ignore[import-not-found]
import callbacks  # type: ignore[import-not-found]
import limits  # type: ignore[import-not-found]
import maps  # type: ignore[import-not-found]
import monitoring  # type: ignore[import-not-found]
import permissions  # type: ignore[import-not-found]
import saving  # type: ignore[import-not-found]
import signatures  # type: ignore[import-not-found]
import storage  # type: ignore[import-not-found]
import workers  # type: ignore[import-not-found]
from hypercorn.config import Config, Sockets
from ministack import app
from ministack.core import lambda_runtime
from ministack.services import apigateway_v1, lambda_svc
from ministack.services.cloudformation import changesets, engine, handlers

WORKER_ERROR = '{"status": "error", "error": str(e), "trace"'
NAMED_ERROR = '{"status": "error", "error": str(e), "error_type": type(e).__name__, "trace"'
UNNAMED = "Runtime.HandlerError"
NO_ANSWER = "Runtime.ExitError"
GATEWAY_RESPONSES = "x-amazon-apigateway-gateway-responses"

BRIDGE = "docker0"

_create_sockets = Config.create_sockets
_invocation = threading.local()
_invoke = lambda_runtime.Worker.invoke
_execute = lambda_svc._execute_function_warm  # noqa: SLF001
_import_rest_api = apigateway_v1._import_rest_api  # noqa: SLF001
_apply_transforms = engine._apply_transforms  # noqa: SLF001
_parameters = threading.local()


def invoke_and_note(
    worker: lambda_runtime.Worker, *args: object, **kwargs: object
) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = _invoke(worker, *args, **kwargs)
    except RuntimeError as error:  # it could not be started
        lambda_runtime.kill_workers([worker])  # what there is of it; the next turn starts another
        answer = {"status": "error", "error": str(error)}
    _invocation.error_type = answer.get("error_type")
    return answer


def execute_and_name(*args: object, **kwargs: object) -> dict[str, Any]:
    _invocation.error_type = None
    answer: dict[str, Any] = _execute(*args, **kwargs)
    body = answer.get("body")
    if answer.get("error") and isinstance(body, dict) and body.get("errorType") == UNNAMED:
        body["errorType"] = _invocation.error_type or NO_ANSWER
    return answer


def name_errors() -> None:
    """Make the worker report an exception's class, and the invocation return it."""
    script = lambda_runtime._PYTHON_WORKER_SCRIPT  # noqa: SLF001
    if WORKER_ERROR not in script:
        raise SystemExit("ministack has changed: check whether it now names errors itself")
    lambda_runtime._PYTHON_WORKER_SCRIPT = script.replace(WORKER_ERROR, NAMED_ERROR)  # noqa: SLF001
    lambda_runtime.Worker.invoke = invoke_and_note
    lambda_svc._execute_function_warm = execute_and_name  # noqa: SLF001


def import_with_gateway_responses(spec: dict[str, Any], *args: object) -> str:
    """Import an API's body, and create its gateway responses."""
    api_id: str = _import_rest_api(spec, *args)
    for kind, response in spec.get(GATEWAY_RESPONSES, {}).items():
        status, _, body = apigateway_v1._put_gateway_response(api_id, kind, response)  # noqa: SLF001
        if status >= 400:  # noqa: PLR2004
            raise ValueError(f"the gateway response {kind} was refused: {body!r}")
    return api_id


def apply_transforms_and_note(
    template: dict[str, Any],
    provided: list[dict[str, str]] | None = None,
    previous: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Apply a template's transforms, and keep its parameters' values for SAM."""
    teach_sam()
    _parameters.values = engine._transform_parameters(template, provided, previous)  # noqa: SLF001
    applied: dict[str, Any] = _apply_transforms(template, provided, previous)
    return applied


@cache
def teach_sam() -> None:
    """Have SAM's transform use the parameter values that are kept.

    To import it takes as long as half of the rest, and only deployments need it.
    """
    from samtranslator.translator import transform as sam  # noqa: PLC0415

    transform = sam.transform

    def transform_with_parameters(
        template: dict[str, Any], _: dict[str, str], *arguments: object
    ) -> dict[str, Any]:
        transformed: dict[str, Any] = transform(template, _parameters.values, *arguments)
        return transformed

    sam.transform = transform_with_parameters


def hand_parameters_to_sam() -> None:
    """Pass a deployment's parameter values to SAM's transform."""
    for module in (changesets, handlers):
        module._apply_transforms = apply_transforms_and_note  # noqa: SLF001


def create_sockets_with_bridge(config: Config) -> Sockets:
    """Listen on ministack's address, and on the bridge."""
    sockets: Sockets = _create_sockets(config)
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, BRIDGE.encode())
    listening.bind((os.environ["BRIDGE_ADDRESS"], int(os.environ["GATEWAY_PORT"])))
    listening.setblocking(False)  # noqa: FBT003 - the name is the method's
    sockets.insecure_sockets.append(listening)
    return sockets


if __name__ == "__main__":
    if "BRIDGE_ADDRESS" in os.environ:
        Config.create_sockets = create_sockets_with_bridge
    name_errors()
    hand_parameters_to_sam()
    monitoring.install()
    storage.install()
    saving.install()
    adoption.install()
    branches.install()
    callbacks.install()
    maps.install(workers.AT_ONCE)
    limits.install()
    permissions.install()
    signatures.install()
    workers.install()
    apigateway_v1._import_rest_api = import_with_gateway_responses  # noqa: SLF001
    gc.freeze()  # what is imported stays, and is not looked through for garbage
    app.main()
