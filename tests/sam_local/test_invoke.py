"""`sam local invoke` works for every function with its event."""

import json
from pathlib import Path
from typing import Any

import pytest

from events.generate import SCORED, stages
from tests.integration.conftest import ROOT, Laptop
from tests.sam_local.conftest import SamLocal

# What was closed, nobody can ask for once more.
IN_ORDER = sorted(stages(), key=lambda name: name == "close_approval")


@pytest.mark.parametrize("name", [*IN_ORDER, "predict", "dropdown"])
def test_a_function_takes_its_event(
    sam_local: SamLocal, laptop: Laptop, name: str, tmp_path: Path
) -> None:
    function = "".join(part.capitalize() for part in name.split("_")) + "Function"

    event = ROOT / f"events/{name}.json"
    if name == "publish":
        event = with_this_model(event, laptop, tmp_path)

    answer, log = sam_local.invoke(function, event, laptop.port)

    assert isinstance(answer, dict)
    assert "errorType" not in answer, answer
    assert answer.get("statusCode", 200) == 200
    assert "REPORT RequestId" in log


def test_the_stages_that_score_a_file_take_their_events_one_after_the_other(
    sam_local: SamLocal, laptop: Laptop, sample: Path, tmp_path: Path
) -> None:
    stack = laptop.stack
    name = stack.outputs.raw_bucket
    stack.s3.upload_file(str(sample), name, SCORED)
    plan: dict[str, Any] = {}

    for stage in ("split", "score_part", "summarise"):
        changed = json.loads((ROOT / f"events/{stage}.json").read_text())
        file = tmp_path / f"{stage}.json"
        file.write_text(json.dumps(changed | ({"plan": plan} if plan else {})))
        function = "".join(part.capitalize() for part in stage.split("_")) + "Function"
        answer, _ = sam_local.invoke(function, file, laptop.port)
        assert isinstance(answer, dict)
        assert "errorType" not in answer, answer
        plan = plan or answer["plan"]

    assert isinstance(answer, dict)
    assert (answer["rows"], answer["scored"], answer["parts"]) == (1000, 1000, 1)


def with_this_model(event: Path, laptop: Laptop, folder: Path) -> Path:
    """Name this cloud's model.joblib: scikit-learn pickles padding, which is never the same."""
    changed = json.loads(event.read_text())
    lineage = laptop.artefact(f"runs/{changed['execution']}/lineage.json")
    changed["trained"]["model"] = lineage["stages"]["train"]["output"]["model"]
    file = folder / event.name
    file.write_text(json.dumps(changed))
    return file
