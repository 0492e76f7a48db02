import os
from pathlib import Path

import pytest

from local.console import process
from local.console.process import ConsoleProcess

OLD, STARTED, NEW = 1_000, 2_000, 3_000  # seconds since 1970


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project in which the console runs that was started after all of it was written."""
    for name in ("own/params.yaml", "console.pid", "local/page.py", "site/replay.js"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.touch()
        os.utime(file, (OLD, OLD))
    os.utime(tmp_path / "console.pid", (STARTED, STARTED))
    monkeypatch.setattr(process, "ROOT", tmp_path)
    return tmp_path


def is_outdated(root: Path) -> bool:
    return ConsoleProcess(root, 0, root, str(root / "own"))._is_outdated()


def test_a_console_that_is_newer_than_what_it_runs_and_tells_of_stays(root: Path) -> None:
    assert not is_outdated(root)


@pytest.mark.parametrize("changed", ["own/params.yaml", "local/page.py", "site/replay.js"])
def test_what_it_runs_or_tells_of_makes_it_start_anew(root: Path, changed: str) -> None:
    os.utime(root / changed, (NEW, NEW))

    assert is_outdated(root)
