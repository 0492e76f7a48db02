"""A state machine as a Mermaid flowchart, coloured by the progress of an execution."""

from collections.abc import Iterator, Mapping
from typing import Any

from local.executions import Step

type Machine = Mapping[str, Any]

SHAPES = {"Choice": ("{", "}"), "Succeed": ("([", "])"), "Fail": ("([", "])"), "Task": ("[", "]")}
COLOURS = {
    "succeeded": "fill:#1b7f4b,stroke:#0d5c34,color:#fff",
    "running": "fill:#1f6fd1,stroke:#124a90,color:#fff",
    "caught": "fill:#b06a00,stroke:#7a4a00,color:#fff",
    "failed": "fill:#b3261e,stroke:#7d1812,color:#fff",
}
WEIGHTS = {"failed": 2, "running": 1}
BESIDE = 3  # states of a branch that fit side by side
ANY = "States.ALL"  # not labelled
OUTLINES = {  # of containers, so that the names and arrows inside stay readable
    f"{name}_outline": f"stroke:{colours.split(',')[0].removeprefix('fill:')},stroke-width:3px"
    for name, colours in COLOURS.items()
}


def marks(steps: list[Step]) -> dict[str, str]:
    """Map each state that was entered to its status.

    If a state was entered several times, as in a Map, failures come first, then running ones,
    then the last one.
    """
    marked: dict[str, str] = {}
    for step in steps:
        if WEIGHTS.get(mark(step), 0) >= WEIGHTS.get(marked.get(step.name, ""), 0):
            marked[step.name] = mark(step)
    return marked


def mark(step: Step) -> str:
    """Return the status of a state; an error that did not end it was caught."""
    if step.failed:
        return "failed"
    if step.seconds is None:
        return "running"
    return "caught" if step.error else "succeeded"


def flowchart(machine: Machine, marked: Mapping[str, str]) -> str:
    """Draw a machine's states and transitions; transitions on errors are dashed.

    Transitions on any error have no label.

    States inside a Parallel or a Map that are not in the history have its status, except those
    that only an error or a choice leads to.
    """
    lines = ["flowchart TD", *_scope(machine, marked, "")]
    lines += [f"classDef {name} {colours}" for name, colours in (COLOURS | OUTLINES).items()]
    return "\n".join(lines)


def _scope(machine: Machine, marked: Mapping[str, str], inherited: str) -> Iterator[str]:
    passed = set(_passed(machine)) if inherited else ()
    stands = {
        name: marked.get(name, inherited if name in passed else "") for name in machine["States"]
    }
    for name, state in machine["States"].items():
        if inner := _inner(state):
            yield f"subgraph {name}"
            if any(len(scope["States"]) > BESIDE for scope in inner):
                yield "direction TB"  # otherwise it is drawn from left to right, and too wide
            for scope in inner:
                yield from _scope(scope, marked, stands[name])
            yield "end"
        else:
            opening, closing = SHAPES.get(state["Type"], ("[", "]"))
            coloured = f":::{stands[name]}" if stands[name] else ""
            yield f'{name}{opening}"{name}"{closing}{coloured}'
    for name, state in machine["States"].items():
        yield from _edges(name, state)
    for name, state in machine["States"].items():  # after the edges, which would remove it
        if _inner(state) and stands[name]:
            yield f"class {name} {stands[name]}_outline"


def _passed(machine: Machine) -> Iterator[str]:
    """List the states that every execution without an error enters, up to the first choice."""
    name = machine["StartAt"]
    while name:
        yield name
        name = machine["States"][name].get("Next")


def _edges(name: str, state: Machine) -> Iterator[str]:
    ways = [state[key] for key in ("Next", "Default") if key in state]
    ways += [choice["Next"] for choice in state.get("Choices", [])]
    for way in dict.fromkeys(ways):
        yield f"{name} --> {way}"
    for catch in state.get("Catch", []):
        errors = [error for error in catch["ErrorEquals"] if error != ANY]
        named = f' "{"<br>".join(errors)}" .-' if errors else ""
        yield f"{name} -.{named or '-'}> {catch['Next']}"


def _inner(state: Machine) -> list[Machine]:
    processor = state.get("ItemProcessor")
    return [*state.get("Branches", []), *([processor] if processor else [])]
