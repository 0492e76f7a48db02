"""The sources of statements: the study's params, the state machines, the template, a table.

Each returns its content with a `Source`, so that readers of the page can find it.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import yaml
from clinical.params import Params

HERE = Path(__file__).parent
MACHINES = ("retrain", "monitor", "score")
TEMPLATE = "template.yaml"
SIMULATED = "docs/explanation/monitoring.md"
INNER = ("Branches", "ItemProcessor")

NAMED_OTHERWISE = {"schema": "columns"}  # by the model of params.yaml

type State = Mapping[str, Any]


@dataclass(frozen=True)
class Source:
    """A file in the repository, or an object in the artefacts bucket.

    key: the place in it: the path of a value, a state, a resource, a function, a heading.
    """

    file: str
    key: str = ""


@dataclass(frozen=True)
class Decisions:
    """A study's params, by path."""

    params: Params

    def __getitem__(self, path: str) -> Any:  # noqa: ANN401 - whatever was decided
        found: Any = self.params
        for key in path.split("."):
            found = getattr(found, NAMED_OTHERWISE.get(key, key))
        return found

    def source(self, path: str) -> Source:
        """Return the source of a value: params.yaml or, if it is not there, the defaults."""
        found: Any = self.params
        for key in path.split("."):
            field = NAMED_OTHERWISE.get(key, key)
            if field not in found.model_fields_set:
                return Source("params.schema.json", path)
            found = getattr(found, field)
        return Source("params.yaml", path)


@dataclass(frozen=True)
class Machine:
    """A state machine, as it is deployed."""

    name: str
    definition: State

    @property
    def file(self) -> str:
        return f"pipeline/{self.name}/{self.name}.asl.json"

    @cached_property
    def states(self) -> dict[str, State]:
        """All states in order, including those of branches and maps."""
        return dict(_states(self.definition))

    @property
    def ends(self) -> dict[str, State]:
        """The states in which an execution ends."""
        return {
            name: state
            for name, state in self.definition["States"].items()
            if state["Type"] in {"Succeed", "Fail"}
        }

    def source(self, state: str = "") -> Source:
        return Source(self.file, state)


def _states(scope: State) -> Iterator[tuple[str, State]]:
    for name, state in scope["States"].items():
        yield name, state
        for key in INNER:
            inner = state.get(key, [])
            for branch in inner if isinstance(inner, list) else [inner]:
                yield from _states(branch)


@cache
def machine(name: str) -> Machine:
    return Machine(name, json.loads((HERE.parent / name / f"{name}.asl.json").read_text()))


@dataclass(frozen=True)
class Template:
    """The deployed template; functions are in their long form: {"Ref": …}."""

    read: Mapping[str, Any]

    @property
    def parameters(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.read["Parameters"]
        return found

    @property
    def resources(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.read["Resources"]
        return found

    def of_type(self, kind: str) -> dict[str, Mapping[str, Any]]:
        """Return the properties of all resources of a type."""
        return {
            name: one.get("Properties", {})
            for name, one in self.resources.items()
            if one["Type"] == kind
        }

    def default(self, parameter: str) -> str:
        return str(self.parameters[parameter]["Default"])

    def value(self, given: object) -> str:
        """Format a value as deployed with default parameters."""
        match given:
            case {"Ref": str(name)} if name in self.parameters:
                return self.default(name)
            case {"Ref": str(name)}:
                return name
            case {"Fn::GetAtt": [str(name), *_]}:
                return name
            case {"Fn::Sub": str(text)}:
                return re.sub(r"\$\{(\w+)(?:\.\w+)?\}", r"\1", text)
            case _:
                return str(given)

    def sources(self, given: object, otherwise: str) -> list[Source]:
        """Return the source of a value: the parameter's default, or else the resource."""
        match given:
            case {"Ref": str(name)} if name in self.parameters:
                return [Source(TEMPLATE, f"Parameters.{name}.Default")]
            case _:
                return [Source(TEMPLATE, otherwise)]


WITHOUT_FN = {"Ref", "Condition"}  # the intrinsic functions whose long form is their name


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """The safe loader, in C if available, that knows CloudFormation's short forms."""


def _long_form(loader: Any, suffix: str, node: yaml.Node) -> dict[str, Any]:  # noqa: ANN401 - either
    name = suffix if suffix in WITHOUT_FN else f"Fn::{suffix}"
    match node:
        case yaml.ScalarNode():
            value = loader.construct_scalar(node)
            return {name: value.split(".", 1) if suffix == "GetAtt" else value}
        case yaml.SequenceNode():
            return {name: loader.construct_sequence(node, deep=True)}
        case _:
            return {name: loader.construct_mapping(node, deep=True)}


_Loader.add_multi_constructor("!", _long_form)


@cache
def template() -> Template:
    """Read the template, which the build copies here."""
    text = (HERE / TEMPLATE).read_text(encoding="utf-8")
    return Template(yaml.load(text, Loader=_Loader))  # noqa: S506 - a safe loader


@cache
def simulated(heading: str) -> list[dict[str, str]]:
    """Read the rows of the table under a heading of docs/explanation/monitoring.md."""
    text = (HERE / "monitoring.md").read_text(encoding="utf-8")
    section = text.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line.strip("| ").split(" | ") for line in section.splitlines() if line[:1] == "|"]
    columns, _, *rows = lines
    return [dict(zip(columns, row, strict=True)) for row in rows]
