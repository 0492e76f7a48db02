"""A state machine as a Mermaid flowchart, coloured by how far an execution is."""

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
BESIDE = 3  # states of a branch that have room beside each other
ANY = "States.ALL"  # goes without saying
OUTLINES = {  # of what holds states: their names and arrows stay readable within
    f"{name}_outline": f"stroke:{colours.split(',')[0].removeprefix('fill:')},stroke-width:3px"
    for name, colours in COLOURS.items()
}


def marks(steps: list[Step]) -> dict[str, str]:
    """Say of each state that was entered how it stands.

    Of several times, as of a Map's, those count most that failed, then those that go on, and then
    the last one.
    """
    marked: dict[str, str] = {}
    for step in steps:
        if WEIGHTS.get(mark(step), 0) >= WEIGHTS.get(marked.get(step.name, ""), 0):
            marked[step.name] = mark(step)
    return marked


def mark(step: Step) -> str:
    """Name how a state stands: an error that it did not end with was caught."""
    if step.failed:
        return "failed"
    if step.seconds is None:
        return "running"
    return "caught" if step.error else "succeeded"


def flowchart(machine: Machine, marked: Mapping[str, str]) -> str:
    """Draw a machine's states and where each may lead; what an error leads to is dashed.

    What any error leads to has no name beside it.

    States within a Parallel or a Map that the history does not name stand as that does, but for
    those that only an error or a choice leads to.
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
                yield "direction TB"  # else it is drawn from left to right, and wide
            for scope in inner:
                yield from _scope(scope, marked, stands[name])
            yield "end"
        else:
            opening, closing = SHAPES.get(state["Type"], ("[", "]"))
            coloured = f":::{stands[name]}" if stands[name] else ""
            yield f'{name}{opening}"{name}"{closing}{coloured}'
    for name, state in machine["States"].items():
        yield from _edges(name, state)
    for name, state in machine["States"].items():  # after the edges, which would take it away
        if _inner(state) and stands[name]:
            yield f"class {name} {stands[name]}_outline"


def _passed(machine: Machine) -> Iterator[str]:
    """Name the states that every execution without an error passes, up to its first choice."""
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
