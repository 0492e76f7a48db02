"""Interruptions while a process is being started, or ended: none stays that nobody knows."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from local import interrupts
from local.background import Background
from local.interrupts import held_back
from local.ministack import Ministack
from local.stack import Stack, end

WAITING = "import time; print('begun', flush=True); time.sleep(600)"
DEAF = f"import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); {WAITING}"


@pytest.fixture(autouse=True)
def _listening(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(interrupts, "OUTPUTS", ())  # which are pytest's here
    before = {number: signal.getsignal(number) for number in interrupts.ALL}
    interrupts.leave_to_the_system()  # whoever runs the tests may have them ignore some, as nohup
    interrupts.listen()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[psutil.Process]]:
    """The processes that are started, at each of which somebody presses Ctrl-C at once."""
    processes: list[psutil.Process] = []
    begin = subprocess.Popen.__init__

    def pressed(process: "subprocess.Popen[str]", *given: object, **more: object) -> None:
        begin(process, *given, **more)  # type: ignore[call-overload]
        processes.append(psutil.Process(process.pid))
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(subprocess.Popen, "__init__", pressed)
    yield processes
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()


@contextmanager
def running(code: str) -> Iterator[subprocess.Popen[str]]:
    """A process that has begun, with a group of its own, which is killed at the end."""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "begun\n"
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def has_ended(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


@pytest.fixture
def program(tmp_path: Path) -> Background:
    return Background(tmp_path / "program.pid", tmp_path / "program.log", WAITING)


@pytest.mark.parametrize("number", interrupts.ALL)
def test_what_is_held_back_comes_when_it_is_let_through(number: signal.Signals) -> None:
    with held_back() as let_through:
        signal.raise_signal(number)
        with pytest.raises(KeyboardInterrupt):
            let_through()
        with pytest.raises(KeyboardInterrupt):  # and from then on at once
            signal.raise_signal(number)


@pytest.mark.parametrize("number", interrupts.ALL)
def test_what_is_held_back_comes_at_the_end_at_the_latest(number: signal.Signals) -> None:
    reached = []
    before = signal.getsignal(number)

    def hold() -> None:
        with held_back():
            signal.raise_signal(number)
            reached.append(True)

    with pytest.raises(KeyboardInterrupt):
        hold()

    assert reached
    assert signal.getsignal(number) is before


def test_a_terminal_that_nohup_has_a_command_survive_does_not_end_it() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

    interrupts.listen()
    with held_back():
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN

    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN


def test_what_nobody_listens_for_is_not_held_back() -> None:
    interrupts.leave_to_the_system()

    with held_back():
        assert all(signal.getsignal(number) == signal.SIG_DFL for number in interrupts.ALL)


def test_without_ctrl_c_nothing_comes() -> None:
    with held_back() as let_through:
        let_through()

    assert callable(signal.getsignal(signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_a_thread_which_nobody_interrupts_holds_nothing_back() -> None:
    done = []
    before = signal.getsignal(signal.SIGINT)

    def hold() -> None:
        with held_back() as let_through:
            let_through()
            done.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=hold)
    thread.start()
    thread.join()

    assert done == [before]


def test_a_process_in_the_background_is_ended_where_ctrl_c_comes_while_it_is_started(
    program: Background, started: list[psutil.Process]
) -> None:
    command = [sys.executable, "-c", WAITING]
    with pytest.raises(KeyboardInterrupt):
        program.start(command, program.log.parent, os.environ, lambda: True)

    (process,) = started
    assert has_ended(process)
    assert not program.pid_file.exists()


def test_sam_is_ended_where_ctrl_c_comes_while_it_is_started(
    tmp_path: Path, started: list[psutil.Process]
) -> None:
    stack = Stack(Ministack(tmp_path, 1))

    with pytest.raises(KeyboardInterrupt):
        stack._sam("deploy", "--guided")

    (process,) = started
    assert has_ended(process)


def test_ctrl_c_while_a_process_is_stopped_leaves_the_file_that_finds_it(
    program: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(WAITING) as process:
        program.pid_file.write_text(str(process.pid))
        with monkeypatch.context() as patch:
            patch.setattr(os, "kill", lambda *_: signal.raise_signal(signal.SIGINT))
            with pytest.raises(KeyboardInterrupt):
                program.stop()

        assert program.pid() == process.pid
        assert program.stop()
        assert not program.pid_file.exists()


def test_what_has_children_is_ended_with_them() -> None:
    nest = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {DEAF!r}])"
    with running(nest) as process:
        children = psutil.Process(process.pid).children(recursive=True)

        end(process)

    assert children
    assert all(has_ended(child) for child in children)
