"""The definitions of the state machines, read for the tests."""

import json
from pathlib import Path
from typing import Any

PIPELINE = Path(__file__).parent.parent / "pipeline"


def definition(name: str = "retrain") -> dict[str, Any]:
    machine: dict[str, Any] = json.loads((PIPELINE / name / f"{name}.asl.json").read_text())
    return machine


def states(scope: dict[str, Any]) -> dict[str, Any]:
    """Every state of a machine, those of its branches and its maps too."""
    found = dict(scope["States"])
    for state in scope["States"].values():
        inner = [*state.get("Branches", []), *filter(None, [state.get("ItemProcessor")])]
        for branch in inner:
            found |= states(branch)
    return found


def in_order(machine: dict[str, Any]) -> set[str]:
    """The states that an execution enters one after the other: its own, and those that promote.

    The others are in branches and maps beside them.
    """
    promoting = machine["States"].get("Release", {}).get("Branches", [{"States": {}}])[0]
    return {*machine["States"], *promoting["States"]}
