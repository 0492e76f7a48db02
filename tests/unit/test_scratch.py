import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from tests import scratch

PLENTY = 64 * 2**30


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(scratch, "MEMORY", tmp_path)
    has(monkeypatch, free=PLENTY, available=PLENTY)
    return tmp_path


def has(monkeypatch: pytest.MonkeyPatch, free: int, available: int) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    told = SimpleNamespace(available=available)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: told)


def test_a_run_has_a_folder_of_its_own_and_what_runs_that_ended_left_is_gone(memory: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    left, beside = (
        memory / f"clinical-outcomes-tests-{os.getuid()}" / str(pid)
        for pid in (ended.pid, os.getppid())
    )
    of_the_same_number = left.with_name(str(os.getpid()))
    for folder in (left, beside, of_the_same_number):
        folder.mkdir(parents=True)
        (folder / "file").touch()

    made = scratch.make_folder()

    assert made
    assert made.is_dir()
    assert made == of_the_same_number
    assert not list(made.iterdir())
    assert not left.exists()
    assert (beside / "file").exists()


@pytest.mark.parametrize(("free", "available"), [(2**26, PLENTY), (PLENTY, 2**33)])
def test_where_memory_is_short_there_is_none(
    memory: Path, monkeypatch: pytest.MonkeyPatch, free: int, available: int
) -> None:
    has(monkeypatch, free, available)

    assert scratch.make_folder() is None
    assert not list(memory.glob("*/*"))


def test_where_the_system_has_no_such_place_there_is_none(
    memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scratch, "MEMORY", memory / "nowhere")

    assert scratch.make_folder() is None
