"""Write the event of every stage, as the state machine sends it, and a request: `make events`.

They are of an execution named `sample` on data/sample.csv. Training is the same everywhere, so
their digests are those of any such execution. The request is for a row that was trained on. Of a
file that is scored, the plan has the digest of what `split` found out, which is of its run alone:
its answer has the one to put into the events of the stages after it. So it is of what the stages of
the monitor found.
"""

import contextlib
import importlib
import inspect
import io
import json
from pathlib import Path
from typing import Any

import stage
from clinical.artefacts import Artefact
from clinical.boto3_bucket import Boto3Bucket
from clinical.params import params
from clinical.reference import example_request, read_reference
from pydantic import BaseModel

from tests.pipeline import (
    documented,
    measure,
    mirror,
    monitor,
    own_cloud,
    own_log,
    own_store,
    retrain,
    score,
)

HERE = Path(__file__).parent
PIPELINE = HERE.parent / "pipeline"
EXECUTION = "sample"
SOME_DAY = "2026-11-25T12:00:00Z"
ALWAYS = {
    "version_id": "",
    "uploaded_at": SOME_DAY,
    "published_at": SOME_DAY,
    "promoted_at": SOME_DAY,
    "since": "2026-10-29T00:00:00Z",
    "until": "2026-11-26T00:00:00Z",
    "date": "2026-11-25",
}
OF_TUNING = ("asked", "candidate", "tried")  # of the inputs; the others are of an untuned run
SCORED = "score/in/sample.csv"
# What an execution hands on where somebody has to approve, which on the sample nobody has to.
OF_APPROVAL = ("request_approval", "close_approval")
ASKED = {
    "approval": ["Every candidate needs approval (gate.approval: always)."],
    "approval_seconds": 604_800,
}
WAITING = {
    "token": "a token that Step Functions made",
    "arn": f"arn:aws:states:us-east-1:123456789012:execution:retrain:{EXECUTION}",
}


def stages(machine: str = "retrain") -> list[str]:
    """Name every stage of a machine, in the order of the alphabet."""
    files = (PIPELINE / machine / "stages").glob("*.py")
    return sorted(path.stem for path in files if path.stem != "__init__")


def inputs_of(name: str, machine: str = "retrain") -> dict[str, type[BaseModel]]:
    """Read a stage's inputs and their types from its signature."""
    function = getattr(importlib.import_module(f"{machine}.stages.{name}"), name).__wrapped__
    hints = {name: one.annotation for name, one in inspect.signature(function).parameters.items()}
    return {name: kind for name, kind in hints.items() if kind not in stage._GIVEN}  # noqa: SLF001


def events() -> dict[str, dict[str, Any]]:
    """Run all stages in moto's S3, and give each one's event by its name, and a request's."""
    with own_cloud() as bucket, contextlib.redirect_stdout(io.StringIO()):
        bucket.client.upload_file(str(HERE.parent / "data/sample.csv"), "raw", "raw/sample.csv")
        retrain("first")  # which the next one is compared with, as after `make up`
        came_to = retrain(EXECUTION)
        came_to |= measure(EXECUTION, came_to)
        came_to |= documented(EXECUTION, came_to)
        reference = read_reference(bucket, Artefact(**came_to["trained"]["reference"]))
        of_replay = {"evaluated": came_to["before_replay"]}
        tuned = retrain(EXECUTION, {"tune": True})
        of_a_file = scored(bucket)
        with own_log():
            watched: dict[str, Any] = _as_ever(monitor(EXECUTION))
    came_to |= {name: tuned[name] for name in OF_TUNING}
    waits = {"nominated": came_to["nominated"] | ASKED, "waiting": WAITING}
    others = {"replay": of_replay, **dict.fromkeys(OF_APPROVAL, waits)}
    request = json.loads((HERE / "predict.json").read_text(encoding="utf-8"))
    body = json.dumps(example_request(reference, params()))
    return {
        "predict": {**request, "body": body},
        **{
            name: {
                "execution": EXECUTION,
                **{
                    one: _as_ever({**came_to, **others.get(name, {})}[one])
                    for one in inputs_of(name)
                },
            }
            for name in stages()
        },
        **{
            name: {
                "execution": EXECUTION,
                **{one: of_a_file[one] for one in inputs_of(name, "score")},
            }
            for name in stages("score")
        },
        **{
            name: {
                "execution": EXECUTION,
                **{one: watched[one] for one in inputs_of(name, "monitor")},
            }
            for name in stages("monitor")
        },
    }


def scored(bucket: Boto3Bucket) -> dict[str, Any]:
    """Score the sample as a file, and give the inputs of the stages that do."""
    bucket.client.upload_file(str(HERE.parent / "data/sample.csv"), "raw", SCORED)
    with own_store() as store:
        mirror(bucket, store)
        came_to: dict[str, Any] = _as_ever(score(EXECUTION, {"score": SCORED}))
    plan, parts = came_to["plan"], came_to["parts"]
    plan["details"]["sha256"] = "0" * 64
    return {"given": {"score": SCORED}, "plan": plan, "part": parts[0], "parts": len(parts)}


def _as_ever(part: Any) -> Any:  # noqa: ANN401 - JSON
    """Put the same in place of what S3 makes anew each time: no version's id, and one time."""
    match part:
        case dict():
            return {
                name: ALWAYS[name] if name in ALWAYS and value is not None else _as_ever(value)
                for name, value in part.items()
            }
        case list():
            return [_as_ever(value) for value in part]
    return part


if __name__ == "__main__":
    for name, event in events().items():
        text = json.dumps(event, indent=2) + "\n"
        (HERE / f"{name}.json").write_text(text, encoding="utf-8")
