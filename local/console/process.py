"""Start and stop the console, a process of its own that outlives the command."""

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import psutil

from local.cloud import ROOT, CloudFailed

START_SECONDS = 60
STOP_SECONDS = 10


@dataclass(frozen=True)
class ConsoleProcess:
    """The console of the cloud that keeps all it has at home."""

    home: Path
    port: int

    @classmethod
    def of(cls, home: Path) -> "ConsoleProcess":
        """Find the console of a cloud, wherever it listens, to stop it."""
        return cls(home, 0)

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def log(self) -> Path:
        return self.home / "console.log"

    def start(self) -> bool:
        """Start it unless it runs on this port, and say whether it was started.

        Raises CloudFailed where it does not come up, as on a port that is another's.
        """
        running = self._process()
        if running and str(self.port) in running.cmdline() and self._answers():
            return False
        self.stop()
        with self.log.open("wb") as log:
            process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "local.console",
                    "--home",
                    self.home,
                    "--port",
                    f"{self.port}",
                ],
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._pid_file.write_text(str(process.pid))
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise CloudFailed(
                    f"the console did not come up on port {self.port}; see {self.log}, or choose "
                    "another port with CONSOLE_PORT="
                )
            time.sleep(0.1)
        return True

    def stop(self) -> bool:
        """Stop it, and say whether it ran."""
        process = self._process()
        self._pid_file.unlink(missing_ok=True)
        if process is None:
            return False
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except psutil.TimeoutExpired:
            process.kill()
        return True

    @property
    def _environment(self) -> dict[str, str]:
        """Say what it is told; NiceGUI would serve otherwise if it saw that pytest started it."""
        inherited = {name: value for name, value in os.environ.items() if "PYTEST" not in name}
        return {**inherited, "NICEGUI_STORAGE_PATH": str(self.home / "console")}

    @property
    def _pid_file(self) -> Path:
        return self.home / "console.pid"

    def _process(self) -> psutil.Process | None:
        """Find the process of the pid file, if it is a console; a pid may be another's by now."""
        try:
            process = psutil.Process(int(self._pid_file.read_text()))
            return process if "local.console" in process.cmdline() else None
        except (FileNotFoundError, ValueError, psutil.NoSuchProcess, psutil.ZombieProcess):
            return None

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/models", timeout=5):  # noqa: S310
                return True
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            return False
