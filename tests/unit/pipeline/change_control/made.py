"""Registries with a history, and a reader of the page that is written of it."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from clinical.approvals import Approvals, Waiting
from clinical.artefacts import Artefact, Bucket, sealed_json
from clinical.monitored import MONITORING, Monitoring
from clinical.registry import Approval, Champion, Promotion, Registry, Version
from clinical.upload import Upload
from clinical.verdict import Quantiles, Replayed, Verdict

from tests.monitored import a_life

ROOT = Path(__file__).parents[4]
NOMINATED = json.loads((ROOT / "events/promote.json").read_text())["nominated"]
VERDICT = Verdict.model_validate(NOMINATED["verdict"])
UPLOAD = Upload.model_validate(NOMINATED["upload"])
BEGAN = datetime(2026, 11, 20, 9, tzinfo=UTC)
FIRST, SECOND, THIRD = "v-0a1b2c3d", "v-1b2c3d4e", "v-2c3d4e5f"
REPLAYED = Replayed(
    champion=FIRST,
    requests=9_876,
    reproduced=5_432,
    mismatches=0,
    refused=12,
    change=Quantiles(p05=-0.41, p25=-0.1, p50=0.02, p75=0.12, p95=0.39),
    moved=0.0123,
    outcomes=321,
    candidate_scores=VERDICT.candidate,
    champion_scores=VERDICT.candidate,
    rmse_difference=VERDICT.rmse_difference,
)
APPROVAL = Approval(
    decision="approved",
    who="grace@example",
    why="Its replay moves nobody <much>.",
    decided_at=BEGAN + timedelta(hours=30),
)
TOKEN = "AAAAKgAAAAIAAAAAAAAAAW-a-token-that-nobody-may-read"  # noqa: S105 - of no execution


def version(name: str, execution: str = "one", verdict: Verdict = VERDICT) -> Version:
    return Version(
        version=name,
        files={"model.onnx": Artefact(key=f"models/{name}/model.onnx", sha256="0" * 64)},
        verdict=verdict,
        execution=execution,
        published_at=BEGAN,
        upload=UPLOAD,
    )


def promoted(
    registry: Registry,
    name: str,
    *,
    by_hand: bool = False,
    replay: Replayed | None = None,
    approval: Approval | None = None,
) -> Champion:
    """Let a version serve, that nobody published."""
    pointer = registry.champion()
    sequence = pointer.champion.sequence + 1 if pointer else 1
    judged = VERDICT.model_copy(update={"replay": replay})
    promotion = Promotion(
        who="ada@example",
        why="It was better on Tuesday & on Friday.",
        execution=f"execution-{sequence}",
        verdict=None if by_hand else judged,
        upload=None if by_hand else UPLOAD,
        approval=approval,
    )
    at = BEGAN + timedelta(days=sequence)
    registry.bucket.put(f"models/{name}/manifest.json", sealed_json(version(name)))
    return registry.promote(version(name), pointer, promotion, at)


def asked(bucket: Bucket, execution: str, name: str, decision: Approval | None) -> None:
    """Have an execution wait for an approval and, where there is a decision, be decided on."""
    approvals = Approvals(bucket)
    approvals.ask(
        Waiting(
            execution=execution,
            arn=f"arn:aws:states:us-east-1:000000000000:execution:retrain:{execution}",
            version=name,
            over=1,
            who="upload of raw/sample.csv",
            why="It beats the average baseline.",
            because=("It does not beat the average baseline.",),
            token=TOKEN,
            asked_at=BEGAN + timedelta(hours=1),
            until=BEGAN + timedelta(days=7),
        )
    )
    if decision:
        approvals.decide(execution, decision)


def with_a_history(bucket: Bucket) -> Registry:
    """Write three promotions, one of them approved, one by hand; and what was not approved."""
    registry = Registry(bucket)
    promoted(registry, FIRST)
    asked(bucket, "execution-2", SECOND, APPROVAL)
    promoted(registry, SECOND, replay=REPLAYED, approval=APPROVAL)
    promoted(registry, FIRST, by_hand=True)
    registry.revise(SECOND, MONITORING, Monitoring, lambda _: a_life())
    rejected = APPROVAL.model_copy(update={"decision": "rejected", "why": "Too few women."})
    asked(bucket, "execution-4", THIRD, rejected)
    asked(bucket, "execution-5", THIRD, None)
    return registry


@dataclass(frozen=True)
class Page:
    """The page as a strict reader has it: it is well-formed XML, too."""

    text: str

    @cached_property
    def root(self) -> ET.Element:
        doctype, _, document = self.text.partition("\n")
        assert doctype == "<!DOCTYPE html>"
        return ET.fromstring(document)  # noqa: S314 - our own

    def of_class(self, name: str) -> list[ET.Element]:
        return [one for one in self.root.iter() if name in one.get("class", "").split()]

    def with_id(self, name: str) -> ET.Element:
        (found,) = [one for one in self.root.iter() if one.get("id") == name]
        return found


def words(element: ET.Element) -> str:
    """The text of an element, with single blanks."""
    return " ".join("".join(element.itertext()).split())


def at(value: Any, path: str) -> Any:
    """Find what keys lead to; KeyError where they lead nowhere."""
    for key in filter(None, path.split(".")):
        value = value[key]
    return value
