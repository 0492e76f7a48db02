"""A state machine as a Mermaid flowchart, and the colours of an execution's progress."""

from collections.abc import Iterator, Mapping
from typing import Any

from local.executions import Step

type Machine = Mapping[str, Any]

SHAPES = {"Choice": ("{", "}"), "Succeed": ("([", "])"), "Fail": ("([", "])"), "Task": ("[", "]")}
COLOURS = {  # of a state's shape, its outline and its name
    "succeeded": ("#1b7f4b", "#0d5c34", "#fff"),
    "running": ("#1f6fd1", "#124a90", "#fff"),
    "caught": ("#b06a00", "#7a4a00", "#fff"),
    "failed": ("#b3261e", "#7d1812", "#fff"),
}
WEIGHTS = {"failed": 2, "running": 1}
BESIDE = 3  # states of a branch that fit side by side
ANY = "States.ALL"  # not labelled


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


def flowchart(machine: Machine) -> str:
    """Draw a machine's states and transitions; transitions on errors are dashed.

    Transitions on any error have no label.
    """
    return "\n".join(["flowchart TD", *_scope(machine)])


def colours(machine: Machine, marked: Mapping[str, str]) -> str:
    """Write the style sheet that colours the drawn machine by its states' statuses.

    So it is drawn once: to lay it out takes a browser longer than a stage of a small data set. A
    container has a coloured outline, so that the names and arrows inside stay readable.

    States inside a Parallel or a Map that are not in the history have its status, except those
    that only an error or a choice leads to.
    """
    return "\n".join(_rules(machine, marked, ""))


def _rules(machine: Machine, marked: Mapping[str, str], inherited: str) -> Iterator[str]:
    passed = set(_passed(machine)) if inherited else ()
    for name, state in machine["States"].items():
        status = marked.get(name, inherited if name in passed else "")
        if status and _inner(state):
            outline = {"stroke": COLOURS[status][0], "stroke-width": "3px"}
            yield _rule(f'.cluster[id$="-{name}"] rect', outline)
        elif status:
            fill, stroke, letters = COLOURS[status]
            node = f'.node[id*="flowchart-{name}-"]'
            yield _rule(f"{node} :is(rect, polygon, path)", {"fill": fill, "stroke": stroke})
            yield _rule(f"{node} span", {"color": letters})
        for scope in _inner(state):
            yield from _rules(scope, marked, status)


def _rule(selector: str, properties: Mapping[str, str]) -> str:
    # Mermaid's own rules name the drawing by its id; these go before them.
    said = " ".join(f"{name}: {value} !important;" for name, value in properties.items())
    return f".diagram {selector} {{ {said} }}"


def _scope(machine: Machine) -> Iterator[str]:
    for name, state in machine["States"].items():
        if inner := _inner(state):
            yield f"subgraph {name}"
            if any(len(scope["States"]) > BESIDE for scope in inner):
                yield "direction TB"  # otherwise it is drawn from left to right, and too wide
            for scope in inner:
                yield from _scope(scope)
            yield "end"
        else:
            opening, closing = SHAPES.get(state["Type"], ("[", "]"))
            yield f'{name}{opening}"{name}"{closing}'
    for name, state in machine["States"].items():
        yield from _edges(name, state)


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
