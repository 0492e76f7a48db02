"""Editors are told what the code takes: params.schema.json and every params.yaml agree with it."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from local.cloud import ROOT
from local.schema import NAME, params_schema
from local.studies import names, study_of

STUDIES = ["", *names()]


@pytest.fixture(scope="module")
def schema() -> Any:
    return json.loads((ROOT / NAME).read_text(encoding="utf-8"))


def decided(path: Path) -> Any:
    """A file's decisions, with days as JSON has them."""
    return json.loads(json.dumps(yaml.safe_load(path.read_text(encoding="utf-8")), default=str))


def test_the_committed_schema_is_what_make_params_schema_writes() -> None:
    assert (ROOT / NAME).read_text(encoding="utf-8") == params_schema()


def test_the_schema_is_one(schema: Any) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_keeps_the_schema(schema: Any, name: str) -> None:
    jsonschema.Draft202012Validator(schema).validate(decided(study_of(name).params_path))


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_tells_editors_where_the_schema_is(name: str) -> None:
    path = study_of(name).params_path

    first = path.read_text(encoding="utf-8").splitlines()[0]

    begins = "# yaml-language-server: $schema="
    assert first.startswith(begins)
    assert (path.parent / first.removeprefix(begins)).resolve() == ROOT / NAME


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("schema.Age.kind", "age"),
        ("schema.Age.colour", "blue"),
        ("schema.Gender.values", ["Male", False]),
        ("schema.Age.min", "young"),
        ("target.higher_is", "higher"),
        ("modle", {}),
    ],
)
def test_the_schema_refuses_what_the_code_refuses(schema: Any, path: str, value: object) -> None:
    tree = decided(study_of("").params_path)
    *parents, last = path.split(".")
    node = tree
    for parent in parents:
        node = node[parent]
    node[last] = value

    assert not jsonschema.Draft202012Validator(schema).is_valid(tree)


def test_what_a_key_means_is_in_the_schema(schema: Any) -> None:
    assert schema["$defs"]["Roles"]["properties"]["treatment"]["description"] == (
        "What can be chosen for a patient."
    )
    assert schema["$defs"]["Number"]["properties"]["nullable"]["description"].startswith("Whether")
