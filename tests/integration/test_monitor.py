"""The monitor on the deployed stack: nothing is lost or doubled, and alarms are of what changed."""

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from itertools import batched
from pathlib import Path
from typing import Any

import pytest
from clinical.boto3_bucket import Boto3Bucket
from clinical.captured import Captured
from clinical.captures import Captures
from clinical.obstore_bucket import ObstoreBucket
from clinical.params import params
from clinical.registry import Champion, Registry
from model.loader import load
from obstore.store import S3Store
from rich.console import Console

from data import generate
from data.shifts import DOUBLED
from local import executions, simulating
from local.cloud import REGION
from local.machines import MONITOR
from local.simulating import Simulated
from local.stack import NAMESPACE, Stack
from tests.integration.conftest import Answer, Laptop
from tests.patience import until

SINGLE, BATCHES, IN_A_BATCH = 300, 3, 1000
ASKED = SINGLE + BATCHES * IN_A_BATCH
DAYS, AT = 50, 15


@dataclass(frozen=True)
class Answered:
    """What the API answered: the scores, by the prediction's id."""

    scores: dict[str, float]
    since: datetime


@pytest.fixture(scope="module")
def stack(laptop: Laptop) -> Stack:
    return laptop.stack


@pytest.fixture(scope="module", autouse=True)
def _no_outcome_stays(stack: Stack) -> Iterator[None]:
    """Leave no outcome behind by which candidates of other rooms would be judged."""
    yield
    simulating.forget(stack)
    for bucket in (stack.outputs.raw_bucket, stack.outputs.artifacts_bucket):
        for key in simulating.keys(stack, bucket, "outcomes/"):
            stack.s3.delete_object(Bucket=bucket, Key=key)


@pytest.fixture(scope="module")
def champion(stack: Stack) -> Champion:
    pointer = Registry(artefacts(stack)).champion()
    assert pointer
    return pointer.champion


def artefacts(stack: Stack) -> Boto3Bucket:
    return Boto3Bucket(stack.s3, stack.outputs.artifacts_bucket)


def captured_since(stack: Stack, since: datetime) -> list[Captured]:
    later = datetime.now(UTC) + timedelta(hours=1)
    return list(Captures(artefacts(stack)).between(since, later))


@pytest.fixture(scope="module")
def answered(laptop: Laptop) -> Answered:
    """Ask for patients one by one and in batches, and capture: killed at first, then twice."""
    since = datetime.now(UTC)
    patients = [
        {name: value for name, value in one.items() if name != params().target.column}
        for one in generate.patients(ASKED, 14)
    ]
    with ThreadPoolExecutor(8) as clients:
        singly = list(clients.map(lambda one: admitted(laptop, "/predict", one), patients[:SINGLE]))
    together = [
        admitted(laptop, "/predict/batch", {"patients": some})
        for some in batched(patients[SINGLE:], IN_A_BATCH, strict=True)
    ]
    assert {one.status for one in (*singly, *together)} == {200}
    answers = [one.body for one in singly]
    answers += [one for answer in together for one in answer.body["predictions"]]
    target = params().target.column
    return Answered({one["prediction_id"]: one[target] for one in answers}, since)


def admitted(laptop: Laptop, path: str, body: object) -> Answer:
    """Ask again where the gateway says that it is too much at once, and nothing was predicted."""

    def answer() -> Answer | None:
        found = laptop.post(path, body)
        return None if found.status == HTTPStatus.TOO_MANY_REQUESTS else found

    return until(answer, f"an answer of {path}")


def run(laptop: Laptop, **asked: str) -> dict[str, Any]:
    ended = laptop.ended(executions.start(laptop.stack, asked, machine=MONITOR))
    assert ended["status"] == "SUCCEEDED", ended
    output: dict[str, Any] = json.loads(ended["output"])
    return output


def kill_the_capture(laptop: Laptop) -> str:
    """Start a run, and kill the worker that captures as soon as it has written something."""
    stack = laptop.stack
    before = set(simulating.keys(stack, stack.outputs.artifacts_bucket, "captures/"))
    arn = executions.start(stack, {}, machine=MONITOR)

    def killed() -> bool:
        written = set(simulating.keys(stack, stack.outputs.artifacts_bucket, "captures/"))
        if written == before:
            return False
        for process in laptop.workers("CaptureFunction"):
            process.kill()
        return True

    until(killed, "something captured")
    return str(laptop.ended(arn)["status"])


@pytest.fixture(scope="module")
def captured(laptop: Laptop, answered: Answered) -> list[Captured]:
    """What is captured after a run that was killed, and two that were not."""
    kill_the_capture(laptop)
    run(laptop)
    run(laptop)
    return captured_since(laptop.stack, answered.since)


def test_each_request_is_captured_once_however_often_the_monitor_ran_and_was_killed(
    answered: Answered, captured: list[Captured]
) -> None:
    assert len(answered.scores) == ASKED
    assert len(captured) == ASKED
    assert {one.prediction_id: one.score for one in captured} == answered.scores
    assert Counter(one.source for one in captured) == {
        "predict": SINGLE,
        "batch": BATCHES * IN_A_BATCH,
    }


def test_the_version_makes_each_score_of_the_captured_features_again(
    stack: Stack, champion: Champion, captured: list[Captured]
) -> None:
    store = S3Store(
        stack.outputs.artifacts_bucket,
        config={
            "endpoint": stack.outputs.endpoint_url,
            "region": REGION,
            "access_key_id": "test",
            "secret_access_key": "test",
        },
        client_options={"allow_http": True},
    )
    model = load(ObstoreBucket(lambda: store, stack.outputs.artifacts_bucket), champion)

    scores = model.predict(
        [{name: one for name, one in each.features.items() if one is not None} for each in captured]
    )

    assert {one.model_version for one in captured} == {champion.version}
    for made, each in zip(scores, captured, strict=True):
        assert (made.score, made.low, made.high) == (
            each.score,
            each.low,
            each.high,
        )


def test_a_prediction_is_told_with_its_outcome_once_that_was_handed_in(
    laptop: Laptop, answered: Answered, captured: list[Captured]
) -> None:
    target, one = params().target.column, captured[0]
    outcome = {"prediction_id": one.prediction_id, target: 6.5, "observed_at": today()}

    before = laptop.get(f"/predictions/{one.prediction_id}")
    handed_in = laptop.post("/outcomes", {"outcomes": [outcome]})
    after = laptop.get(f"/predictions/{one.prediction_id}")

    assert before.status == 200
    assert before.body["outcome"] is None
    assert before.body[target] == answered.scores[one.prediction_id]
    assert handed_in.status == 200, handed_in.text
    assert after.body["outcome"][target] == 6.5
    assert laptop.get(f"/predictions/{'0' * 32}").status == 404


def today() -> str:
    return f"{datetime.now(UTC):%Y-%m-%d}"


def test_outcomes_of_a_file_are_joined_and_brought_back_as_rows_to_train_on(
    laptop: Laptop, captured: list[Captured], tmp_path: Path
) -> None:
    target, some = params().target.column, captured[1:101]
    data, out = tmp_path / "outcomes.csv", tmp_path / "joined.csv"
    outcomes = {
        one.prediction_id: min(max(one.score + (-1) ** number * 0.5, 0), 10)
        for number, one in enumerate(some)
    }
    rows = [f"{one};{value:.2f};{today()}".replace(".", ",") for one, value in outcomes.items()]
    data.write_text("\n".join([f"prediction_id;{target};observed_at", *rows]) + "\n")

    done = laptop.run("outcomes", DATA=str(data), OUT=str(out))

    assert done.returncode == 0, done.stdout
    joined = {row[params().identifier]: row for row in csv.DictReader(out.read_text().splitlines())}
    for one in some:
        row = joined[one.prediction_id]
        assert float(row[target]) == pytest.approx(outcomes[one.prediction_id], abs=0.006)
        assert row["Drug_Name"] == one.features["Drug_Name"]
    assert len(joined) >= len(some)


def test_the_schedule_starts_the_machine_as_somebody_does_by_hand(laptop: Laptop) -> None:
    """EventBridge is told to do now what it would do at night."""
    rules = laptop.stack.client("events")
    machine = MONITOR.arn(laptop.stack)
    (name,) = rules.list_rule_names_by_target(TargetArn=machine)["RuleNames"]
    (target,) = rules.list_targets_by_rule(Rule=name)["Targets"]

    assert rules.describe_rule(Name=name)["ScheduleExpression"] == "cron(0 3 * * ? *)"
    assert rules.describe_rule(Name=name)["State"] == "ENABLED"
    assert (target["Arn"], json.loads(target["Input"])) == (machine, {})


# ── Simulations: what is other, which alarm, and which not ──────────────────────────────────────


@pytest.fixture(scope="module")
def simulated(
    laptop: Laptop, captured: list[Captured]
) -> Callable[[str], tuple[list[Simulated], str]]:
    """Simulate on the same cloud, one after the other; all that was really captured is known."""
    assert captured
    done: dict[str, tuple[list[Simulated], str]] = {}

    def simulate(shift: str) -> tuple[list[Simulated], str]:
        if shift not in done:
            console = Console(file=io.StringIO(), width=120)
            found = simulating.simulate(laptop.stack, DAYS, shift, AT, console, daily=1)
            assert isinstance(console.file, io.StringIO)
            done[shift] = found, console.file.getvalue()
        return done[shift]

    return simulate


def alarm(laptop: Laptop, name: str) -> str:
    found = laptop.stack.cloudwatch.describe_alarms()["MetricAlarms"]
    (state,) = [one["StateValue"] for one in found if f"-{name}Alarm-" in one["AlarmName"]]
    return str(state)


def told(laptop: Laptop, metric: str, since: datetime) -> set[float]:
    """Give what an alarm's metric was told since; what was asked here before may have alarmed."""
    found = laptop.stack.cloudwatch.get_metric_statistics(
        Namespace=NAMESPACE,
        MetricName=metric,
        Dimensions=[{"Name": "service", "Value": "monitor"}],
        StartTime=since,
        EndTime=datetime.now(UTC) + timedelta(minutes=1),
        Period=1,
        Statistics=["Maximum"],
    )
    return {one["Maximum"] for one in found["Datapoints"]}


def test_where_nothing_changes_neither_alarm_goes_off(
    laptop: Laptop, simulated: Callable[[str], tuple[list[Simulated], str]]
) -> None:
    since = datetime.now(UTC)
    found, printed = simulated("none")

    last = found[-1].found
    assert last.drift.requests == 28 * simulating.PER_DAY
    assert last.drift.p_value is not None
    assert last.outcomes.p_value is not None
    assert not any(one.found.drift.drifted or one.found.outcomes.degraded for one in found)
    assert last.outcomes.rmse
    assert last.outcomes.average_rmse
    assert last.outcomes.rmse.value < last.outcomes.average_rmse.value
    assert "The alarm Drifted did not go off." in printed
    assert "The alarm Degraded did not go off." in printed
    assert told(laptop, "Drifted", since) == told(laptop, "Degraded", since) == {0.0}


def test_a_doubled_drug_drifts_and_is_named(
    laptop: Laptop, simulated: Callable[[str], tuple[list[Simulated], str]]
) -> None:
    simulated("none")
    found, printed = simulated("doubled_drug")

    assert not any(one.found.drift.drifted for one in found if not one.day.shifted)
    last = found[-1].found
    assert last.drift.drifted
    assert DOUBLED in last.drift.says
    (drugs,) = [one for one in last.drift.columns if one.column == "Drug_Name"]
    assert drugs.drifted
    assert drugs.moved
    assert drugs.moved.level == DOUBLED
    assert drugs.moved.now > 1.5 * drugs.moved.before
    assert DOUBLED in printed
    until(lambda: alarm(laptop, "Drifted") == "ALARM", "the alarm")


def test_a_simulation_forgets_the_one_before(
    laptop: Laptop, simulated: Callable[[str], tuple[list[Simulated], str]]
) -> None:
    found, _ = simulated("doubled_drug")
    stack = laptop.stack

    reports = simulating.keys(stack, stack.outputs.artifacts_bucket, "monitor/")
    assert [key.removeprefix("monitor/") for key in reports] == [
        f"{one.day.date:%Y-%m-%d}.json" for one in found
    ]
    first = found[0].day.date - timedelta(days=DAYS)
    ids = [one.prediction_id for one in Captures(artefacts(stack)).between(first, stop(found))]
    assert len(ids) == len(set(ids)) == DAYS * simulating.PER_DAY


def stop(found: list[Simulated]) -> datetime:
    return found[-1].day.date + timedelta(days=1)


def test_what_was_really_asked_is_captured_again_after_a_simulation(
    laptop: Laptop,
    answered: Answered,
    simulated: Callable[[str], tuple[list[Simulated], str]],
) -> None:
    simulated("doubled_drug")

    run(laptop)

    captured = captured_since(laptop.stack, answered.since)
    assert {one.prediction_id for one in captured} >= answered.scores.keys()
