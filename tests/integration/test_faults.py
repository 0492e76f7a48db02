"""What a faulty S3 does to functions that serve: to those that are warm, nothing to be seen.

First in this process, over HTTP through a proxy that fails; at the end with functions deployed.
"""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
import yaml
from clinical import champion as following
from clinical import environment
from clinical.boto3_bucket import Boto3Bucket
from clinical.params import params
from clinical.registry import Champion, Promotion, Registry
from clinical.s3_client import s3_store

from tests.faults import Fault, FaultyProxy, faulty_proxy
from tests.integration.conftest import ROOT, Answer, Laptop
from tests.patience import PATIENCE_SECONDS, until
from tests.pipeline import ENVIRONMENT, Context, mirror
from tests.unit.conftest import Api, emf_lines, load_function, without_ids

REFRESH = params().serving.refresh_seconds
DEADLINE = params().serving.refresh_timeout_seconds
BUSY_SECONDS = 10.0  # what a machine with other work may add to a deadline
AGAIN = Promotion(who="user@host", why="to see it serve", execution="by-hand")

# Without an ETag, what did not change is still told so by the status; the others spare no answer.
WHERE_S3_ANSWERS = {Fault.NO_ETAG, Fault.OTHER_BYTES}
REASONS = {
    Fault.DENIED: "S3 denies this function",
    Fault.MISSING: "No model has been promoted yet",
    Fault.OTHER_BYTES: "is corrupted in S3",
}


@pytest.fixture(scope="module")
def proxy(laptop: Laptop) -> Iterator[FaultyProxy]:
    with faulty_proxy(laptop.stack.cloud.endpoint_url) as running:
        yield running


@pytest.fixture(scope="module")
def bucket(laptop: Laptop) -> Boto3Bucket:
    """A registry of these tests' own, asked past the proxy: the laptop's models, in a new bucket.

    What they promote there is what served before, so that each leaves it as it found it.
    """
    own = Boto3Bucket(laptop.stack.s3, f"faults-{uuid4()}")
    own.client.create_bucket(Bucket=own.name)
    mirror(Boto3Bucket(laptop.stack.s3, laptop.stack.outputs.artifacts_bucket), own)
    return own


def promote_again(bucket: Boto3Bucket) -> Champion:
    """Move the pointer, to the same version: a newer promotion of it."""
    registry = Registry(bucket)
    pointer = registry.champion()
    assert pointer is not None
    version = registry.verified(pointer.champion.version)
    return registry.promote(version, pointer, AGAIN, datetime.now(UTC))


class Clock:
    """Seconds that only a test lets pass."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Served:
    """A function in this process that reaches its S3 through the proxy."""

    api: Api
    clock: Clock

    def get(self, path: str) -> Any:
        return self.api("GET", path)

    def predict(self, patient: dict[str, object]) -> Any:
        return self.api("POST", "/predict", patient)

    @property
    def promotion(self) -> int:
        """Which promotion is loaded, without a look at S3."""
        number: int = self.api.module.follower._pointer.champion.sequence
        return number


type Start = Callable[[str], Served]


@pytest.fixture
def start(
    proxy: FaultyProxy, bucket: Boto3Bucket, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Start]:
    """Import a function as a cold start does, with nothing loaded yet."""
    told = {**ENVIRONMENT, "AWS_ENDPOINT_URL": proxy.url, "ARTIFACTS_BUCKET": bucket.name}
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    environment.environment.cache_clear()
    s3_store.cache_clear()

    def started(name: str) -> Served:
        clock, api = Clock(), Api(load_function(name), Context())
        api.module.follower._clock = clock
        return Served(api, clock)

    yield started
    environment.environment.cache_clear()
    s3_store.cache_clear()


@pytest.fixture
def _short_first_load(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a test of a first load that hangs need not wait for all of its time."""
    serving = params().serving.model_copy(update={"load_timeout_seconds": DEADLINE})
    short = params().model_copy(update={"serving": serving})
    monkeypatch.setattr(following, "params", lambda: short)


def failures_in(printed: str) -> int:
    return sum("ChampionRefreshFailures" in line for line in emf_lines(printed))


@pytest.mark.parametrize("fault", Fault)
def test_a_warm_function_serves_on_whatever_s3_does_and_recovers_by_itself(
    start: Start,
    proxy: FaultyProxy,
    bucket: Boto3Bucket,
    patient: dict[str, object],
    capsys: pytest.CaptureFixture[str],
    fault: Fault,
) -> None:
    function = start("predict")
    before = function.predict(patient)
    assert before.status == 200
    expected = without_ids(before.body)
    loaded = function.promotion
    newer = promote_again(bucket)
    capsys.readouterr()

    with proxy.failing(fault):
        for _ in range(3):
            function.clock.now += REFRESH
            began = time.monotonic()
            first = function.predict(patient)
            waited, asked = time.monotonic() - began, len(proxy.asked)
            later = [function.predict(patient) for _ in range(5)]

            assert [without_ids(one.body) for one in (first, *later)] == [expected] * 6
            assert function.get("/health").status == 200
            assert function.promotion == loaded
            assert waited < DEADLINE + BUSY_SECONDS
            assert len(proxy.asked) == asked  # only the first of them waited for S3
            assert failures_in(capsys.readouterr().out) == 1

    assert newer.sequence > loaded

    def serves_the_newer() -> bool:
        function.clock.now += REFRESH
        assert function.predict(patient).status == 200
        return function.promotion == newer.sequence

    # Where the machine is busy, one look may not find the time; the next one goes on.
    until(serves_the_newer, "the newer promotion in service")


@pytest.mark.parametrize("fault", sorted(set(Fault) - WHERE_S3_ANSWERS))
def test_so_it_does_where_nothing_new_was_promoted(
    start: Start,
    proxy: FaultyProxy,
    patient: dict[str, object],
    capsys: pytest.CaptureFixture[str],
    fault: Fault,
) -> None:
    function = start("predict")
    before = function.predict(patient)
    capsys.readouterr()

    with proxy.failing(fault):
        function.clock.now += REFRESH
        answers = [function.predict(patient) for _ in range(3)]

    assert [without_ids(one.body) for one in answers] == [without_ids(before.body)] * 3
    assert failures_in(capsys.readouterr().out) == 1


@pytest.mark.usefixtures("_short_first_load")
@pytest.mark.parametrize("fault", Fault)
def test_a_function_without_a_model_tells_on_every_route_why_and_when_to_ask_again(
    start: Start, proxy: FaultyProxy, patient: dict[str, object], fault: Fault
) -> None:
    predict, dropdown = start("predict"), start("dropdown")

    with proxy.failing(fault):
        answers = {
            "POST /predict": predict.predict(patient),
            "POST /predict/batch": predict.api("POST", "/predict/batch", {"patients": [patient]}),
            "GET /model": predict.get("/model"),
            "GET /health": predict.get("/health"),
            "GET /dropdown-values": dropdown.get("/dropdown-values"),
        }

    for route, answer in answers.items():
        assert answer.status == 503, route
        assert int(answer.headers["Retry-After"]) >= 1
        told = answer.body["reason" if route == "GET /health" else "detail"]
        assert REASONS.get(fault, "S3 is not responding properly") in told
        assert ("retrain" in told) == (fault is Fault.MISSING)
    for function, path in ((predict, "/model"), (dropdown, "/dropdown-values")):
        function.clock.now += following.UNLOADED_RETRY_SECONDS
        assert function.get(path).status == 200


@pytest.mark.parametrize("fault", Fault)
def test_a_card_that_cannot_be_read_is_told_so_and_once_read_is_kept(
    start: Start,
    proxy: FaultyProxy,
    patient: dict[str, object],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    fault: Fault,
) -> None:
    monkeypatch.setattr("model.loader.CARD_SECONDS", DEADLINE)
    function = start("predict")
    assert function.predict(patient).status == 200
    capsys.readouterr()

    with proxy.failing(fault):
        refused = function.get("/model")
        printed = capsys.readouterr().out
        assert function.predict(patient).status == 200
        assert function.get("/health").status == 200
    monkeypatch.setattr("model.loader.CARD_SECONDS", PATIENCE_SECONDS)  # however busy it is here
    readable = function.get("/model")
    with proxy.failing(fault):
        kept = function.get("/model")

    assert refused.status == 503
    assert refused.headers["Retry-After"] == "1"
    assert "model card" in refused.body["detail"]
    assert "retrain" not in refused.body["detail"]
    refusals = sum("ArtefactsRefused" in line for line in emf_lines(printed))
    assert refusals == (1 if fault is Fault.OTHER_BYTES else 0)
    assert readable.status == 200
    assert kept.text == readable.text


def test_a_first_load_may_take_longer_than_a_refresh(
    start: Start, proxy: FaultyProxy, patient: dict[str, object]
) -> None:
    function = start("predict")

    with proxy.failing(Fault.LATE):
        answer = function.predict(patient)

    assert answer.status == 200


def test_a_first_load_ends_too(
    start: Start, proxy: FaultyProxy, patient: dict[str, object]
) -> None:
    function = start("predict")

    with proxy.failing(Fault.HANGING):
        began = time.monotonic()
        answer = function.predict(patient)
        waited = time.monotonic() - began

    limit = params().serving.load_timeout_seconds
    assert answer.status == 503
    assert limit - 1 < waited < limit + BUSY_SECONDS


# ── Deployed ────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def deployed(
    laptop: Laptop, proxy: FaultyProxy, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Laptop]:
    """The laptop's stack, whose predict function reaches AWS through the proxy, and often looks.

    A version of its own, for a parameter that changes makes no other one. Without the scheduled
    check: it would start environments that S3 gives no model to.
    """
    lambdas, events = laptop.stack.client("lambda"), laptop.stack.client("events")
    pages = lambdas.get_paginator("list_functions").paginate()
    functions = [one for page in pages for one in page["Functions"]]
    (function,) = [one for one in functions if "PredictFunction" in one["FunctionName"]]
    (check,) = [one["Name"] for one in events.list_rules()["Rules"] if "HealthCheck" in one["Name"]]
    name, variables = function["FunctionName"], function["Environment"]["Variables"]
    decided = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
    decided["serving"]["refresh_seconds"] = 1
    often = tmp_path_factory.mktemp("often") / "params.yaml"
    often.write_text(yaml.safe_dump(decided, sort_keys=False), "utf-8")
    served = lambdas.get_alias(FunctionName=name, Name="live")["FunctionVersion"]
    events.disable_rule(Name=check)
    lambdas.update_function_configuration(
        FunctionName=name,
        Environment={
            "Variables": {
                **variables,
                "AWS_ENDPOINT_URL": proxy.url,
                "PARAMS_PATH": str(often),
            }
        },
    )
    through = lambdas.publish_version(FunctionName=name)["Version"]
    lambdas.update_alias(FunctionName=name, Name="live", FunctionVersion=through)
    yield laptop
    lambdas.update_function_configuration(FunctionName=name, Environment={"Variables": variables})
    lambdas.update_alias(FunctionName=name, Name="live", FunctionVersion=served)
    events.enable_rule(Name=check)


def counted(laptop: Laptop, since: float) -> int:
    return len(laptop.logged_with('"ChampionRefreshFailures":[', since))


def served_promotion(laptop: Laptop) -> int:
    card = laptop.get("/model")
    number: int = card.body["ledger"][0]["sequence"] if card.status == 200 else 0
    return number


@pytest.mark.parametrize(
    "fault", [Fault.UNAVAILABLE, Fault.RESET, Fault.LATE, Fault.HANGING, Fault.TRICKLING]
)
def test_deployed_functions_serve_on_too(
    deployed: Laptop, proxy: FaultyProxy, patient: dict[str, object], fault: Fault
) -> None:
    bucket = Boto3Bucket(deployed.stack.s3, deployed.stack.outputs.artifacts_bucket)
    asked = len(proxy.asked)
    until(
        lambda: deployed.post("/predict", patient).status == 200 and len(proxy.asked) > asked,
        "a prediction through the proxy",
    )
    began, newer = time.time(), promote_again(bucket)
    answers: list[Answer] = []

    def counted_twice_more() -> bool:
        answers.append(deployed.post("/predict", patient))
        answers.append(deployed.get("/health"))
        return counted(deployed, began) > 1

    with proxy.failing(fault):
        until(counted_twice_more, "a second failed refresh")

    assert [one.status for one in answers] == [200] * len(answers), json.dumps(
        [one.text for one in answers if one.status != 200]
    )
    until(lambda: served_promotion(deployed) == newer.sequence, "the newer promotion")
