"""Start functions as forks of a process that has loaded the libraries of their layers.

Importing pandas and scikit-learn takes seconds of a core, and Powertools and pydantic a few tenths;
on AWS each function has cores of its own for that. On a laptop all functions share a few cores, so
the libraries are imported once for all functions with the same layers. A function's environment,
folder, path and streams are its own.

This file is both a library for the cloud and the program that forks.
"""

import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

# Where a process has no handle, as on macOS, libraries do not bear a fork either.
CAN_FORK = hasattr(os, "pidfd_open")
# Those that take long to import, and start no threads by that: obstore and ONNX Runtime may. Of
# this project, what is the same whatever a function's environment says.
LIBRARIES = (
    "aws_lambda_powertools.event_handler",
    "aws_lambda_powertools.metrics",
    "boto3",
    "clinical.params",
    "numpy",
    "pandas",
    "pydantic",
    "skl2onnx",
    "sklearn.ensemble",
)
MESSAGE_BYTES = 128 * 1024


class Forked:
    """A process as its starter sees it, with the interface of `subprocess.Popen`.

    Only its parent knows its exit code, which is not needed here: 0 means that it has ended.
    """

    def __init__(self, pid: int, handle: int, streams: Sequence[IO[str]]) -> None:
        self.pid = pid
        self.stdin, self.stdout, self.stderr = streams
        self.returncode: int | None = None
        self._handle = handle

    def poll(self) -> int | None:
        return self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        if self._ended(timeout) is None:
            raise subprocess.TimeoutExpired("a function", timeout or 0)
        return 0

    def terminate(self) -> None:
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        self._send(signal.SIGKILL)

    def _send(self, what: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._handle, what)

    def _ended(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self._handle], [], [], timeout)[0]:
            self.returncode = 0
        return self.returncode

    def __del__(self) -> None:
        os.close(self._handle)


class Nursery:
    """The process that forks, with the libraries of some layers; later layers take precedence."""

    def __init__(self, layers: Sequence[str], libraries: Sequence[str]) -> None:
        self._lock = threading.Lock()
        self._asking, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-P", __file__, str(theirs.fileno()), *libraries],
                env={**os.environ, "PYTHONPATH": os.pathsep.join(reversed(layers))},
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )

    def start(self, script: str, folder: str, environment: Mapping[str, str]) -> Forked:
        """Run a script in a fork; raises OSError if it cannot fork."""
        asked = json.dumps({"script": script, "folder": folder, "environment": dict(environment)})
        (stdin, to), (from_out, stdout), (from_err, stderr) = (os.pipe() for _ in range(3))
        given = [stdin, stdout, stderr]
        streams = [
            os.fdopen(to, "w", buffering=1),
            os.fdopen(from_out, "r"),
            os.fdopen(from_err, "r"),
        ]
        try:
            with self._lock:
                socket.send_fds(self._asking, [asked.encode()], given)
                told, handles, *_ = socket.recv_fds(self._asking, MESSAGE_BYTES, 1)
            if not handles:
                raise BrokenPipeError("the process that forks has ended")
        except OSError:
            for stream in streams:
                stream.close()
            raise
        finally:
            for end in given:
                os.close(end)
        return Forked(int(told), handles[0], streams)

    def stop(self) -> None:
        """End it; the processes that it started continue."""
        self._asking.close()
        self.process.wait()


class Nurseries:
    """One nursery for each set of layers with the libraries."""

    def __init__(self, libraries: Sequence[str] = LIBRARIES) -> None:
        self._libraries = libraries
        self._of: dict[tuple[str, ...], Nursery | None] = {}
        self._lock = threading.Lock()

    def popen(self, command: Sequence[str], **given: Any) -> "Forked | subprocess.Popen[str]":  # noqa: ANN401
        """Start a function's process as `subprocess.Popen` does, with a fork if that is faster."""
        environment: dict[str, str] = given["env"]
        found = environment.get("_LAMBDA_LAYERS_DIRS", "").split(os.pathsep)
        layers = tuple(str(Path(layer).resolve() / "python") for layer in found if layer)
        names = [library.split(".")[0] for library in self._libraries]
        brought = any(Path(layer, name).exists() for layer in layers for name in names)
        if command[0] == sys.executable and brought:
            with self._lock:
                if layers not in self._of:
                    self._of[layers] = Nursery(layers, self._libraries) if CAN_FORK else None
                nursery = self._of[layers]
            if nursery:
                try:
                    return nursery.start(command[-1], given["cwd"], environment)
                except OSError:
                    self._of[layers] = None
        return subprocess.Popen(command, **given)


def serve(asked: socket.socket) -> None:
    """Fork for each request, until no more can come."""
    path = [entry for entry in sys.path if entry not in os.environ["PYTHONPATH"].split(os.pathsep)]
    while True:
        message, streams, *_ = socket.recv_fds(asked, MESSAGE_BYTES, 3)
        if not message:
            return
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if (pid := os.fork()) == 0:
            gc.enable()
            asked.close()
            for number, stream in enumerate(streams):
                os.dup2(stream, number)
                os.close(stream)
            become(path, **json.loads(message))
            return
        handle = os.pidfd_open(pid)
        socket.send_fds(asked, [str(pid).encode()], [handle])
        for descriptor in (handle, *streams):
            os.close(descriptor)


def become(path: list[str], script: str, folder: str, environment: dict[str, str]) -> None:
    """Run a script as in a newly started Python."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    own = environment.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:] = [str(Path(script).parent), *filter(None, own), *path]
    sys.argv[:] = [script]
    runpy.run_path(script, run_name="__main__")


def read_models() -> None:
    """Read what boto3 makes an S3 client of, which takes 0.1 s: each fork has it then.

    The session that a function takes up has read nothing of this process's environment.
    """
    import boto3  # noqa: PLC0415 - of the function's layers or runtime
    from botocore.session import get_session  # noqa: PLC0415

    reader, untouched = get_session(), get_session()
    reader.create_client(
        "s3",
        region_name="us-east-1",
        aws_access_key_id="none",
        aws_secret_access_key="none",  # noqa: S106 - nobody is asked anything
    )
    untouched.register_component("data_loader", reader.get_component("data_loader"))
    boto3.setup_default_session(botocore_session=untouched)


if __name__ == "__main__":
    # What is imported stays. To look through it for garbage would take time here, and in each fork
    # would copy the memory that they share.
    gc.disable()
    for library in sys.argv[2:]:
        with suppress(ImportError):  # who needs it then says so itself
            importlib.import_module(library)
    if "boto3" in sys.modules:
        read_models()
    gc.freeze()
    serve(socket.socket(fileno=int(sys.argv[1])))
