"""Save the cloud's state while it runs, so that a crash loses nothing.

Ministack saves only when it is stopped. Here a generation is written soon after each change, at
once when `make up` requests it, and when the cloud is stopped, but not while a stack is being
deployed: after a crash during a deployment, the cloud is as it was before, without a partial stack
to clean up. Objects in S3 are not part of this: ministack writes each, with its versions, before it
answers.
"""

import asyncio
import json
import logging
import os
import signal
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import FunctionType, ModuleType, SimpleNamespace
from typing import Any

# Beside this file, which is where Python looks first; mypy knows them as local.emulator.*.
import actions  # type: ignore[import-not-found]
import generations  # type: ignore[import-not-found]
from ministack import app
from ministack.core import persistence
from ministack.services import (
    cloudformation,
    cloudwatch,
    cloudwatch_logs,
    lambda_svc,
    stepfunctions,
)

SAVE = "/_local/save"  # a POST there is answered when all is saved
STOP = "/_local/stop"  # and there, when that was for the last time: then the cloud ends
LEAST_SECONDS = 0.5
WAIT_SECONDS = 2.0
SHARE = 20  # it rests for so many times as long as it saved,
URGENT_SHARE = 4  # and for so many at least
GRACE_SECONDS = 1.0
TRIES = 20
LONG_BYTES = 64 * 1024
UNDER_WAY = "_IN_PROGRESS"
REVIEWED = "REVIEW_IN_PROGRESS"  # nothing is made yet

type Scope = dict[str, Any]
type Receive = Callable[[], Awaitable[dict[str, Any]]]
type Send = Callable[[dict[str, Any]], Awaitable[None]]

_log = logging.getLogger("saving")
_answer = app.app
_json_default = persistence._json_default  # noqa: SLF001
_json_object_hook = persistence._json_object_hook  # noqa: SLF001
_load_executions = stepfunctions.load_persisted_state
_load_stacks = cloudformation.load_persisted_state


class Saver:
    """Writes generations, one at a time."""

    def __init__(self, folder: Path) -> None:
        self.kept = generations.Generations(folder)
        self._running = folder / generations.RUNNING
        self.changed = threading.Event()
        self.urgent = threading.Event()
        self._digests: dict[int, tuple[bytes, str]] = {}
        self._lock = threading.Lock()
        self._is_over = False
        self._last, _ = self.kept.newest()
        if self._last:
            persistence.STATE_DIR = str(self._last.folder)
        folder.mkdir(parents=True, exist_ok=True)
        self._running.touch()

    def save(self, *, for_good: bool = False) -> bool:
        """Write a generation, and say whether all is saved: not while a stack is deployed.

        for_good: whether what happens afterwards is none of it, such as the failure of an execution
        whose cloud is being stopped.
        Raises OSError where the disk takes no more.
        """
        with self._lock:
            self.changed.clear()
            if self._is_over:
                return True
            if deploys():
                return False
            files = {
                f"{name}.json": self._written(name, state_of)
                for name, state_of in app._build_persistence_save_dict().items()  # noqa: SLF001
            }
            if deploys():
                return False
            self._last = self.kept.write(files, self._last)
            if for_good:
                self._is_over = True
                self._running.unlink(missing_ok=True)
            return True

    def run(self) -> None:
        """Save soon after each change, for as long as the cloud runs."""
        while True:
            self.changed.wait()
            began = time.monotonic()
            try:
                if not self.save():
                    self.changed.set()
            except OSError:
                _log.exception("what the cloud holds cannot be saved")
                self.changed.set()
            took = time.monotonic() - began
            time.sleep(max(LEAST_SECONDS, URGENT_SHARE * took))
            self.urgent.wait(max(WAIT_SECONDS, SHARE * took))
            self.urgent.clear()

    def _written(self, name: str, state_of: Callable[[], Any]) -> bytes:
        """Write a service's state; again if it changes while it is copied or written."""
        form = persistence._state_format_version(name)  # noqa: SLF001
        for _ in range(TRIES):
            try:
                state = {"__ministack_format__": form, "payload": state_of()}
                return json.dumps(state, default=self.encoded).encode()
            except RuntimeError as error:
                changed = error
                time.sleep(0.01)
        raise OSError("it changes all the time") from changed

    def encoded(self, value: object) -> object:
        """Encode what JSON cannot, as ministack does, but for what is long."""
        if not isinstance(value, bytes) or len(value) < LONG_BYTES:
            return _json_default(value)
        known = self._digests.get(id(value))
        if known is None or known[0] is not value or not self.kept.long(known[1]).exists():
            known = self._digests[id(value)] = (value, self.kept.write_long(value))
        return {"__long__": known[1]}

    def decoded(self, read: dict[str, Any]) -> object:
        if "__long__" in read:
            return self.kept.long(read["__long__"]).read_bytes()
        return _json_object_hook(read)


def uncopied(service: ModuleType) -> Callable[[], Scope]:
    """Give a service's state as it is: to copy what it holds takes longer than to write it.

    What changes while it is written is written again, as it is with a copy.
    """
    as_it_is = SimpleNamespace(deepcopy=lambda value: value)
    names = vars(service)
    copying = service.get_state

    def state() -> Scope:
        given: Scope = FunctionType(copying.__code__, {**names, "copy": as_it_is})()
        return given

    return state


def deploys() -> bool:
    """Whether a stack is being created, changed or deleted."""
    return any(
        stack["StackStatus"].endswith(UNDER_WAY) and stack["StackStatus"] != REVIEWED
        for stack in list(cloudformation._stacks._data.values())  # noqa: SLF001
    )


def load_executions(data: dict[str, Any]) -> None:
    """Restore executions; those that were running end, also in their histories."""
    running = {
        arn
        for arn, execution in data.get("executions", {}).items()
        if execution.get("status") == "RUNNING"
    }
    _load_executions(data)
    for execution in stepfunctions._executions.all_values():  # noqa: SLF001
        if execution["executionArn"] in running:
            failure = {"error": execution["error"], "cause": execution["cause"]}
            stepfunctions._add_event(  # noqa: SLF001
                execution, "ExecutionFailed", {"executionFailedEventDetails": failure}
            )


def load_stacks(data: dict[str, Any]) -> None:
    """Restore stacks; deployments that were in progress have failed."""
    _load_stacks(data)
    for stack in cloudformation._stacks._data.values():  # noqa: SLF001
        status = stack["StackStatus"]
        if status.endswith(UNDER_WAY) and status != REVIEWED:
            stack["StackStatus"] = f"{status.split('_')[0]}_FAILED"


def saving(saver: Saver) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """Answer as ministack does, save on request, and note requests that may change the state."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] in {SAVE, STOP}:
            status, text = await asyncio.to_thread(saved, saver, for_good=scope["path"] == STOP)
            await send({"type": "http.response.start", "status": status, "headers": []})
            await send({"type": "http.response.body", "body": text.encode()})
            return
        await _answer(scope, receive, send)
        if scope["type"] == "http" and not actions.only_reads(scope):
            saver.changed.set()

    return answer


def emitting(saver: Saver) -> Callable[[dict[str, Any]], None]:
    """Send the event of an execution's new status, and save soon."""
    emit_before = stepfunctions._emit_execution_status_event  # noqa: SLF001

    def emit(execution: dict[str, Any]) -> None:
        emit_before(execution)
        saver.changed.set()
        saver.urgent.set()

    return emit


def saved(saver: Saver, *, for_good: bool) -> tuple[int, str]:
    """Save, and return the status and text of a response.

    What saved for good ends, whether or not whoever requested it is still there to end it: nothing
    that it did from then on would be saved.
    """
    try:
        done = saver.save(for_good=for_good)
    except OSError as error:
        return 507, str(error)
    if done and for_good:
        end_soon()
    return (200, "saved") if done else (409, "a stack is being deployed")


def save_all(saver: Saver) -> None:
    """Save for the last time, in ministack's own place for it, and end soon."""
    try:
        if not saver.save(for_good=True):
            _log.warning("stopped while a stack was deployed: it stays as it was before")
    except OSError:
        _log.exception("what the cloud holds cannot be saved")
    end_soon()


def end_soon() -> None:
    """End when there was time to respond, and to end what can be ended in order."""
    ending = threading.Timer(GRACE_SECONDS, end)
    ending.daemon = True
    ending.start()


def end() -> None:
    """End, with every function that is still running, such as a long training.

    Python would wait for them. Their executions are told and started again by the next `make up`.
    """
    if os.getpgrp() == os.getpid():  # else this was started by hand, with others
        os.killpg(0, signal.SIGKILL)
    os._exit(0)


def install() -> None:
    """Install the corrections before ministack starts."""
    saver = Saver(Path(os.environ["STATE_DIR"]))
    persistence._json_object_hook = saver.decoded  # noqa: SLF001
    lambda_svc._prune_orphan_code_blobs = lambda _: None  # noqa: SLF001 - generations share them
    stepfunctions.load_persisted_state = load_executions
    stepfunctions._emit_execution_status_event = emitting(saver)  # noqa: SLF001
    for service in (cloudformation, cloudwatch, cloudwatch_logs, stepfunctions):
        service.get_state = uncopied(service)
    cloudformation.load_persisted_state = load_stacks
    app.app = saving(saver)
    app.save_all = lambda _: save_all(saver)
    threading.Thread(target=saver.run, name="saving", daemon=True).start()
