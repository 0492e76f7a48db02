"""Start and stop the console's process."""

import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from local.background import Background, answers, is_free
from local.cloud import ROOT, CloudFailed
from local.studies import study_of

RUN_FROM = ("local", "layers", "pipeline", "site")


@dataclass(frozen=True)
class ConsoleProcess:
    """The console of a stack.

    folder: the stack's, in its cloud's home. study: the stack's study, as in STUDY=.
    """

    folder: Path
    port: int
    home: Path
    study: str = ""

    @classmethod
    def of(cls, folder: Path) -> "ConsoleProcess":
        """Return the console of a stack on any port, to stop it."""
        return cls(folder, 0, folder)

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    def start(self) -> bool:
        """Start it unless it is running on this port with current code; return whether it started.

        Raises CloudFailed if it does not come up, for example because the port is taken.
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
                f"the console did not start on port {self.port}; see {self._process.log}, or "
                "choose another port with CONSOLE_PORT="
            )
        return True

    def check_port(self) -> None:
        """Raise CloudFailed if another program is listening on the port."""
        if self._process.pid() is None and not is_free(
            self.port, was_killed=self._process.was_killed()
        ):
            raise CloudFailed(
                f"port {self.port} for the console is already in use: stop the program that is "
                "listening there, or choose another port with CONSOLE_PORT="
            )

    def stop(self) -> bool:
        """Stop it, and return whether it was running."""
        return self._process.stop()

    def _is_up(self) -> bool:
        return answers(f"{self.url}/models")

    def _is_outdated(self) -> bool:
        """Whether its code or its study's params.yaml has changed since it started."""
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
        """The environment, without pytest's variables, which would change how NiceGUI serves."""
        inherited = {name: value for name, value in os.environ.items() if "PYTEST" not in name}
        return {**inherited, "NICEGUI_STORAGE_PATH": str(self.folder / "console")}


def address_of(folder: Path) -> str | None:
    """Return the URL of a stack's console; None if it is not running."""
    pid = ConsoleProcess.of(folder)._process.pid()  # noqa: SLF001
    if pid is None:
        return None
    with suppress(psutil.NoSuchProcess, ValueError, IndexError):
        command = psutil.Process(pid).cmdline()
        return f"http://localhost:{command[command.index('--port') + 1]}"
    return None
