"""The stages one after the other in this process, in the order of the state machine."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from stages.evaluate import evaluate
from stages.extract_combinations import extract_combinations
from stages.ingest import ingest
from stages.preprocess import preprocess
from stages.promote import promote
from stages.train import train
from stages.validate import validate

type State = dict[str, Any]


@dataclass
class Context:
    """What Lambda tells a handler."""

    aws_request_id: str = "11111111-2222-3333-4444-555555555555"
    function_name: str = "function"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:function"


def retrain(execution: str, trigger: State | None = None) -> State:
    """Run every stage by its handler, and return what each came to, under the state's names."""
    came_to: State = {"trigger": trigger or {}}

    def at(handler: Callable[..., State], *inputs: str) -> State:
        event = {"execution": execution, **{name: came_to[name] for name in inputs}}
        return handler(event, Context())

    came_to["ingested"] = at(ingest, "trigger")
    came_to["validated"] = at(validate, "ingested")
    came_to["combined"] = at(extract_combinations, "validated")
    came_to["preprocessed"] = at(preprocess, "validated")
    came_to["trained"] = at(train, "preprocessed", "combined")
    came_to["evaluated"] = at(evaluate, "preprocessed", "trained")
    came_to["promoted"] = at(promote, "combined", "trained", "evaluated")
    return came_to
