"""Start and stop the console, which is a process of its own."""

import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from local.background import Background, answers, is_taken
from local.cloud import ROOT, CloudFailed
from local.studies import study_of

RUN_FROM = ("local", "layers", "pipeline", "site")


@dataclass(frozen=True)
class ConsoleProcess:
    """The console of a stack.

    folder: of the stack, in its cloud's home. study: whose stack it is, as STUDY= names it.
    """

    folder: Path
    port: int
    home: Path
    study: str = ""

    @classmethod
    def of(cls, folder: Path) -> "ConsoleProcess":
        """Find the console of a stack, wherever it listens, to stop it."""
        return cls(folder, 0, folder)

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    def start(self) -> bool:
        """Start it unless it runs on this port, as its code is now; say whether it was started.

        Raises CloudFailed where it does not come up, as on a port that is another's.
        """
        if self._process.pid() and self._is_up() and not self._is_outdated():
            return False
        self.stop()
        self.check_port()
        command = (
            sys.executable,
            "-m",
            "local.console",
            "--home",
            self.home,
            "--port",
            f"{self.port}",
            "--study",
            self.study,
        )
        if not self._process.start(command, ROOT, self._environment, self._is_up):
            raise CloudFailed(
                f"the console did not come up on port {self.port}; see {self._process.log}, or "
                "choose another port with CONSOLE_PORT="
            )
        return True

    def check_port(self) -> None:
        """Raise CloudFailed where another program listens on the port."""
        if self._process.pid() is None and is_taken(self.port):
            raise CloudFailed(
                f"port {self.port}, where the console is to listen, is taken: stop what listens "
                "there, or choose another with CONSOLE_PORT="
            )

    def stop(self) -> bool:
        """Stop it, and say whether it ran."""
        return self._process.stop()

    def _is_up(self) -> bool:
        return answers(f"{self.url}/models")

    def _is_outdated(self) -> bool:
        """Whether the code that it runs, or the decisions that it tells of, are newer than it."""
        code = (
            file
            for folder in RUN_FROM
            for ending in ("py", "js")
            for file in (ROOT / folder).rglob(f"*.{ending}")
        )
        newest = max(one.stat().st_mtime for one in (*code, study_of(self.study).params_path))
        return newest > self._process.pid_file.stat().st_mtime

    @property
    def _process(self) -> Background:
        return Background(self.folder / "console.pid", self.folder / "console.log", "local.console")

    @property
    def _environment(self) -> dict[str, str]:
        """Say what it is told; NiceGUI would serve otherwise if it saw that pytest started it."""
        inherited = {name: value for name, value in os.environ.items() if "PYTEST" not in name}
        return {**inherited, "NICEGUI_STORAGE_PATH": str(self.folder / "console")}


def address_of(folder: Path) -> str | None:
    """Say where the console of a stack is; None where it does not run."""
    pid = ConsoleProcess.of(folder)._process.pid()  # noqa: SLF001
    if pid is None:
        return None
    with suppress(psutil.NoSuchProcess, ValueError, IndexError):
        command = psutil.Process(pid).cmdline()
        return f"http://localhost:{command[command.index('--port') + 1]}"
    return None
