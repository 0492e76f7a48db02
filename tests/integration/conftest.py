"""The stack on a local cloud of the tests' own, brought up as a user brings it up."""

import fcntl
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from local import executions
from local.cloud import REGION
from local.console.process import ConsoleProcess
from local.emulator.generations import RUNNING
from local.ministack import Ministack
from local.stack import Stack, folders_in
from local.studies import study_of
from local.turn import in_turn
from tests.patience import PATIENCE_SECONDS, until

ROOT = Path(__file__).parent.parent.parent
PORTS = range(20_000, 30_000)  # below those that the system gives to whoever connects
NOT_HERE = {"CanaryDeployment": "false"}  # the local cloud has no CodeDeploy
FEWER = 10  # times, a model's trees where a test is not about the model
# The functions that read how large models are, and who has to approve of them.
DECIDING = (
    "CrossValidateFunction",
    "LearningCurveFunction",
    "ListCandidatesFunction",
    "PublishFunction",
    "TrainFunction",
)
KEPT = ("s3", "state")  # the folders of a home that hold all that a cloud does


def free_port() -> int:
    """Find a port that nobody listens on, and hold it for as long as this process runs.

    It is held by a lock that other workers and other runs see: between a stop and a start, and
    before the first start, it is nobody else's.
    """
    locks = Path(tempfile.gettempdir()) / f"clinical-outcomes-ports-{os.getuid()}"
    locks.mkdir(exist_ok=True)
    for port in PORTS:
        lock = os.open(locks / str(port), os.O_RDWR | os.O_CREAT)  # which this process never closes
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            os.close(lock)
        else:
            return port
    raise RuntimeError(f"no port of {PORTS} is free")


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    text: str

    @property
    def body(self) -> Any:
        return json.loads(self.text)


def fetch(url: str, body: bytes | None = None, method: str | None = None, **headers: str) -> Answer:
    """Ask over HTTP, as any client does; an error status is an answer too."""
    request = urllib.request.Request(
        url, body, {name.replace("_", "-"): value for name, value in headers.items()}, method=method
    )
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as response:
            return Answer(response.status, dict(response.headers), response.read().decode())
    except urllib.error.HTTPError as error:
        return Answer(error.code, dict(error.headers), error.read().decode())


@dataclass(frozen=True)
class Laptop:
    """A local cloud, and the commands that `make` runs against it."""

    home: Path
    port: int
    console_port: int = field(default_factory=free_port)
    study: str = ""  # as STUDY= names it

    @property
    def stack(self) -> Stack:
        return Stack(Ministack(self.home, self.port), study_of(self.study))

    def with_study(self, study: str) -> "Laptop":
        """Give the same laptop as the commands for another study see it."""
        return replace(self, study=study, console_port=free_port())

    def arguments(self, command: str) -> list[str]:
        """Give what Python is called with to run what a make target runs."""
        return ["-m", "local", command, "--home", str(self.home), "--port", str(self.port)]

    def run(self, command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run what a make target runs, and return what it printed."""
        return subprocess.run(
            [sys.executable, *self.arguments(command)],
            cwd=ROOT,
            env={
                **os.environ,
                "CONSOLE_PORT": str(self.console_port),
                "STUDY": self.study,
                **environment,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )

    def start_cloud(self, *, enforce_iam: bool = False) -> Stack:
        """Start the local cloud alone, with nothing deployed, in a process that it outlives."""
        cloud = Ministack(self.home, self.port, enforce_iam=enforce_iam)
        start = (
            f"from pathlib import Path; from local.ministack import Ministack; {cloud!r}.start()"
        )
        start = start.replace("PosixPath", "Path")
        subprocess.run([sys.executable, "-c", start], cwd=ROOT, check=True)
        return Stack(cloud)

    def post(self, path: str, body: object, **headers: str) -> Answer:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Content_Type": "application/json"} | headers
        return fetch(f"{self.stack.outputs.api_url}{path}", raw, None, **headers)

    def post_signed(
        self,
        path: str,
        body: object,
        secret: str = "test",  # noqa: S107 - of the local cloud's one user
        **changed: str,
    ) -> Answer:
        """Post as a client of AWS does, signed; then change headers as who forges one might."""
        url, raw = f"{self.stack.outputs.api_url}{path}", json.dumps(body).encode()
        request = AWSRequest("POST", url, {"Content-Type": "application/json"}, raw)
        SigV4Auth(Credentials("test", secret), "execute-api", REGION).add_auth(request)
        headers = {name: str(value) for name, value in request.headers.items()}
        return fetch(url, raw, None, **headers | changed)

    def get(self, path: str, **headers: str) -> Answer:
        return fetch(f"{self.stack.outputs.api_url}{path}", None, None, **headers)

    def ended(self, arn: str) -> dict[str, Any]:
        """Wait for an execution to end, and describe it."""

        def described() -> dict[str, Any] | None:
            found = self.stack.stepfunctions.describe_execution(executionArn=arn)
            return dict(found) if found["status"] != "RUNNING" else None

        return until(described, f"the end of {arn}")

    def retrain_on(self, path: Path) -> dict[str, Any]:
        """Upload a data set, and describe how the execution that it started ended."""
        return self.ended(executions.upload(self.stack, path))

    def newest_upload_waits(self) -> bool:
        """Let the watch look now, and tell whether it says that the newest upload waits."""
        answer = self.invoke("WatchFunction")
        assert "FunctionError" not in answer, answer
        waiting: bool = json.load(answer["Payload"])["waiting"]
        return waiting

    def decide_by(self, params: Path | None, names: tuple[str, ...] = DECIDING) -> None:
        """Have the functions that fit models go by other decisions, or by the deployed ones again.

        names: of other functions, in the template.

        What runs ends before, for it would be ended with the functions' processes.
        """
        lambdas = self.stack.client("lambda")
        self.wait_until_idle()
        for function in self._functions(names):
            name = function["FunctionName"]
            variables = {**function["Environment"]["Variables"], "PARAMS_PATH": str(params)}
            if params is None:
                del variables["PARAMS_PATH"]
            lambdas.update_function_configuration(
                FunctionName=name, Environment={"Variables": variables}
            )
            lambdas.get_waiter("function_updated_v2").wait(FunctionName=name)

    def invoke(self, function: str) -> dict[str, Any]:
        """Invoke a function with an empty event; function: its name in the template."""
        (found,) = self._functions((function,))
        answer = self.stack.client("lambda").invoke(
            FunctionName=found["FunctionName"], Payload=b"{}"
        )
        return dict(answer)

    def _functions(self, names: tuple[str, ...]) -> list[dict[str, Any]]:
        """List this stack's functions that have these names in the template."""
        pages = self.stack.client("lambda").get_paginator("list_functions").paginate()
        return [
            dict(one)
            for page in pages
            for one in page["Functions"]
            if any(one["FunctionName"].startswith(f"{self.stack.name}-{name}-") for name in names)
        ]

    def workers(self, function: str) -> list[psutil.Process]:
        """List the processes that run a function of this laptop's cloud."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                told = " ".join((*process.cmdline(), process.cwd()))
                if function in told and str(self.home) in told:
                    found.append(process)
        return found

    def wait_until_idle(self) -> None:
        """Wait until no execution retrains any more: `make up` ends before its second one does."""
        running = self.stack.stepfunctions.list_executions(
            stateMachineArn=self.stack.outputs.state_machine_arn, statusFilter="RUNNING"
        )
        for execution in running["executions"]:
            self.ended(execution["executionArn"])

    def wait_until_served(self, version: str) -> None:
        """Wait until warm functions serve a version, which takes them `refresh_seconds`."""
        until(lambda: self.get("/health").body["model_version"] == version, f"{version} in service")

    def logged(self) -> list[str]:
        """Every line in the functions' and the state machine's logs.

        Asked stream by stream: of a group the local cloud tells 10,000 at most.
        """
        logs = self.stack.logs
        streams = [
            (group, stream["logStreamName"])
            for group in self._log_groups()
            for page in logs.get_paginator("describe_log_streams").paginate(logGroupName=group)
            for stream in page["logStreams"]
        ]
        return [
            event["message"]
            for group, stream in streams
            for page in logs.get_paginator("filter_log_events").paginate(
                logGroupName=group, logStreamNames=[stream]
            )
            for event in page["events"]
        ]

    def logged_with(self, words: str, since: float = 0) -> list[str]:
        """Those lines that have these words, since a time in seconds.

        The local cloud looks for them: each invocation has a stream of its own, and to read every
        line takes as many requests.
        """
        return [
            event["message"]
            for group in self._log_groups()
            for page in self.stack.logs.get_paginator("filter_log_events").paginate(
                logGroupName=group, filterPattern=words, startTime=int(since * 1000)
            )
            for event in page["events"]
            if words in event["message"]
        ]

    def _log_groups(self) -> list[str]:
        return [
            group["logGroupName"] for group in self.stack.logs.describe_log_groups()["logGroups"]
        ]

    def artefact(self, key: str) -> Any:
        stack = self.stack
        found = stack.s3.get_object(Bucket=stack.outputs.artifacts_bucket, Key=key)
        return json.loads(found["Body"].read())


def few_trees_in(folder: Path, **gate: object) -> Path:
    """Write the decisions that are deployed, with a tenth of the trees: for tests of no model.

    gate: what of the gate is decided otherwise.
    """
    decided = deployed_decisions()
    forests = [grid["random_forest"] for grid in decided["tuning"]["grids"].values()]
    for one in forests:
        one["n_estimators"] = [trees // FEWER for trees in one["n_estimators"]]
    decided["model"]["n_estimators"] //= FEWER
    decided["learning_curve"]["max_trees"] //= FEWER
    decided["learning_curve"]["draws"] = 2
    decided["gate"] |= gate
    return written(decided, folder)


def ridge_in(folder: Path, **gate: object) -> Path:
    """Write the decisions that are deployed, with a ridge: for tests that train again and again.

    It is fitted soonest, and on a few rows more it is hardly another one, so that none is rejected.
    """
    decided = deployed_decisions()
    decided["model"] = {"family": "ridge", "alpha": 30.0}
    decided["tuning"]["families"] = ["ridge"]
    decided["learning_curve"] |= {"fractions": [0.5, 1.0], "draws": 2}
    decided["gate"] |= gate
    return written(decided, folder)


def deployed_decisions() -> dict[str, Any]:
    decided: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
    return decided


def written(decided: dict[str, Any], folder: Path) -> Path:
    params = folder / "params.yaml"
    params.write_text(yaml.safe_dump(decided, sort_keys=False), "utf-8")
    return params


@contextmanager
def of_few_trees(laptop: Laptop, folder: Path) -> Iterator[Path]:
    """Have a laptop's functions, which are the deployed ones, fit small models; by this file."""
    decisions = few_trees_in(folder)
    laptop.decide_by(decisions)
    try:
        yield decisions
    finally:
        laptop.decide_by(None)


class Laptops:
    """Start laptops by name, each in a home of its own, and stop them when all tests are done.

    `make up` is done from nothing once in a run, however many workers need a laptop: the others
    begin with what it came to.
    """

    def __init__(self, folders: pytest.TempPathFactory) -> None:
        self._folders = folders
        self._started: list[Laptop] = []
        self._first: tuple[Laptop, str] | None = None
        self._shared: Laptop | None = None
        own = folders.getbasetemp()
        of_the_run = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
        self._kept = of_the_run / "after-make-up"
        self._turn = of_the_run / "make-up.lock"

    def __call__(self, name: str) -> Laptop:
        laptop = Laptop(self._folders.mktemp(name), free_port())
        self._started.append(laptop)
        return laptop

    def first(self) -> tuple[Laptop, str]:
        """Give a laptop after a `make up` from nothing, and what that printed."""
        if self._first is None:
            with in_turn(self._turn):
                self._first = self._from_nothing()
        return self._first

    def after_up(self) -> Laptop:
        """Give a laptop as it is after `make up`; the same one if that was done here."""
        self._have_kept()
        if self._first:
            return self._first[0]
        if self._shared is None:
            self._shared = self._as_kept("laptop")
        return self._shared

    def another(self, name: str, **environment: str) -> Laptop:
        """Give a laptop that nobody else has, as it is after `make up`; environment: of that."""
        self._have_kept()
        return self._as_kept(name, **environment)

    def _have_kept(self) -> None:
        """See that some process of the run keeps what a cloud holds after `make up`."""
        if self._first is None:
            with in_turn(self._turn):
                if not self._kept.exists():
                    self._first = self._from_nothing()

    def give(self, home: Path) -> None:
        """Give the home of somebody else's laptop what a cloud holds after `make up`."""
        self._have_kept()
        for folder in KEPT:
            copied_tree(self._kept / folder, home / folder)

    def _as_kept(self, name: str, **environment: str) -> Laptop:
        laptop = self(name)
        self.give(laptop.home)
        done = laptop.run("up", **environment)
        assert done.returncode == 0, done.stdout
        return laptop

    def stop(self) -> None:
        for laptop in self._started:
            stop(laptop)

    def stop_own(self) -> None:
        """Stop the laptops that a room had for itself: each takes a gigabyte of memory."""
        shared = (self._shared, self._first and self._first[0])
        for laptop in [one for one in self._started if one not in shared]:
            stop(laptop)
            self._started.remove(laptop)

    def _from_nothing(self) -> tuple[Laptop, str]:
        laptop = self("laptop")
        done = laptop.run("up")
        assert done.returncode == 0, done.stdout
        for arn in executions._executions(laptop.stack):
            laptop.ended(arn)  # the last of which `up` does not wait for
        laptop.stack.cloud.save()
        until(lambda: self._keep(laptop), "a copy of what the cloud holds")
        return laptop, done.stdout

    def _keep(self, laptop: Laptop) -> bool:
        """Keep what a cloud holds, unless it was saving something, which replaces files."""
        beside = self._kept.with_suffix(".new")
        shutil.rmtree(beside, ignore_errors=True)
        try:
            for folder in KEPT:
                copied_tree(laptop.home / folder, beside / folder)
        except FileNotFoundError:
            return False
        (beside / "state" / RUNNING).unlink()  # else whoever begins with it would have crashed
        if not self._kept.exists():
            beside.rename(self._kept)
        return True


def stop(laptop: Laptop) -> None:
    for folder in {laptop.home, *folders_in(laptop.home)}:
        ConsoleProcess.of(folder).stop()
    Ministack(laptop.home, laptop.port).stop()


def copied_tree(source: Path, target: Path) -> None:
    """Copy by links; what is written here or there replaces one, and the other stays."""
    for path in sorted(source.rglob("*")):
        if path.suffix == ".tmp":
            continue
        beside = target / path.relative_to(source)
        if path.is_dir():
            beside.mkdir(parents=True, exist_ok=True)
        else:
            beside.parent.mkdir(parents=True, exist_ok=True)
            beside.hardlink_to(path)


@pytest.fixture(scope="session")
def start_laptop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laptops]:
    laptops = Laptops(tmp_path_factory)
    yield laptops
    laptops.stop()


@pytest.fixture(scope="module", autouse=True)
def _own_clouds_end_with_their_room(start_laptop: Laptops) -> Iterator[None]:
    yield
    start_laptop.stop_own()


@pytest.fixture(scope="session")
def first_up(start_laptop: Laptops) -> tuple[Laptop, str]:
    """A laptop after a `make up` from nothing, and what that printed."""
    return start_laptop.first()


@pytest.fixture(scope="session")
def laptop(start_laptop: Laptops) -> Laptop:
    """A laptop after `make up`."""
    return start_laptop.after_up()


@pytest.fixture(scope="module")
def few_trees(laptop: Laptop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The laptop, with small models for as long as a module's tests; the file that says so."""
    with of_few_trees(laptop, tmp_path_factory.mktemp("decisions")) as decisions:
        yield decisions
