"""CONTRIBUTING.md's map leads to one file for each question, and that file decides it."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from clinical.params import parse_params

from tests import state_machine
from tests.conftest import ROOT

GUIDE = ROOT / "CONTRIBUTING.md"
MACHINES = sorted(path.parent.name for path in ROOT.glob("pipeline/*/*.asl.json"))
# What somebody who does not know the project asks first; their rows are printed in bold.
ASKED = (
    "the gate",
    "a column's range",
    "what the approval asks",
    "an alarm's threshold",
    "the retry of a stage",
    "the look of the gauge",
)


class Row(NamedTuple):
    """A row of the map: what to change, in which file, and what to look for there."""

    question: str
    file: Path
    key: str


def rows() -> list[Row]:
    _, _, after = GUIDE.read_text("utf-8").partition("## Where do I change…?")
    table = [line for line in after.partition("\n## ")[0].splitlines() if line.startswith("| ")]
    assert len(table) > 20
    found = []
    for line in table[1:]:
        question, file, key = (cell.strip() for cell in line.strip("|").split(" | "))
        assert re.fullmatch(r"`[^`]+`", file), f"one file and nothing else: {line}"
        assert re.fullmatch(r"`[^`]+`", key), f"one thing to look for: {line}"
        found.append(Row(question, ROOT / file.strip("`"), key.strip("`")))
    return found


ROWS = rows()


def answer(question: str) -> Row:
    (found,) = [row for row in ROWS if f"**{question}**" in row.question]
    return found


def decided(file: Path, *keys: str, value: object) -> Any:
    """The decisions of a params.yaml, but for one under these keys."""
    document = yaml.safe_load(file.read_text("utf-8"))
    place = document
    for key in keys[:-1]:
        place = place[key]
    assert place[keys[-1]] != value
    place[keys[-1]] = value
    return parse_params(yaml.safe_dump(document, sort_keys=False))


def test_no_question_has_two_answers() -> None:
    questions = [row.question for row in ROWS]

    assert len(set(questions)) == len(questions)
    assert {bold for one in questions for bold in re.findall(r"\*\*(.+?)\*\*", one)} == {*ASKED}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.question)
def test_every_row_names_a_file_and_something_that_is_in_it(row: Row) -> None:
    assert row.file.is_file()
    text = row.file.read_text("utf-8")

    if row.file.name == "params.yaml":
        place: Any = yaml.safe_load(text)
        for key in row.key.split("."):
            place = place[key]
    else:
        assert re.search(rf"(?<!\w){re.escape(row.key)}(?!\w)", text)


def test_the_gate_is_changed_where_the_map_says() -> None:
    row = answer("the gate")

    changed = decided(row.file, row.key, "without_skill", value="rejected")

    assert changed.gate.without_skill == "rejected"


def test_a_columns_range_is_changed_where_the_map_says() -> None:
    row = answer("a column's range")

    changed = decided(row.file, row.key, "Age", "max", value=101)

    assert changed.columns["Age"].max == 101


def test_what_the_approval_asks_is_changed_where_the_map_says() -> None:
    row = answer("what the approval asks")

    changed = decided(row.file, *row.key.split("."), value="always")

    assert changed.gate.approval == "always"


def test_every_alarms_threshold_is_changed_where_the_map_says(template: dict[str, Any]) -> None:
    row = answer("an alarm's threshold")
    alarms = [
        one["Properties"]
        for one in template["Resources"].values()
        if one["Type"] == "AWS::CloudWatch::Alarm"
    ]

    assert alarms
    assert row.file == ROOT / "template.yaml"
    for alarm in alarms:
        assert "Default" in template[row.key][alarm["Threshold"]["Ref"]]


@pytest.mark.parametrize("machine", MACHINES)
def test_every_stages_retry_is_changed_where_the_map_says(
    machine: str, template: dict[str, Any]
) -> None:
    definition = template["Resources"][f"{machine.capitalize()}StateMachine"]["Properties"]

    (row,) = [one for one in ROWS if one.file == ROOT / definition["DefinitionUri"]]

    states = state_machine.states(state_machine.definition(machine)).values()
    tasks = [state for state in states if state["Type"] == "Task"]
    assert tasks
    assert all(row.key in task for task in tasks)


def test_the_stage_whose_retry_is_asked_for_is_one_of_retraining() -> None:
    assert answer("the retry of a stage").file == ROOT / "pipeline/retrain/retrain.asl.json"


def test_the_look_of_the_gauge_is_changed_where_the_map_says() -> None:
    row = answer("the look of the gauge")

    page = (ROOT / "site/index.html").read_text("utf-8")
    assert f'id="{row.key.removeprefix("#")}"' in page
    assert f'href="{row.file.name}"' in page
    styled = [sheet for sheet in ROOT.glob("site/*.css") if row.key in sheet.read_text("utf-8")]
    assert styled == [row.file]


def is_there(name: str) -> bool:
    return (ROOT / name).exists()


def is_made(target: str) -> bool:
    return f"\n{target}:" in (ROOT / "Makefile").read_text("utf-8")


@pytest.mark.parametrize(
    ("guide", "pattern", "holds"),
    [
        ("CONTRIBUTING.md", r"`((?!\.\./)(?:[\w.-]+/)+[\w.-]*)`", is_there),
        ("CONTRIBUTING.md", r"`make ([a-z-]+)", is_made),
        ("CHANGELOG.md", r"`make ([a-z-]+)", is_made),
        ("SECURITY.md", r"`(tests/[^`]+)`", is_there),
    ],
)
def test_what_a_guide_names_is_there(
    guide: str, pattern: str, holds: Callable[[str], bool]
) -> None:
    named = re.findall(pattern, (ROOT / guide).read_text("utf-8"))

    assert named
    assert [one for one in named if not holds(one)] == []
