"""The template can be read from top to bottom: its sections are folders, and it gives reasons."""

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.template import FILE

ROOT = Path(__file__).parent.parent.parent
BANNER = re.compile(r"^ {2}# ── (?P<title>.+?)(?:: (?P<folder>\S+/))? ─+$")
RESOURCE = re.compile(r"^ {2}(?P<name>[A-Za-z0-9]+):$")
ANCHOR = re.compile(r"(?<=[ \[])&([a-z-]+)(?= |$)", re.MULTILINE)
ALIAS = re.compile(r"(?<=[ \[])\*([a-z-]+)(?=[\],\s]|$)", re.MULTILINE)
LINES = FILE.read_text().splitlines()
BEGIN, END = LINES.index("Resources:"), LINES.index("Outputs:")


def sections() -> dict[str, tuple[str, list[str]]]:
    """Return the folder and the resources of each section, by its title."""
    found: dict[str, tuple[str, list[str]]] = {}
    for line in LINES[BEGIN:END]:
        if banner := BANNER.match(line):
            found[title := banner["title"]] = (banner["folder"] or "", [])
        elif resource := RESOURCE.match(line):
            found[title][1].append(resource["name"])
    return found


def place_of(name: str, resource: dict[str, Any]) -> str | None:
    """Return the folder of a resource's own files; None of one that has none."""
    properties = resource.get("Properties", {})
    match resource["Type"]:
        case "AWS::Serverless::LayerVersion":
            return str(properties["ContentUri"]).rsplit("/", 1)[0] + "/"
        case "AWS::Serverless::StateMachine":
            return str(properties["DefinitionUri"]).rsplit("/", 1)[0] + "/"
        case "AWS::Serverless::Function" if properties["CodeUri"] == "pipeline":
            return f"pipeline/{properties['Handler'].split('.')[0]}/"
        case "AWS::Serverless::Function":
            return str(properties["CodeUri"]).rsplit("/", 1)[0] + "/"
    return None


def test_sections_are_folders_and_hold_what_is_in_them(template: dict[str, Any]) -> None:
    found = sections()

    assert {name for _, names in found.values() for name in names} == set(template["Resources"])
    for title, (folder, names) in found.items():
        assert not folder or (ROOT / folder).is_dir(), title
        places = {place_of(name, template["Resources"][name]) for name in names} - {None}
        assert places <= {folder}, title


def test_every_folder_that_is_deployed_has_a_section() -> None:
    machines = {f"{path.parent.relative_to(ROOT)}/" for path in ROOT.glob("pipeline/*/*.asl.json")}

    folders = {folder for folder, _ in sections().values()} - {""}
    assert folders == {"functions/", "layers/", "pipeline/", "site/", *machines}


@pytest.mark.parametrize("kind", ["Parameters", "Outputs"])
def test_every_parameter_and_output_says_what_it_is(kind: str, template: dict[str, Any]) -> None:
    for name, one in template[kind].items():
        assert one["Description"].endswith("."), name


def test_every_parameter_is_in_one_group(template: dict[str, Any]) -> None:
    groups = template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    grouped = [name for group in groups for name in group["Parameters"]]

    assert grouped == list(template["Parameters"])


def test_every_resource_says_why_it_is_there() -> None:
    for before, line in pairwise(LINES[BEGIN:END]):
        if resource := RESOURCE.match(line):
            assert before.startswith("  # "), resource["name"]
            assert not BANNER.match(before), resource["name"]


def test_a_value_has_a_name_only_if_it_is_used_again() -> None:
    body = "\n".join(line for line in LINES if not line.lstrip().startswith("#"))

    named, used = ANCHOR.findall(body), ALIAS.findall(body)
    assert len(named) == len(set(named))
    assert set(named) == set(used)


def test_no_statement_of_a_policy_stands_twice() -> None:
    """One that two policies need has a name, by which both have the very same node."""
    written: dict[object, dict[int, int]] = {}
    for node in nodes(yaml.compose(FILE.read_text())):
        if isinstance(node, yaml.MappingNode) and "Effect" in {key.value for key, _ in node.value}:
            lines = written.setdefault(content(node), {})
            lines[id(node)] = node.start_mark.line + 1

    assert written
    for lines in written.values():
        assert len(lines) == 1, f"lines {list(lines.values())}"


def nodes(node: yaml.Node | None) -> Iterator[yaml.Node]:
    if node is None or isinstance(node, yaml.ScalarNode):
        return
    yield node
    for one in node.value:
        for inner in one if isinstance(one, tuple) else (one,):
            yield from nodes(inner)


def content(node: yaml.Node) -> object:
    """Return what a node says, but for how a statement is called."""
    if isinstance(node, yaml.ScalarNode):
        return node.tag, node.value
    if isinstance(node, yaml.MappingNode):
        keys = ((key.value, content(value)) for key, value in node.value if key.value != "Sid")
        return frozenset(keys)
    return tuple(content(one) for one in node.value)
