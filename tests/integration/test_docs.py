"""What the documents tell a reader to run works as they show it: in a clone, with its own cloud.

The pages are gone through in the order in which they are read. Models are of a family that is soon
fitted. Before some commands comes what their page speaks of: a file that the reader has, or a
candidate that waits. Names that each cloud has of its own stand for those of this one.
"""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from local import approving, executions
from local.cloud import REGION
from local.ministack import Ministack
from local.stack import Stack
from local.studies import THE_DRUG_STUDY
from tests import documents
from tests.documents import ROOT, told
from tests.integration.conftest import Laptop, Laptops, free_port, ridge_in
from tests.integration.test_approvals import awaited

LIMIT_SECONDS = 300  # of a command
DONE = "--- ended with status"
# In the order in which they are read; what forgets everything comes last.
PAGES = sorted(
    (page for page in documents.pages() if documents.run_as_written(page)),
    key=lambda page: any(one.text == "make clean" for one in documents.run_as_written(page)),
)
APPROVING = ROOT / "docs/how-to/approve-a-model.md"
MADE_OF = ("requirements-dev.txt", "local/bootstrap.txt", ".python-version")  # the environment
TARGET = "Improvement_Score"
VERSION, EXECUTION = re.compile(r"\bv-[0-9a-f]{8}\b"), re.compile(r"\bdrift-2026-11-26\b")
PREDICTION = re.compile(r"\b[0-9a-f]{32}\b")
DATA = re.compile(r"\bDATA=(\S+)")
# What a command writes though it does not name it; what OUT= names is written too.
WRITTEN = {
    "make report": ".local/report.html",
    "make change-control": ".local/change-control.html",
    "make score DATA=patients.csv": "patients.scored.csv",
    "make study DATA=trial.csv TARGET=cd420 ID=pidnum": "studies/trial/params.yaml",
}
DECIDES = re.compile(r"make (approvals|approve|reject)\b|/approvals/")


@dataclass(frozen=True)
class CloudOfAClone(Ministack):
    """A local cloud that a clone's own commands start and stop."""

    def is_up(self) -> bool:
        return self.answers("/_ministack/health")


@dataclass(frozen=True)
class LaptopOfAClone(Laptop):
    @property
    def stack(self) -> Stack:
        return Stack(CloudOfAClone(self.home, self.port), THE_DRUG_STUDY)


class Shell:
    """A shell in which commands are typed one after the other; what one sets, the next one has."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, command: str) -> tuple[int, str]:
        """Run a command, and give its exit status and all that it printed."""
        assert self._process.stdin
        assert self._process.stdout
        late = threading.Timer(LIMIT_SECONDS, self._process.kill)
        late.start()
        printed = ""
        with suppress(BrokenPipeError):
            ended = f"printf '\\n{DONE} %s\\n' $?"
            self._process.stdin.write(f"{{ {command}\n}} </dev/null; {ended}\n")
            self._process.stdin.flush()
            for line in self._process.stdout:
                if line.startswith(DONE):
                    late.cancel()
                    return int(line.removeprefix(DONE)), printed
                printed += line
        late.cancel()
        pytest.fail(f"{command} ended its shell, or did not end in {LIMIT_SECONDS} s: {printed}")

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


@dataclass
class Reader:
    """Somebody with a clone of the repository, whose cloud has been up before."""

    clone: Path
    laptop: LaptopOfAClone
    environment: dict[str, str]
    approval: str = field(default="")  # by which the models that are trained from now on go

    def ready(self, command: str) -> str:
        """Do what comes before a command, and give it with this cloud's own names."""
        if DECIDES.search(command):
            self.waits_for_an_approval()
            (waiting,) = approving.waiting(self.laptop.stack)
            command = EXECUTION.sub(waiting.execution, command)
        if found := DATA.search(command):
            self.has(found[1])
        if PREDICTION.search(command):
            command = PREDICTION.sub(self.predicted(1)[0]["prediction_id"], command)
        if VERSION.search(command):
            champion = self.laptop.artefact("models/champion.json")
            command = VERSION.sub(champion["previous"], command)
        return command

    def has(self, name: str) -> None:
        """Have a file as the pages say that the reader has it; all are made of the sample."""
        path = self.clone / name
        if path.exists():
            return
        match name:
            case "real_drug_dataset.csv":
                self.writes(path, rows()[1:])
            case "trial.csv":
                named = {"Patient_ID": "pidnum", TARGET: "cd420"}
                few = rows()[:300]
                self.writes(path, [{named.get(k, k): one[k] for k in one} for one in few])
            case "patients.csv" | "patients.parquet":
                self.writes(path.with_suffix(".csv"), [without_target(one) for one in rows()[:20]])
                if path.suffix == ".parquet":
                    import duckdb  # noqa: PLC0415 - which this page alone needs

                    duckdb.read_csv(str(path.with_suffix(".csv"))).write_parquet(str(path))
            case "outcomes.csv":
                ids = [one["prediction_id"] for one in self.predicted(3)]
                today = f"{datetime.now(UTC):%Y-%m-%d}"
                names = ("prediction_id", TARGET, "observed_at")
                self.writes(
                    path, [dict(zip(names, (one, "6.5", today), strict=True)) for one in ids]
                )
            case _:
                pytest.fail(f"no reader has a file {name}")

    def writes(self, path: Path, table: list[dict[str, str]]) -> None:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(table[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(table)

    def predicted(self, number: int) -> list[dict[str, Any]]:
        asked = [
            {name: int(one[name]) if one[name].isdigit() else one[name] for name in one}
            for one in map(without_target, rows()[:number])
        ]
        answer = self.laptop.post("/predict/batch", {"patients": asked})
        answered: list[dict[str, Any]] = answer.body["predictions"]
        return answered

    def waits_for_an_approval(self) -> None:
        """Have one candidate wait, unless one does."""
        stack = self.laptop.stack
        if approving.waiting(stack):
            return
        path = self.clone / f"candidate-{len(executions._executions(stack))}.csv"
        self.writes(path, rows()[len(executions._executions(stack)) :])
        awaited(self.laptop, executions.upload(stack, path))

    def decides(self, approval: str) -> None:
        """Have the models that are trained from now on be fitted soon, and approved or not."""
        if approval == self.approval:
            return
        folder = self.laptop.home / f"approval-{approval}"
        folder.mkdir(exist_ok=True)
        self.laptop.decide_by(ridge_in(folder, approval=approval))
        self.approval = approval


def rows() -> list[dict[str, str]]:
    with (ROOT / "data/sample.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def without_target(row: dict[str, str]) -> dict[str, str]:
    return {name: row[name] for name in row if name != TARGET}


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a clone has, and the environment and the builds that its first `make up` would make."""
    clone = tmp_path_factory.mktemp("docs") / "clone"
    left_out = shutil.ignore_patterns(".git", ".venv", ".local", ".aws-sam", "*_cache")
    shutil.copytree(ROOT, clone, symlinks=True, ignore=left_out)
    (clone / ".local").mkdir()
    for name in ("ministack", "unpacked"):
        (clone / ".local" / name).symlink_to(ROOT / ".local" / name)
    (clone / ".aws-sam").symlink_to(ROOT / ".aws-sam")
    (clone / ".venv").symlink_to(sys.prefix)
    for name in MADE_OF:  # older than the environment, which make would make again otherwise
        os.utime(clone / name, (0, 0))
    return clone


@pytest.fixture(scope="module")
def reader(clone: Path, start_laptop: Laptops) -> Iterator[Reader]:
    start_laptop.give(clone / ".local")
    home = clone.parent / "home"
    home.mkdir()
    (home / ".curlrc").write_text("fail-with-body\nshow-error\n")  # an error status is a failure
    port = free_ports(6)  # the consoles of studies listen on the next ones, by their number
    kept = {name: os.environ[name] for name in ("PATH", "TMPDIR", "LANG") if name in os.environ}
    environment = {
        **kept,
        "HOME": str(home),
        "PORT": str(port),
        "REGION": REGION,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
    laptop = LaptopOfAClone(clone / ".local", port, port + 1)
    yield Reader(clone, laptop, environment)
    subprocess.run(["make", "down"], cwd=clone, env=environment, check=True)


def free_ports(number: int) -> int:
    """Find the first of some ports in a row that nobody listens on."""
    held = [free_port()]
    while len(held) < number:
        port = free_port()
        held = [*held, port] if port == held[-1] + 1 else [port]
    return held[0]


def test_a_command_that_fails_would_be_noticed(tmp_path: Path) -> None:
    shell = Shell(tmp_path, {"PATH": os.environ["PATH"]})

    ran = [shell.run(command) for command in ("A='b  c'", 'echo "$A"; false', "cat", "no-such-one")]

    shell.close()
    assert [status for status, _ in ran] == [0, 1, 0, 127]
    assert ran[1][1].strip() == "b  c"
    assert is_in("a … c", "x a b c")
    assert not is_in("a … c", "a b")
    assert is_in('{"a": 1.5}', '{"a": 2}')
    assert not is_in('{"a": 1}', '{"a": "1"}')


@pytest.mark.parametrize("page", PAGES, ids=told)
def test_what_a_page_tells_to_run_works(reader: Reader, page: Path) -> None:
    environment = dict(reader.environment)
    outputs = reader.laptop.home / "outputs.json"
    if outputs.exists():
        environment["API"] = json.loads(outputs.read_text())["api_url"]
        reader.decides("always" if page == APPROVING else "none")
    shell = Shell(reader.clone, environment)
    try:
        for command in documents.run_as_written(page):
            status, printed = shell.run(reader.ready(command.text))
            assert status == 0, f"{command}\n{printed}"
            for line in command.shown:
                assert is_in(line, printed), f"{command}\nshows {line}\nand printed {printed}"
            out = re.search(r"\bOUT=(\S+)", command.text)
            if written := out[1] if out else WRITTEN.get(command.text):
                assert (reader.clone / written).stat().st_size > 0, f"{command} wrote no {written}"
    finally:
        shell.close()


def is_in(shown: str, printed: str) -> bool:
    """Whether a line was printed: … is anything, and of JSON the names and types count."""
    try:
        form = form_of(json.loads(shown))
    except ValueError:
        pattern = ".*".join(map(re.escape, shown.strip().split("…")))
        return re.search(pattern, printed) is not None
    return any(form == form_of(one) for one in jsons_in(printed))


def jsons_in(printed: str) -> Iterator[Any]:
    for line in printed.splitlines():
        with suppress(ValueError):
            yield json.loads(line)


def form_of(value: object) -> object:
    match value:
        case dict():
            return {name: form_of(one) for name, one in value.items()}
        case list():
            return [form_of(one) for one in value]
        case int() | float() if not isinstance(value, bool):
            return "number"
        case _:
            return type(value).__name__
