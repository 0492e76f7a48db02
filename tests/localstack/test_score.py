"""What the score machine hands from stage to stage, and what a broken part costs."""

import json
import re
from collections import Counter

import pytest

from events.generate import inputs_of
from tests.localstack.execution import Execution
from tests.localstack.score import FEW, INLINE, KILLED, MANY, PLAN, SCORE, TRIES, split


@pytest.fixture
def scored(executions: dict[str, dict[str, Execution]]) -> dict[str, Execution]:
    return executions["score"]


def numbers(execution: Execution) -> Counter[int]:
    """Which part was asked for how often."""
    return Counter(payload["part"]["number"] for payload in execution.asked("ScorePart"))


@pytest.mark.parametrize(
    ("function", "stage"),
    [("Split", "split"), ("ScorePart", "score_part"), ("Summarise", "summarise")],
)
def test_a_stage_is_handed_what_its_models_take(
    scored: dict[str, Execution], function: str, stage: str
) -> None:
    payloads = [
        (execution.name, payload)
        for execution in scored.values()
        for payload in execution.asked(function)
    ]

    assert payloads
    for execution, payload in payloads:
        inputs = inputs_of(stage, "score")
        assert set(payload) == {"execution", *inputs}
        assert payload["execution"] == execution
        for name, kind in inputs.items():
            kind.model_validate(payload[name])


@pytest.mark.parametrize(
    ("name", "parts"),
    [("OfOnePart", 1), ("Uploaded", FEW), ("OfAsManyAsFit", INLINE), ("OfMany", MANY)],
)
def test_every_part_is_handed_out_once_with_the_name_of_the_execution_that_was_started(
    scored: dict[str, Execution], name: str, parts: int
) -> None:
    asked = sorted(scored[name].asked("ScorePart"), key=lambda payload: payload["part"]["number"])

    assert asked == [
        {"execution": name, "plan": PLAN, "part": part} for part in split(parts)["parts"]
    ]
    assert scored[name].asked("Summarise") == [{"execution": name, "plan": PLAN, "parts": parts}]


@pytest.mark.parametrize(("name", "parts"), [("PartKilled", FEW), ("PartOfManyKilled", MANY)])
def test_a_worker_that_is_killed_costs_another_try_of_its_part_and_nothing_else(
    scored: dict[str, Execution], name: str, parts: int
) -> None:
    execution = scored[name]

    assert execution.failures == [KILLED.error]
    assert sorted(numbers(execution).values()) == [*[1] * (parts - 1), 2]


def test_a_part_is_tried_again_whatever_its_worker_died_of(scored: dict[str, Execution]) -> None:
    execution = scored["PartDiesOfEverything"]

    assert execution.failures == ["Runtime.ExitError", "Sandbox.Timedout", "Lambda.Unknown"]
    assert numbers(execution) == {0: TRIES}


@pytest.mark.parametrize(
    ("name", "unreadable"), [("PartOfManyUnreadable", 1), ("AllOfManyUnreadable", MANY)]
)
def test_a_part_that_cannot_be_read_is_not_tried_again(
    scored: dict[str, Execution], name: str, unreadable: int
) -> None:
    execution = scored[name]

    assert execution.failures == ["DatasetUnreadable"] * unreadable
    assert numbers(execution) == dict.fromkeys(range(MANY), 1)


def test_what_the_parts_found_stays_out_of_the_state(scored: dict[str, Execution]) -> None:
    for name in ("Uploaded", "OfMany"):
        (summarising,) = (
            event["stateEnteredEventDetails"]["input"]
            for event in scored[name].events
            if event.get("stateEnteredEventDetails", {}).get("name") == "Summarise"
        )
        assert "refused" not in summarising


def test_what_is_an_execution_of_its_own_reads_nothing_of_the_one_that_started_it() -> None:
    """On AWS it sees none of its variables, and its own name as the execution's."""
    own = json.dumps(SCORE.definition["States"]["ScoreManyParts"]["ItemProcessor"])

    read = set(re.findall(r"\$(\w+(?:\.\w+)?)(?![\w(])", own))

    assert read == {"states.input", "states.result", "states.errorOutput"}


def test_a_part_of_many_is_scored_as_a_part_of_few_is() -> None:
    few, many = SCORE.states["ScorePart"], SCORE.states["ScorePartMany"]
    maps = SCORE.states["ScoreParts"], SCORE.states["ScoreManyParts"]

    assert maps[0]["ItemSelector"] == maps[1]["ItemSelector"]
    own = {"Comment", "Catch"}
    assert {name: few[name] for name in few if name not in own} == {
        name: many[name] for name in many if name not in own
    }
