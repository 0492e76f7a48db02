"""Processes that outlive the command that starts them, found again by a pid file."""

import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

START_SECONDS = 60
STOP_SECONDS = 20


@dataclass(frozen=True)
class Background:
    """A process with a group, a log and a pid file of its own.

    marker: an argument of its command, or the end of one, by which it is told from another process
    that has its pid by now.
    """

    pid_file: Path
    log: Path
    marker: str

    def start(
        self,
        command: Sequence[str | Path],
        folder: Path,
        environment: Mapping[str, str],
        answers: Callable[[], bool],
    ) -> bool:
        """Start it, and say whether it answers within START_SECONDS; if not, it is stopped."""
        with self.log.open("wb") as log:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.pid_file.write_text(str(process.pid))
        deadline = time.monotonic() + START_SECONDS
        while not answers():
            if process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                return False
            time.sleep(0.1)
        return True

    def stop(self) -> bool:
        """Stop it with all that it started, and say whether it ran."""
        pid = self.pid()
        self.pid_file.unlink(missing_ok=True)
        if pid is None:
            return False
        os.killpg(pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while self._runs(pid):
            if time.monotonic() > deadline:
                os.killpg(pid, signal.SIGKILL)
            time.sleep(0.1)
        return True

    def pid(self) -> int | None:
        """Find its pid, if it runs."""
        try:
            pid = int(self.pid_file.read_text())
        except (FileNotFoundError, ValueError):
            return None
        return pid if self._runs(pid) else None

    def _runs(self, pid: int) -> bool:
        try:
            process = psutil.Process(pid)
            return process.status() != psutil.STATUS_ZOMBIE and any(
                part.endswith(self.marker) for part in process.cmdline()
            )
        except psutil.NoSuchProcess:
            return False


def answers(url: str) -> bool:
    """Whether something answers there, and with no error."""
    try:
        with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - on loopback
            return True
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return False
