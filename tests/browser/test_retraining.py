"""The world changes, and with nobody's help a model is made anew, which waits for a yes.

Drug effects are reversed in a simulation. The monitor finds that the model degrades, and retrains
it on its upload and on what came of its predictions.
"""

import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from clinical.approvals import Waiting
from clinical.artefacts import unsealed_json
from clinical.boto3_bucket import Boto3Bucket
from clinical.registry import Champion, Registry
from playwright.sync_api import expect
from rich.console import Console

from local import approving, executions, simulating
from local.models import operator
from local.simulating import Simulated
from local.stack import NAMESPACE
from tests.browser.conftest import DESK, Visit, Windows
from tests.integration.conftest import Laptop, Laptops, few_trees_in
from tests.patience import until

DAYS, AT = 50, 15
AFTER = 100  # new outcomes
WHY = "Effects are reversed, and it was judged on outcomes of both kinds."


@dataclass(frozen=True)
class Lived:
    """What a simulation came to, and what waits since."""

    champion: Champion
    found: list[Simulated]
    printed: str
    waiting: Waiting


def registry(laptop: Laptop) -> Registry:
    stack = laptop.stack
    return Registry(Boto3Bucket(stack.s3, stack.outputs.artifacts_bucket))


def champion_of(laptop: Laptop) -> Champion:
    pointer = registry(laptop).champion()
    assert pointer
    return pointer.champion


@pytest.fixture(scope="module")
def alone(start_laptop: Laptops, tmp_path_factory: pytest.TempPathFactory) -> Laptop:
    """A laptop that retrains by itself, and on which somebody has to approve of every model."""
    laptop = start_laptop.another("retraining", RETRAIN_AFTER=f"{AFTER}")
    laptop.decide_by(few_trees_in(tmp_path_factory.mktemp("decisions"), approval="always"))
    return laptop


@pytest.fixture(scope="module")
def lived(alone: Laptop) -> Lived:
    """Fifty days, of which the effects are reversed from the fifteenth on; nobody does anything."""
    champion, console = champion_of(alone), Console(file=io.StringIO(), width=160)
    found = simulating.simulate(alone.stack, DAYS, "reversed_effects", AT, console, daily=1)
    waiting = until(lambda: approving.waiting(alone.stack), "a model that waits")
    assert isinstance(console.file, io.StringIO)
    return Lived(champion, found, console.file.getvalue(), waiting[0])


@pytest.fixture
def visit(windows: Windows) -> Iterator[Visit]:
    with windows.visit(**DESK) as visit:
        yield visit


@pytest.fixture
def console(alone: Laptop) -> str:
    return f"http://localhost:{alone.console_port}"


def first_alarm(lived: Lived) -> Simulated:
    return next(one for one in lived.found if one.found.outcomes.degraded)


def told(laptop: Laptop, metric: str) -> set[float]:
    found = laptop.stack.cloudwatch.get_metric_statistics(
        Namespace=NAMESPACE,
        MetricName=metric,
        Dimensions=[{"Name": "service", "Value": "monitor"}],
        StartTime=datetime.now(UTC) - timedelta(hours=1),
        EndTime=datetime.now(UTC) + timedelta(minutes=1),
        Period=1,
        Statistics=["Maximum"],
    )
    return {one["Maximum"] for one in found["Datapoints"]}


def alarm(laptop: Laptop, name: str) -> str:
    found = laptop.stack.cloudwatch.describe_alarms()["MetricAlarms"]
    (state,) = [one["StateValue"] for one in found if f"-{name}Alarm-" in one["AlarmName"]]
    return str(state)


def drifts(laptop: Laptop) -> list[str]:
    """The executions that the monitor started."""
    listed = executions.newest(laptop.stack)
    return [one["name"] for one in listed if one["name"].startswith("drift-")]


def test_reversed_effects_degrade_the_model_while_requests_stay_as_they_were(
    alone: Laptop, lived: Lived
) -> None:
    found = lived.found

    assert not any(one.found.drift.drifted for one in found)
    assert not any(one.found.outcomes.degraded for one in found if not one.day.shifted)
    assert found[-1].found.outcomes.degraded
    until(lambda: alarm(alone, "Degraded") == "ALARM", "the alarm")
    assert told(alone, "Drifted") == {0.0}


def test_the_first_alarm_retrains_once_on_what_was_observed_until_then(
    alone: Laptop, lived: Lived
) -> None:
    first = first_alarm(lived)
    name = f"drift-{first.day.date:%Y-%m-%d}"

    assert drifts(alone) == [name]
    assert first.retraining == name
    assert f"Day {first.day.number}: Retraining as {name}" in lived.printed
    later = [one for one in lived.found if one.day.number > first.day.number]
    assert later
    for one in later:
        assert one.found.retraining
        assert "is running or waiting for approval" in one.found.retraining.says
    arn = lived.waiting.arn
    asked = json.loads(alone.stack.stepfunctions.describe_execution(executionArn=arn)["input"])
    assert datetime.fromisoformat(asked["outcomes"]) == first.found.window.until
    assert asked["reason"] == first.found.outcomes.says


def test_what_was_made_waits_and_the_champion_serves(alone: Laptop, lived: Lived) -> None:
    assert lived.waiting.execution == drifts(alone)[0]
    assert lived.waiting.version != lived.champion.version
    assert champion_of(alone) == lived.champion
    assert alone.get("/health").body["model_version"] == lived.champion.version


def test_it_is_approved_of_in_the_console_by_mouse_and_serves(
    alone: Laptop, lived: Lived, visit: Visit, console: str
) -> None:
    page, version, execution = visit.page, lived.waiting.version, lived.waiting.execution
    page.goto(f"{console}/monitoring")
    expect(page.get_by_role("cell", name=execution, exact=True)).to_be_visible()
    visit.keep("retraining-monitoring")
    page.goto(f"{console}/approvals")
    waits = page.get_by_role("region", name=re.compile(f"^Approval of {version}"))
    expect(waits).to_contain_text(lived.waiting.why)
    visit.keep("retraining-waits")

    waits.get_by_role("textbox").click()
    page.keyboard.type(WHY)
    waits.get_by_role("button", name="Approve").click()

    expect(waits.get_by_role("status")).to_contain_text("approved")
    ended = alone.ended(lived.waiting.arn)
    came_to = page.get_by_role("row", name=re.compile(execution))
    expect(came_to).to_contain_text("promoted")
    visit.keep("retraining-approved")
    assert json.loads(ended["output"])["decision"].startswith("promoted"), ended
    alone.wait_until_served(version)
    assert visit.complaints == []


def test_the_ledger_has_who_approved_and_why_and_what_moved(alone: Laptop, lived: Lived) -> None:
    champion, first = champion_of(alone), first_alarm(lived)
    promotion = champion.promotion

    assert champion.version == lived.waiting.version
    assert champion.previous == lived.champion.version
    assert promotion.execution == f"drift-{first.day.date:%Y-%m-%d}"
    assert promotion.why == first.found.outcomes.says
    assert promotion.approval
    assert (promotion.approval.who, promotion.approval.why) == (operator(), WHY)
    entries = simulating.keys(alone.stack, alone.stack.outputs.artifacts_bucket, "models/ledger/")
    entry = registry(alone).bucket.get(entries[-1]).body
    assert Champion.model_validate(unsealed_json(entries[-1], entry)) == champion


def test_the_model_says_that_it_learned_from_what_it_predicted(alone: Laptop, lived: Lived) -> None:
    model: dict[str, Any] = alone.get("/model").body

    assert model["model_version"] == lived.waiting.version
    assert model["data"]["outcomes"] >= AFTER
    assert any("predictions that this system made" in one for one in model["overview"]["limits"])


def test_the_machine_is_drawn_with_the_way_that_it_went(
    lived: Lived, visit: Visit, console: str
) -> None:
    page = visit.page
    page.goto(console)

    page.get_by_role("cell", name=lived.waiting.execution, exact=True).click()

    expect(page.get_by_text(f"{lived.waiting.execution}: succeeded")).to_be_visible()
    visit.keep("retraining-graph")


def test_the_champions_upload_trained_on_again_keeps_its_outcomes(
    alone: Laptop, lived: Lived
) -> None:
    champion = champion_of(alone)
    assert champion.version == lived.waiting.version

    ended = alone.ended(executions.start(alone.stack))

    assert json.loads(ended["output"])["decision"] == "already_champion", ended
    assert champion_of(alone) == champion
