"""Run functions in few processes that share their layers: a correction before ministack starts.

On AWS a burst gets as many environments as it needs, each with its layers mounted. Ministack gives
each a process and a copy of its layers, about 30 MB unpacked, so that on a laptop a burst collapses
under its own starts. Here a function has a few processes, further requests wait for one in turn,
and layers and code are unpacked once for all clouds, which also keeps Python's bytecode. A function
that needs the training libraries is a fork of a process that has loaded them. Every line that a
function writes is logged with the invocation that wrote it.
"""

import os
import subprocess
import threading
import time
import zipfile
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from lines import Lines  # type: ignore[import-not-found]
from ministack.core import lambda_runtime
from ministack.services import lambda_svc
from nursery import Nurseries  # type: ignore[import-not-found]
from unpacking import Unpacked  # type: ignore[import-not-found]

AT_ONCE = 2 * (os.cpu_count() or 1)  # processes of one function
LAYER, CODE = b"shared layer: ", b"shared code: "

_spawn = lambda_runtime.Worker._spawn  # noqa: SLF001
_resolve_layer_zip = lambda_svc._resolve_layer_zip  # noqa: SLF001
_spawning = threading.local()


class Turns:
    """A limited number at once, and the others in order of arrival."""

    def __init__(self, most: int) -> None:
        self._free = most
        self._waiting: deque[threading.Event] = deque()
        self._lock = threading.Lock()

    @contextmanager
    def turn(self) -> Iterator[None]:
        with self._lock:
            mine = threading.Event()
            if self._free:
                self._free -= 1
                mine.set()
            else:
                self._waiting.append(mine)
        mine.wait()
        try:
            yield
        finally:
            with self._lock:
                if self._waiting:
                    self._waiting.popleft().set()
                else:
                    self._free += 1


class LinkingZip(zipfile.ZipFile):
    """An archive that is unpacked as links if it stands for a shared folder.

    A layer is one link. A function's folder is its own, with a link to each part of its code.
    """

    def extractall(self, path: Any = None, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        if self.comment.startswith(LAYER):
            Path(path).rmdir()
            Path(path).symlink_to(os.fsdecode(self.comment.removeprefix(LAYER)))
        elif self.comment.startswith(CODE):
            for part in Path(os.fsdecode(self.comment.removeprefix(CODE))).iterdir():
                Path(path, part.name).symlink_to(part)
        else:
            super().extractall(path, *args, **kwargs)


def standing_for(folder: Path, what: bytes) -> bytes:
    """Create the archive that stands for a shared layer or shared code."""
    held = BytesIO()
    with zipfile.ZipFile(held, "w") as file:
        file.comment = what + os.fsencode(folder)
    return held.getvalue()


def install() -> None:
    """Install the corrections; fails if ministack now starts processes differently."""
    names = lambda_runtime.Worker._spawn.__code__.co_names  # noqa: SLF001
    needed = {"_resolve_layer_zip", "zipfile", "extractall", "subprocess", "Popen", "_read_stderr"}
    if not needed <= set(names):
        raise SystemExit(
            "ministack has changed: check how it now unpacks layers and starts functions"
        )
    unpacked = Unpacked(Path(os.environ["UNPACKED_DIR"]))
    unpacked.forget_unused(time.time())
    nurseries = Nurseries()
    turns: defaultdict[str, Turns] = defaultdict(lambda: Turns(AT_ONCE))

    def resolve(attachment: str | dict[str, Any]) -> bytes | None:
        archive: bytes | None = _resolve_layer_zip(attachment)
        if archive and getattr(_spawning, "worker", None):
            return standing_for(unpacked.folder_of(archive), LAYER)
        return archive

    def spawn(worker: lambda_runtime.Worker) -> None:
        _spawning.worker, code = worker, worker.code_zip
        worker.code_zip = standing_for(unpacked.folder_of(code), CODE)
        try:
            _spawn(worker)
        finally:
            _spawning.worker, worker.code_zip = None, code

    def popen(*args: Any, **given: Any) -> Any:  # noqa: ANN401
        process = nurseries.popen(*args, **given)
        if worker := getattr(_spawning, "worker", None):
            worker.lines = Lines(process.stderr)
        return process

    def execute(function: dict[str, Any], *args: object) -> dict[str, Any]:
        config = function.get("config") or function
        with turns[config["FunctionArn"]].turn():
            answer: dict[str, Any] = before(function, *args)
            return answer

    before = lambda_svc._execute_function_warm  # noqa: SLF001 - which names errors by now
    lambda_svc._execute_function_warm = execute  # noqa: SLF001
    lambda_svc._resolve_layer_zip = resolve  # noqa: SLF001
    lambda_runtime.Worker._spawn = spawn  # noqa: SLF001
    lambda_runtime.Worker._read_stderr = lambda worker: worker.lines.follow()  # noqa: SLF001
    for drain in ("_drain_stderr", "_drain_stderr_bounded"):
        setattr(lambda_runtime.Worker, drain, lambda worker: worker.lines.taken())
    lambda_runtime.zipfile = SimpleNamespace(**{**vars(zipfile), "ZipFile": LinkingZip})
    lambda_runtime.subprocess = SimpleNamespace(**{**vars(subprocess), "Popen": popen})
