"""State machines on the local cloud go as on AWS: Maps, workers that are killed, and limits."""

import io
import json
import os
import re
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local.stack import Stack
from tests import state_machine
from tests.integration.conftest import Laptop
from tests.patience import until

MANY = 41  # parts, of which each is an execution of its own
AT_ONCE = 2 * (os.cpu_count() or 1)  # processes of one function
ROLE = "arn:aws:iam::000000000000:role/any"
LARGE = "x" * 150_000  # two of which are more than a state may hand on
# Each part leaves a line for each try of it, and does then what it was asked for.
FUNCTIONS = """
import json, os, signal, time
from pathlib import Path

HOME = Path(os.environ["HOME_OF_THE_TEST"])
if (HOME / "kill-who-starts").exists():
    (HOME / "kill-who-starts").unlink()
    os.kill(os.getpid(), signal.SIGKILL)


class DatasetUnreadable(Exception):
    pass


def split(event, context):
    given = event["given"]
    parts = [{"number": number} for number in range(given["parts"])]
    return {"plan": {"decision": "score", "reason": None, **given}, "parts": parts}


def score_part(event, context):
    plan, number = event["plan"], event["part"]["number"]
    told = HOME / event["execution"] / str(number)
    told.parent.mkdir(exist_ok=True)
    first = not told.exists()
    with told.open("a") as tries:
        print(os.getpid(), file=tries)
    if plan.get("waits"):
        while not (HOME / "go").exists():
            time.sleep(0.02)
    if number in plan.get("unreadable", []):
        raise DatasetUnreadable(f"part {number} cannot be read")
    if number in plan.get("killed", []) and first:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"number": number, "rows": 1, "scored": 1, "refused": 0}


def summarise(event, context):
    return {"of": event["execution"], "parts": event["parts"]}
"""


@dataclass(frozen=True)
class Scoring:
    """The machine, deployed by itself, and what its parts leave in a folder."""

    stack: Stack
    home: Path
    machine: str

    def start(self, name: str, **asked: Any) -> str:
        """Start an execution of so many `parts`; some are `killed` once, some are `unreadable`."""
        started = self.stack.stepfunctions.start_execution(
            stateMachineArn=self.machine, name=name, input=json.dumps(asked)
        )
        return str(started["executionArn"])

    def tries(self, name: str) -> dict[int, list[int]]:
        """The processes that each part was tried in, one after the other."""
        return {
            int(path.name): [int(line) for line in path.read_text().splitlines()]
            for path in (self.home / name).glob("*")
        }


@pytest.fixture(scope="module")
def laptop(start_laptop: Callable[[str], Laptop]) -> Laptop:
    """A local cloud with nothing deployed."""
    laptop = start_laptop("maps")
    laptop.start_cloud()
    return laptop


def deployed(laptop: Laptop, home: Path) -> Scoring:
    """Deploy the machine with functions of its own, named for a folder where they leave traces."""
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("functions.py", FUNCTIONS)
    lambdas = laptop.stack.client("lambda")
    arns = {
        f"{camel}FunctionArn": lambdas.create_function(
            FunctionName=f"{home.name}-{name}",
            Runtime="python3.13",
            Role=ROLE,
            Handler=f"functions.{name}",
            Code={"ZipFile": code.getvalue()},
            Timeout=300,
            Environment={"Variables": {"HOME_OF_THE_TEST": str(home)}},
        )["FunctionArn"]
        for camel, name in (
            ("Split", "split"),
            ("ScorePart", "score_part"),
            ("Summarise", "summarise"),
        )
    }
    definition = json.dumps(state_machine.definition("score"))
    made = laptop.stack.stepfunctions.create_state_machine(
        name=home.name,
        definition=re.sub(r"\$\{(\w+)\}", lambda found: arns[found[1]], definition),
        roleArn=ROLE,
    )
    return Scoring(laptop.stack, home, made["stateMachineArn"])


@pytest.fixture(scope="module")
def scoring(laptop: Laptop, tmp_path_factory: pytest.TempPathFactory) -> Scoring:
    return deployed(laptop, tmp_path_factory.mktemp("scoring"))


def ended_of(laptop: Laptop, name: str, states: dict[str, Any], given: object) -> dict[str, Any]:
    """Run a machine of these states, the first of which is `First`, and describe how it ended."""
    machine = {"QueryLanguage": "JSONata", "StartAt": "First", "States": states}
    made = laptop.stack.stepfunctions.create_state_machine(
        name=name, definition=json.dumps(machine), roleArn=ROLE
    )
    started = laptop.stack.stepfunctions.start_execution(
        stateMachineArn=made["stateMachineArn"], name=name, input=json.dumps(given)
    )
    return laptop.ended(started["executionArn"])


def failures(laptop: Laptop, arn: str) -> list[str]:
    """The error of each invocation that failed, as the history tells of it."""
    history = laptop.stack.stepfunctions.get_paginator("get_execution_history")
    return [
        event["taskFailedEventDetails"]["error"]
        for page in history.paginate(executionArn=arn)
        for event in page["events"]
        if event["type"] == "TaskFailed"
    ]


@pytest.mark.parametrize("parts", [1, 3, MANY])
def test_every_part_is_scored_once_under_the_name_of_the_execution_that_was_started(
    laptop: Laptop, scoring: Scoring, parts: int
) -> None:
    name = f"of-{parts}"

    ended = laptop.ended(scoring.start(name, parts=parts))

    assert json.loads(ended["output"]) == {"decision": "scored", "of": name, "parts": parts}
    tries = scoring.tries(name)
    assert sorted(tries) == list(range(parts))
    assert {len(pids) for pids in tries.values()} == {1}


def test_a_worker_that_is_killed_is_replaced_and_costs_its_part_another_try(
    laptop: Laptop, scoring: Scoring
) -> None:
    arn = scoring.start("killed", parts=5, killed=[2])

    assert laptop.ended(arn)["status"] == "SUCCEEDED"
    assert failures(laptop, arn) == ["Runtime.ExitError"]
    tries = scoring.tries("killed")
    assert {number: len(pids) for number, pids in tries.items()} == {0: 1, 1: 1, 2: 2, 3: 1, 4: 1}
    assert tries[2][0] != tries[2][1]


def test_of_many_parts_one_whose_worker_is_killed_costs_that_one_alone_another_try(
    laptop: Laptop, scoring: Scoring
) -> None:
    ended = laptop.ended(scoring.start("many-killed", parts=MANY, killed=[7]))

    assert ended["status"] == "SUCCEEDED"
    tries = scoring.tries("many-killed")
    assert {number for number, pids in tries.items() if len(pids) == 2} == {7}
    assert sum(len(pids) for pids in tries.values()) == MANY + 1


@pytest.mark.parametrize("parts", [3, MANY])
def test_a_part_that_cannot_be_read_ends_the_execution_by_that_name_and_is_not_tried_again(
    laptop: Laptop, scoring: Scoring, parts: int
) -> None:
    name = f"unreadable-{parts}"

    ended = laptop.ended(scoring.start(name, parts=parts, unreadable=[1]))

    assert (ended["error"], ended["cause"]) == ("DatasetUnreadable", "part 1 cannot be read")
    assert len(scoring.tries(name)[1]) == 1


@pytest.mark.parametrize("parts", [AT_ONCE + 1, MANY])
def test_as_many_parts_begin_at_once_as_have_a_process_and_none_once_it_was_stopped(
    laptop: Laptop, scoring: Scoring, parts: int
) -> None:
    name, go = f"stopped-{parts}", scoring.home / "go"
    arn = scoring.start(name, parts=parts, waits=True)
    until(lambda: len(scoring.tries(name)) == AT_ONCE, "parts in every process")

    laptop.stack.stepfunctions.stop_execution(executionArn=arn)
    go.touch()
    time.sleep(2)  # in which all others would have begun

    go.unlink()
    assert len(scoring.tries(name)) == AT_ONCE
    assert laptop.ended(arn)["status"] == "ABORTED"


def test_a_worker_that_is_killed_as_it_starts_takes_no_other_with_it(
    laptop: Laptop, tmp_path_factory: pytest.TempPathFactory
) -> None:
    scoring = deployed(laptop, tmp_path_factory.mktemp("fresh"))
    kill, go = scoring.home / "kill-who-starts", scoring.home / "go"
    one = scoring.start("waiting", parts=1, waits=True)
    until(lambda: scoring.tries("waiting"), "a part that waits")

    kill.touch()
    other = scoring.start("starting", parts=1)
    until(lambda: not kill.exists(), "a worker that starts")
    go.touch()

    assert laptop.ended(other)["status"] == "SUCCEEDED"
    assert laptop.ended(one)["status"] == "SUCCEEDED"
    assert len(scoring.tries("waiting")[0]) == 1
    assert failures(laptop, other) == ["Runtime.ExitError"]


def test_an_execution_of_its_own_sees_nothing_of_the_one_that_started_it(laptop: Laptop) -> None:
    look = {
        "Type": "Pass",
        "Output": {
            "input": "{% $states.input %}",
            "name": "{% $states.context.Execution.Name %}",
            "sees": "{% $exists($outer) %}",
        },
        "End": True,
    }
    each = {
        "Type": "Map",
        "Items": "{% [3, 4] %}",
        "ItemSelector": "{% $states.context.Map.Item.Value + $outer %}",
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "Look",
            "States": {"Look": look},
        },
        "Assign": {"looked": "{% $states.result %}"},
        "Output": "{% $count($states.result) %}",
        "Next": "Tell",
    }
    states = {
        "First": {"Type": "Pass", "Assign": {"outer": 10}, "Next": "Each"},
        "Each": each,
        "Tell": {
            "Type": "Pass",
            "Output": {"count": "{% $states.input %}", "looked": "{% $looked %}"},
            "End": True,
        },
    }

    told = json.loads(ended_of(laptop, "parent", states, {})["output"])

    assert told["count"] == 2
    assert [one["input"] for one in told["looked"]] == [13, 14]
    assert [one["sees"] for one in told["looked"]] == [False, False]
    assert len({"parent", *(one["name"] for one in told["looked"])}) == 3


def test_a_state_that_hands_on_more_than_aws_lets_it_ends_the_execution(laptop: Laptop) -> None:
    twice = {"Type": "Pass", "Output": ["{% $states.input %}"] * 2, "End": True}

    ended = ended_of(laptop, "large", {"First": twice}, LARGE)

    assert ended["error"] == "States.DataLimitExceeded"
    assert "the output of the state 'First'" in ended["cause"]


def test_characters_beyond_ascii_count_as_they_are_sent(laptop: Laptop) -> None:
    same = {"Type": "Pass", "End": True}

    assert ended_of(laptop, "umlauts", {"First": same}, "ä" * 100_000)["status"] == "SUCCEEDED"


def test_no_catch_of_all_errors_catches_that_a_task_is_given_too_much(laptop: Laptop) -> None:
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Arguments": {"FunctionName": "nobody", "Payload": ["{% $states.input %}"] * 2},
        "Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 60}],
        "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}],
        "End": True,
    }

    ended = ended_of(laptop, "given", {"First": task, "Caught": {"Type": "Succeed"}}, LARGE)

    assert ended["error"] == "States.DataLimitExceeded"
