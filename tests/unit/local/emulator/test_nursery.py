"""Functions that are forked find what a process of their own would give them."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local.emulator import nursery
from local.emulator.nursery import Forked, Nurseries, Nursery
from tests.patience import PATIENCE_SECONDS

SCRIPT = """
import json, os, sys
import slow
told = {"loaded_by": slow.PID, "pid": os.getpid(), "cwd": os.getcwd(), "name": __name__,
        "environment": dict(os.environ), "path": sys.path, "argv": sys.argv}
print(json.dumps(told), flush=True)
print("to stderr", file=sys.stderr, flush=True)
for line in sys.stdin:
    print(line.upper(), end="", flush=True)
"""

CLIENT = """
import json
import boto3
read = boto3.DEFAULT_SESSION._session.get_component("data_loader")._cache
told = {"read": [key[1] for key in read if "s3" in key]}
client = boto3.client("s3")
told["region"], told["endpoint"] = client.meta.region_name, client.meta.endpoint_url
told["who"] = client._request_signer._credentials.access_key
print(json.dumps(told), flush=True)
"""


@pytest.fixture
def layer(tmp_path: Path) -> str:
    """A layer of one library, which knows in which process it was loaded."""
    folder = tmp_path / "layer" / "python"
    folder.mkdir(parents=True)
    (folder / "slow").mkdir()
    (folder / "slow" / "__init__.py").write_text("import os\nPID = os.getpid()\n")
    return str(folder)


@pytest.fixture
def script(tmp_path: Path) -> str:
    path = tmp_path / "function" / "script.py"
    path.parent.mkdir()
    path.write_text(SCRIPT)
    return str(path)


@pytest.fixture
def one(layer: str) -> Iterator[Nursery]:
    yield from nursery_of(layer, "no_such_library", "slow")


@pytest.fixture
def with_boto3(layer: str) -> Iterator[Nursery]:
    yield from nursery_of(layer, "boto3")


def nursery_of(layer: str, *libraries: str) -> Iterator[Nursery]:
    if not nursery.CAN_FORK:
        pytest.skip("no process has a handle here")
    started = Nursery([layer], libraries)
    yield started
    started.stop()


type Start = Callable[..., Forked]


@pytest.fixture
def start(one: Nursery, script: str, tmp_path: Path) -> Iterator[Start]:
    """Start the script, and end it when the test is done."""
    running: list[Forked] = []

    def started(**environment: str) -> Forked:
        running.append(one.start(script, str(tmp_path), environment))
        return running[-1]

    yield started
    for function in running:
        ended(function)


def ended(function: Forked | subprocess.Popen[str]) -> None:
    function.kill()
    function.wait(PATIENCE_SECONDS)
    for stream in (function.stdin, function.stdout, function.stderr):
        assert stream
        stream.close()


def told(function: Forked | subprocess.Popen[str]) -> dict[str, Any]:
    assert function.stdout
    assert function.stderr
    line = function.stdout.readline()
    assert line, function.stderr.read()
    read: dict[str, Any] = json.loads(line)
    return read


def test_what_takes_long_to_load_is_loaded_once(one: Nursery, start: Start) -> None:
    first, second = told(start()), told(start())

    assert first["loaded_by"] == second["loaded_by"] == one.process.pid
    assert first["pid"] != second["pid"]


def test_all_else_is_as_in_a_process_of_its_own(
    start: Start, script: str, layer: str, tmp_path: Path
) -> None:
    found = told(start(ONLY="this"))

    assert found["environment"] == {"ONLY": "this"}
    assert found["cwd"] == str(tmp_path)
    assert found["name"] == "__main__"
    assert found["argv"] == [script]
    assert found["path"][0] == str(Path(script).parent)
    assert layer not in found["path"]  # a function is told by its environment which layers it has
    assert str(Path(nursery.__file__).parent) not in found["path"]


def test_what_a_client_is_made_of_is_read_once_and_its_settings_by_the_function(
    with_boto3: Nursery, script: str, tmp_path: Path
) -> None:
    Path(script).write_text(CLIENT)
    environment = {
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ENDPOINT_URL": "http://cloud.example",
        "AWS_ACCESS_KEY_ID": "the function",
        "AWS_SECRET_ACCESS_KEY": "secret",
    }

    function = with_boto3.start(script, str(tmp_path), environment)
    found = told(function)
    ended(function)

    assert found.pop("read")
    assert found == {
        "region": "eu-central-1",
        "endpoint": "http://cloud.example",
        "who": "the function",
    }


def test_it_is_spoken_to_by_its_streams_and_ends_with_them(start: Start) -> None:
    function = start()
    assert told(function)["pid"] == function.pid
    function.stdin.write("a word\n")

    assert function.stdout.readline() == "A WORD\n"
    assert function.stderr.readline() == "to stderr\n"
    assert function.poll() is None
    function.stdin.close()
    assert function.wait(PATIENCE_SECONDS) == 0
    assert function.stdout.read() == ""


@pytest.mark.parametrize("end", [Forked.terminate, Forked.kill])
def test_one_is_ended_and_the_others_go_on(start: Start, end: Callable[[Forked], None]) -> None:
    one_of_them, other = start(), start()
    assert told(one_of_them)

    end(one_of_them)

    assert one_of_them.wait(PATIENCE_SECONDS) == one_of_them.poll() == 0
    assert one_of_them.stdout.read() == ""  # as whoever waits for its answer sees
    end(one_of_them)  # which is nobody by now
    assert told(other)
    assert other.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        other.wait(0)


def test_where_none_can_be_forked_a_process_is_started(
    layer: str, script: str, tmp_path: Path
) -> None:
    nurseries = Nurseries(["slow"])
    environment = {"_LAMBDA_LAYERS_DIRS": str(Path(layer).parent), "PYTHONPATH": layer}

    def started() -> dict[str, Any]:
        function = nurseries.popen(
            [sys.executable, script],
            cwd=str(tmp_path),
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        found = told(function)
        ended(function)
        return found

    if nursery.CAN_FORK:
        forked = started()
        (first,) = nurseries._of.values()
        assert first
        assert forked["loaded_by"] == first.process.pid
        first.process.kill()
        assert first.process.wait() == -signal.SIGKILL
        in_its_place = started()
        first.stop()
    else:
        in_its_place = started()
    assert in_its_place["loaded_by"] == in_its_place["pid"]


def test_a_function_whose_layers_bring_none_of_the_libraries_has_a_process_of_its_own(
    layer: str, script: str, tmp_path: Path
) -> None:
    nurseries = Nurseries(["no_such_library"])
    function = nurseries.popen(
        [sys.executable, script],
        cwd=str(tmp_path),
        env={"_LAMBDA_LAYERS_DIRS": str(Path(layer).parent), "PYTHONPATH": layer},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )

    found = told(function)
    ended(function)

    assert found["loaded_by"] == found["pid"]
    assert not nurseries._of
