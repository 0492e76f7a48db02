"""Every function takes its event in a container, from `sam local invoke` and `start-lambda`."""

import json
from pathlib import Path
from typing import Any

import pytest

from events.generate import SCORED, stages
from tests.integration.conftest import ROOT, Laptop
from tests.sam_local.commands import ENDED, LocalLambda, SamLocal

# What was closed, nobody can ask for once more.
IN_ORDER = sorted(stages(), key=lambda name: name == "close_approval")
BY_INVOKE = "train"  # the others by one `start-lambda`: sam starts once for all


@pytest.mark.parametrize(
    "name", [*(one for one in IN_ORDER if one != BY_INVOKE), "dropdown", "predict"]
)
def test_a_function_takes_its_event(functions: LocalLambda, laptop: Laptop, name: str) -> None:
    event = event_of(name)
    if name == "publish":
        event |= with_this_model(event, laptop)

    answer, log = functions.invoke(function_of(name), event)

    assert "errorType" not in answer, answer
    assert answer.get("statusCode", 200) == 200
    assert ENDED in log


def test_sam_local_invoke_gives_a_function_its_event(sam_local: SamLocal, laptop: Laptop) -> None:
    event = ROOT / f"events/{BY_INVOKE}.json"

    answer, log = sam_local.invoke(function_of(BY_INVOKE), event, laptop.port)

    assert isinstance(answer, dict)
    assert "errorType" not in answer, answer
    assert answer.get("statusCode", 200) == 200
    assert ENDED in log


def test_the_stages_that_score_a_file_take_their_events_one_after_the_other(
    functions: LocalLambda, laptop: Laptop, sample: Path
) -> None:
    stack = laptop.stack
    name = stack.outputs.raw_bucket
    stack.s3.upload_file(str(sample), name, SCORED)
    plan: dict[str, Any] = {}

    for stage in ("split", "score_part", "summarise"):
        event = event_of(stage) | ({"plan": plan} if plan else {})
        answer, _ = functions.invoke(function_of(stage), event)
        assert "errorType" not in answer, answer
        plan = plan or answer["plan"]

    assert (answer["rows"], answer["scored"], answer["parts"]) == (1000, 1000, 1)


def function_of(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_")) + "Function"


def event_of(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((ROOT / f"events/{name}.json").read_text())
    return event


def with_this_model(event: dict[str, Any], laptop: Laptop) -> dict[str, Any]:
    """Name this cloud's model.joblib: scikit-learn pickles padding, which is never the same."""
    lineage = laptop.artefact(f"runs/{event['execution']}/lineage.json")
    return {"trained": event["trained"] | {"model": lineage["stages"]["train"]["output"]["model"]}}
