"""Processes that outlive the command that starts them, and are found by a pid file."""

import errno
import os
import re
import signal
import socket
import subprocess
import time
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from local.interrupts import held_back

START_SECONDS = 180
STOP_SECONDS = 20
ANSWER_SECONDS = 5
STATUS_BYTES = len(b"HTTP/1.1 200")
SHORTEST_SECONDS = 0.001  # a timeout of zero is none: it makes a socket non-blocking
FREED_SECONDS = 10
WITHOUT_IPV6 = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}  # what a probe of ::1 is told there


@dataclass(frozen=True)
class Background:
    """A process with a group, a log and a pid file of its own.

    marker: an argument of its command, or the end of one, which distinguishes it from another
    process with the same pid.
    stop_seconds: the time that it has to save its state and end by itself.
    """

    pid_file: Path
    log: Path
    marker: str
    stop_seconds: float = STOP_SECONDS

    def start(
        self,
        command: Sequence[str | Path],
        folder: Path,
        environment: Mapping[str, str],
        answers: Callable[[], bool],
    ) -> bool:
        """Start it, and return whether it answers within START_SECONDS; otherwise it is stopped.

        It is also stopped if this is interrupted.
        """
        with self.log.open("wb") as log, held_back() as let_through:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                self.pid_file.write_text(str(process.pid))
                let_through()
                deadline = time.monotonic() + START_SECONDS
                while not answers():
                    if process.poll() is not None or time.monotonic() > deadline:
                        self.stop()
                        return False
                    time.sleep(0.1)
            except BaseException:
                with held_back():  # who presses Ctrl-C twice wants no less to be ended
                    self.stop()
                    with suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
                raise
        return True

    def stop(self) -> bool:
        """Ask it to end, wait, end its remaining children, and return whether it was running.

        Its pid file stays until it has ended: if this is interrupted, the next `stop` finds it.
        """
        pid = self.pid()
        if pid is not None:
            self._end(pid)
        self.pid_file.unlink(missing_ok=True)
        return pid is not None

    def was_killed(self) -> bool:
        """Whether it ended, and nobody stopped it."""
        return self.pid_file.exists() and self.pid() is None

    def pid(self) -> int | None:
        """Return its pid if it is running."""
        try:
            pid = int(self.pid_file.read_text())
        except (FileNotFoundError, ValueError):
            return None
        return pid if self._runs(pid) else None

    def _end(self, pid: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + self.stop_seconds
        while self._runs(pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        while self._runs(pid):
            time.sleep(0.05)

    def _runs(self, pid: int) -> bool:
        try:
            process = psutil.Process(pid)
            return process.status() != psutil.STATUS_ZOMBIE and any(
                part.endswith(self.marker) for part in process.cmdline()
            )
        except psutil.NoSuchProcess:
            return False


def answers(url: str) -> bool:
    """Whether a URL of loopback answers without an error within ANSWER_SECONDS in total.

    A thread that could be left waiting would do the same for programs that respond bit by bit. But
    Python 3.13 can crash in its last moment, with a thread that is still running.
    """
    deadline = time.monotonic() + ANSWER_SECONDS
    asked = urllib.parse.urlsplit(url)
    request = f"GET {asked.path} HTTP/1.1\r\nHost: {asked.netloc}\r\nConnection: close\r\n\r\n"
    status = b""
    with (
        suppress(OSError),
        socket.create_connection((asked.hostname, asked.port), ANSWER_SECONDS) as connection,
    ):
        connection.sendall(request.encode())
        while len(status) < STATUS_BYTES:
            connection.settimeout(max(deadline - time.monotonic(), SHORTEST_SECONDS))
            received = connection.recv(STATUS_BYTES - len(status))
            if not received:
                break
            status += received
    return re.fullmatch(rb"HTTP/1\.[01] 2\d\d", status) is not None


def is_free(port: int, *, was_killed: bool) -> bool:
    """Whether nobody else listens on a port of loopback.

    was_killed: whether the program that is to listen there was killed, and may yet leave it.
    """
    return not is_taken(port) or (was_killed and is_freed(port))


def is_freed(port: int) -> bool:
    """Whether a port of loopback is free, within FREED_SECONDS.

    What was killed keeps its ports until all of its threads have ended, such as one that writes to
    a slow disk.
    """
    deadline = time.monotonic() + FREED_SECONDS
    while is_taken(port):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def is_taken(port: int) -> bool:
    """Whether a program is listening on a port of loopback, whatever it answers.

    Browsers and commands that ask localhost may ask ::1 first, and would not reach what listens on
    127.0.0.1 only.
    """
    return any(
        _cannot_be_bound(family, address, port)
        for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))
    )


def _cannot_be_bound(family: socket.AddressFamily, address: str, port: int) -> bool:
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((address, port))
    except OSError as error:
        return error.errno not in WITHOUT_IPV6
    return False
