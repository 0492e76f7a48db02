"""Processes that a pid file finds, and those that were killed."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from local.background import Background


def ended(folder: Path) -> int:
    """The pid of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""], cwd=folder)
    process.wait()
    return process.pid


@pytest.fixture
def program(tmp_path: Path) -> Background:
    return Background(tmp_path / "program.pid", tmp_path / "program.log", "program")


def test_what_ended_by_itself_was_killed_and_what_never_started_was_not(
    program: Background, tmp_path: Path
) -> None:
    assert not program.was_killed()
    program.pid_file.write_text(f"{ended(tmp_path)}")

    assert program.was_killed()
    assert not program.stop()
    assert not program.was_killed()


def test_what_runs_was_not_killed(tmp_path: Path) -> None:
    own = psutil.Process().cmdline()[0]
    running = Background(tmp_path / "own.pid", tmp_path / "own.log", own)
    running.pid_file.write_text(f"{os.getpid()}")

    assert not running.was_killed()
