"""Two commands at once, ports that are another's, Ctrl-C, a cloud that dies: told in a sentence."""

import contextlib
import os
import pty
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from local import background, executions
from local.background import is_freed, is_taken
from local.stack import BUILT_OF
from tests.integration.conftest import ROOT, Laptop, few_trees_in, free_port, of_few_trees
from tests.patience import MOMENT_SECONDS, PATIENCE_SECONDS, until

SOON_SECONDS = 0.5


@contextmanager
def begun(laptop: Laptop, command: str, **more: str) -> Iterator["Command"]:
    """A command under way, as `make` runs it."""
    with subprocess.Popen(
        [sys.executable, *laptop.arguments(command)],
        cwd=ROOT,
        env={**os.environ, "CONSOLE_PORT": str(laptop.console_port), "PYTHONUNBUFFERED": "1"}
        | more,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield Command(process)
        finally:
            process.kill()


class Command:
    """What a command under way prints."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.printed = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        with contextlib.suppress(ValueError):
            while line := self.process.stdout.readline():
                self.printed += line

    def interrupt(self) -> None:
        """Do what Ctrl-C does to it; `make` passes it on to nobody else."""
        self.process.send_signal(signal.SIGINT)

    def ended(self) -> int:
        code = self.process.wait(PATIENCE_SECONDS)
        self._reader.join(PATIENCE_SECONDS)
        return code

    def has_loaded(self, library: str) -> bool:
        """Whether it is so far with what it imports, which is long before it starts anything."""
        with contextlib.suppress(OSError):
            return library in Path(f"/proc/{self.process.pid}/maps").read_text()
        return False

    def runs(self, *words: str) -> list[psutil.Process]:
        """Its children whose command has all those words."""
        return children_of(self.process, *words)


def children_of(process: subprocess.Popen[Any], *words: str) -> list[psutil.Process]:
    """The children of a process whose command has all those words."""
    with contextlib.suppress(psutil.NoSuchProcess):
        children = psutil.Process(process.pid).children(recursive=True)
        return [child for child in children if set(words) <= set(words_of(child))]
    return []


def words_of(process: psutil.Process) -> list[str]:
    with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
        return [word.rsplit("/", 1)[-1] for word in process.cmdline()]
    return []


@contextmanager
def silent() -> Iterator[int]:
    """A program that accepts connections on a port, and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


@contextmanager
def silent_in_ipv6() -> Iterator[int]:
    """One that listens where nothing of ours does, and where a browser asks localhost first."""
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listening:
        yield listening.getsockname()[1]


@contextmanager
def babbling() -> Iterator[int]:
    """A program that answers whatever comes, in no protocol that is known."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    with connection, contextlib.suppress(OSError):
                        connection.recv(1024)
                        connection.sendall(b"what?\r\n")

        threading.Thread(target=answer, daemon=True).start()
        yield listening.getsockname()[1]


@pytest.mark.parametrize("program", [silent, silent_in_ipv6, babbling])
def test_a_port_that_a_silent_program_holds_is_told_at_once(
    start_laptop: Callable[[str], Laptop],
    program: Callable[[], contextlib.AbstractContextManager[int]],
) -> None:
    home = start_laptop("elsewhere").home

    with program() as port:
        for laptop in (Laptop(home, port), Laptop(home, free_port(), port)):
            done = laptop.run("up")
            assert done.returncode == 1
            assert f"port {port}" in done.stdout
            assert "is already in use" in done.stdout
            assert "PORT=" in done.stdout
            assert "Traceback" not in done.stdout
            assert not (home / "cloud.pid").exists()
        for command in ("retrain", "models", "predict"):
            (home / "outputs.json").write_text("{}")
            done = Laptop(home, port).run(command)
            assert done.returncode == 1
            assert "run `make up` first" in done.stdout


def test_a_port_is_waited_for_until_what_was_killed_leaves_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As long as a thread of it writes to a slow disk, a killed program keeps its port."""
    with silent() as port, socket.create_server(("127.0.0.1", 0)) as kept:
        left = kept.getsockname()[1]
        assert is_taken(left)
        threading.Timer(SOON_SECONDS, kept.close).start()

        assert is_freed(left)
        monkeypatch.setattr(background, "FREED_SECONDS", SOON_SECONDS)
        assert not is_freed(port)


def test_a_second_up_in_one_home_is_told_of_the_first(
    laptop: Laptop, start_laptop: Callable[[str], Laptop]
) -> None:
    home = start_laptop("twice").home
    one, other = Laptop(home, free_port()), Laptop(home, free_port())

    with begun(one, "up") as first:
        until(lambda: (home / "lock").exists() and (home / "lock").read_text(), "the lock")
        for command in ("up", "down", "retrain"):
            done = other.run(command)
            assert done.returncode == 1
            holder = f"`make up` (process {first.process.pid})"
            assert f"{holder} is already running on {home}" in done.stdout
        first.process.kill()
        first.ended()

    assert one.run("down").returncode == 0  # the lock of one that is dead is nobody's
    assert laptop.run("predict").returncode == 0


def test_a_proxy_is_not_asked_for_what_is_on_this_machine(laptop: Laptop) -> None:
    with silent() as port:
        proxy = f"http://127.0.0.1:{port}"
        through = dict.fromkeys(("HTTP_PROXY", "http_proxy", "ALL_PROXY"), proxy)
        excepted = dict.fromkeys(("NO_PROXY", "no_proxy"), ".hospital.example")

        for command in ("up", "predict", "models"):
            done = laptop.run(command, **through, **excepted)
            assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "localhost,127.0.0.1,::1"),
        ({"NO_PROXY": "*"}, "*"),
        ({"NO_PROXY": ".hospital.example"}, ".hospital.example,localhost,127.0.0.1,::1"),
        ({"NO_PROXY": "upper", "no_proxy": "lower"}, "lower,localhost,127.0.0.1,::1"),
        ({"NO_PROXY": "upper", "no_proxy": ""}, "localhost,127.0.0.1,::1"),
    ],
)
def test_what_no_proxy_is_asked_for_is_kept(given: dict[str, str], expected: str) -> None:
    told = "import os, local; print(os.environ['NO_PROXY'], os.environ['no_proxy'])"
    others = {name: value for name, value in os.environ.items() if name.lower() != "no_proxy"}

    said = subprocess.check_output([sys.executable, "-c", told], cwd=ROOT, env=others | given)

    assert said.decode().split() == [expected, expected]


def test_make_takes_no_setting_of_python_from_the_shell(tmp_path: Path) -> None:
    """They say that files and terminals are ASCII, and that there is no code in this folder."""
    home = tmp_path / "Klinik Süd"
    shell = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C"}
    shell |= {"PYTHONSAFEPATH": "1", "PYTHONOPTIMIZE": "2"}
    tried = f'tried: ; @$(LOCAL) models --home "{home}" --port {free_port()} || true'

    done = subprocess.run(
        ["make", "--silent", "--eval", tried, "tried"],
        cwd=ROOT,
        env=os.environ | shell,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=True,
    )

    assert done.stdout.decode().startswith("✗ the local cloud is not running")


@pytest.mark.parametrize("moment", ["import", "cloud", "build", "deploy", "train"])
def test_ctrl_c_in_up_is_told_ends_what_it_started_and_the_next_up_works(
    laptop: Laptop, start_laptop: Callable[[str], Laptop], moment: str, tmp_path: Path
) -> None:
    other = laptop if moment == "train" else start_laptop(f"interrupted-{moment}")
    given = {"DATA": str(few_rows(tmp_path, 301 if moment == "train" else 302))}
    if moment == "build":
        BUILT_OF.unlink(missing_ok=True)  # else there would be nothing to build

    with begun(other, "up", **given) as up:
        match moment:
            case "import":
                until(lambda: up.has_loaded("pydantic_core"), moment, MOMENT_SECONDS)
            case "cloud":
                until((other.home / "cloud.pid").exists, moment, MOMENT_SECONDS)
            case "build":
                until(lambda: up.runs("sam", "build"), moment, MOMENT_SECONDS)
            case "deploy":
                until(lambda: up.runs("sam", "deploy"), "the deployment", MOMENT_SECONDS)
            case _:
                until(
                    lambda: "published" in up.printed and executions_run(other),
                    moment,
                    MOMENT_SECONDS,
                )
        children = psutil.Process(up.process.pid).children(recursive=True)
        up.interrupt()
        code = up.ended()

    assert code == 130, up.printed
    assert "Interrupted" in up.printed
    assert "Traceback" not in up.printed
    cloud = other.stack.cloud
    assert not [child for child in children if "sam" in words_of(child) and child.is_running()], (
        up.printed
    )
    if moment == "deploy":
        assert cloud.is_up()
    if moment == "build":
        other.stack.build()
    if moment in {"deploy", "train"}:
        again = other.run("up", **given)
        assert again.returncode == 0, again.stdout
        assert "Ready in" in again.stdout


def test_kill_ends_what_up_started_as_ctrl_c_does(
    start_laptop: Callable[[str], Laptop], tmp_path: Path
) -> None:
    other = start_laptop("killed")

    with begun(other, "up", DATA=str(few_rows(tmp_path, 302))) as up:
        sam = until(lambda: up.runs("sam", "deploy"), "the deployment", MOMENT_SECONDS)
        up.process.terminate()

        assert up.ended() == 130

    assert "Interrupted" in up.printed
    assert not any(one.is_running() for one in sam)


def test_a_terminal_that_closes_ends_what_up_started(
    start_laptop: Callable[[str], Laptop], tmp_path: Path
) -> None:
    other = start_laptop("of-a-terminal")
    begin = "import fcntl, os, signal, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    begin += "signal.signal(signal.SIGHUP, signal.SIG_DFL); "  # which nohup has the tests ignore
    begin += "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    terminal, of_the_command = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", begin, *other.arguments("up")],
        cwd=ROOT,
        env={
            **os.environ,
            "CONSOLE_PORT": str(other.console_port),
            "DATA": str(few_rows(tmp_path, 302)),
        },
        stdin=of_the_command,
        stdout=of_the_command,
        stderr=of_the_command,
        start_new_session=True,
    ) as process:
        os.close(of_the_command)

        def deploying() -> list[psutil.Process]:
            while select.select([terminal], [], [], 0)[0]:  # else it waits until somebody reads
                os.read(terminal, 4096)
            return children_of(process, "sam", "deploy")

        sam = until(deploying, "the deployment", MOMENT_SECONDS)
        os.close(terminal)

        assert process.wait(PATIENCE_SECONDS) == 130
    assert not any(one.is_running() for one in sam)
    assert other.stack.cloud.is_up()  # as after Ctrl-C; the next `make up` goes on with it


def few_rows(folder: Path, number: int) -> Path:
    """Write rows of the sample that are soon trained on; the number tells them from others."""
    lines = (ROOT / "data" / "sample.csv").read_bytes().splitlines(keepends=True)
    file = folder / "few.csv"
    file.write_bytes(b"".join(lines[: number + 1]))
    return file


def executions_run(laptop: Laptop) -> bool:
    described = [
        laptop.stack.stepfunctions.describe_execution(executionArn=arn)["status"]
        for arn in executions._executions(laptop.stack)[:1]
    ]
    return described == ["RUNNING"]


def test_ctrl_c_in_retrain_leaves_the_execution_to_the_cloud(
    laptop: Laptop, tmp_path: Path
) -> None:
    fresh = few_rows(tmp_path, 303)
    with of_few_trees(laptop, tmp_path), begun(laptop, "retrain", DATA=str(fresh)) as retrain:
        until(lambda: executions_run(laptop), "an execution", MOMENT_SECONDS)
        retrain.interrupt()

        assert retrain.ended() == 130

    assert "Interrupted" in retrain.printed
    assert "Traceback" not in retrain.printed
    newest = executions._executions(laptop.stack)[0]
    assert laptop.ended(newest)["status"] == "SUCCEEDED"


def test_the_cloud_dying_under_a_retrain_is_told_and_up_brings_it_back(
    laptop: Laptop, tmp_path: Path
) -> None:
    # What the cache answers could be over before it is seen to run.
    laptop.decide_by(few_trees_in(tmp_path))
    assert laptop.retrain_on(few_rows(tmp_path, 402))["status"] == "SUCCEEDED"

    with begun(laptop, "retrain", TUNE="true") as retrain:
        until(lambda: executions_run(laptop), "an execution", MOMENT_SECONDS)
        laptop.stack.cloud.save()  # else it could be killed before it has saved that there is one
        os.killpg(int((laptop.home / "cloud.pid").read_text()), signal.SIGKILL)

        assert retrain.ended() == 1

    assert "the local cloud did not answer properly" in retrain.printed
    assert "`make up` starts it again" in retrain.printed
    assert "Traceback" not in retrain.printed
    again = laptop.run("up")
    assert again.returncode == 0, again.stdout
    assert "was interrupted; training on the newest upload again" in again.stdout
    laptop.decide_by(None)


def test_a_home_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    # Root may write everywhere but where the kernel takes no folder from anybody.
    home = (Path("/sys") if os.geteuid() == 0 else tmp_path) / "home"

    done = Laptop(home, free_port()).run("up")

    assert done.returncode == 1
    assert f"{home} cannot be written" in done.stdout


def test_a_home_that_is_a_file_is_told(tmp_path: Path) -> None:
    file = tmp_path / "home"
    file.write_text("")

    done = Laptop(file, free_port()).run("up")

    assert done.returncode == 1
    assert f"{file} cannot be written: there is a file in the place of a folder" in done.stdout
