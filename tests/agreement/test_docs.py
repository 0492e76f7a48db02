"""What the documents say is there: commands, links, pictures, and the states that they draw."""

import itertools
import re
import shlex
from functools import cache
from pathlib import Path

import pytest
from change_control.sources import template

from bench import monitoring, statistics
from local import parameters
from tests import documents, state_machine
from tests.documents import Block, told

ROOT = documents.ROOT
PAGES = documents.pages()
KINDS = {"needs", "takes", "run by"}  # of marks above a block of commands
TARGET = re.compile(r"^([a-z-]+):.*?## ", re.MULTILINE)
INLINE = re.compile(r"`make ([a-z-]+)[^`\n]*`")
OUTPUT = re.compile(r"^\s*(\$ |make |sam |curl )", re.MULTILINE)
NODE = re.compile(r"[\w-]+")
EXPLAINED, HOW_TO = ROOT / "docs/explanation", ROOT / "docs/how-to"


@cache
def targets() -> frozenset[str]:
    return frozenset(TARGET.findall((ROOT / "Makefile").read_text()))


def marked() -> list[Block]:
    return [one for page in PAGES for one in documents.blocks(page) if one.marks]


def asked_of_make(command: str) -> list[str]:
    """Name the targets that a command asks make for."""
    words = shlex.split(command)
    return [] if words[:1] != ["make"] else [one for one in words[1:] if NODE.fullmatch(one)]


def test_every_block_of_commands_shows_where_they_begin() -> None:
    for page in PAGES:
        for block in documents.blocks(page):
            where = f"{told(page)}:{block.line}"
            if block.language == "console":
                assert block.commands, where
                assert block.lines[0].startswith("$ "), where
            elif block.language in {"", "sh", "bash", "shell"}:
                assert not OUTPUT.search("\n".join(block.lines)), f"{where} is not run by any test"


def test_commands_are_marked_by_what_they_need_how_long_they_take_or_who_runs_them() -> None:
    assert marked()
    for block in marked():
        where = f"{told(block.page)}:{block.line}"
        assert block.language == "console", where
        assert {kind for kind, _ in block.marks} <= KINDS, where


def test_what_is_said_to_run_commands_does() -> None:
    said = [(block, one) for block in marked() for one in block.marked("run by")]

    assert said
    for block, runner in said:
        where = f"{told(block.page)}:{block.line}"
        file, _, test = runner.partition("::")
        assert (ROOT / file).is_file(), where
        source = (ROOT / file).read_text(encoding="utf-8")
        if test:
            assert f"\ndef {test}(" in source, where
        for command in block.commands:
            given = re.findall(r"\b([A-Z_]+)=", command.text)  # to make, or to what it runs
            for target in asked_of_make(command.text):
                runs = "|".join([rf'(?:"|\.|make ){target}\b', *(rf"\b{one}=" for one in given)])
                assert re.search(runs, source), f"{command}: {runner}"


def test_every_target_that_a_page_names_is_one_of_make() -> None:
    for page in PAGES:
        named = INLINE.findall(page.read_text(encoding="utf-8"))
        shown = [command.text for block in documents.blocks(page) for command in block.commands]
        for target in (*named, *(one for text in shown for one in asked_of_make(text))):
            assert target in targets(), f"{told(page)}: make {target}"


def test_the_reference_names_every_target_of_make() -> None:
    text = (ROOT / "docs/reference/make-targets.md").read_text(encoding="utf-8")

    assert set(INLINE.findall(text)) | {"help"} == targets() | {"help"}


@pytest.mark.parametrize("page", PAGES, ids=told)
def test_links_and_pictures_lead_somewhere(page: Path) -> None:
    for link in documents.links(page):
        if link.file is None:
            continue
        assert link.file.exists(), link.text
        assert link.file.is_relative_to(ROOT), link.text
        if link.anchor:
            assert link.anchor in documents.anchors(link.file), link.text


def test_a_link_that_leads_nowhere_would_be_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A page: with `code`\n\n[a\nword](other.md#x) ![p](p.png) `[no](link)`\n")

    found = [(one.file, one.anchor) for one in documents.links(page)]

    assert found == [(tmp_path / "other.md", "x"), (tmp_path / "p.png", "")]
    assert documents.anchors(page) == {"a-page-with-code"}


def test_the_index_lists_every_page() -> None:
    listed = {link.file for link in documents.links(documents.INDEX)}
    below = set((ROOT / "docs").rglob("*.md")) - {documents.INDEX}

    assert {page for page in below if page.parent.name != "decisions"} <= listed


def test_the_readme_is_short_and_says_what_the_system_is_not_for() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")

    assert len(text.splitlines()) <= 150
    assert "**For research support only: not a diagnosis and not treatment advice.**" in text


def test_the_map_of_the_repository_has_every_room() -> None:
    text = (ROOT / "docs/reference/repository-map.md").read_text(encoding="utf-8")
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8")

    for room in ROOT.iterdir():
        if room.is_dir() and not room.name.startswith(".") and f"{room.name}/" not in ignored:
            assert f"\n{room.name}/" in text, room.name


def test_the_reference_of_parameters_is_the_templates() -> None:
    """`make parameters` writes it."""
    assert parameters.WRITTEN.read_text(encoding="utf-8") == parameters.document()
    for name in template().parameters:
        assert f"| `{name}` |" in parameters.document(), name


def test_what_pages_set_is_a_parameter_or_a_variable_of_make() -> None:
    parameters_of = set(template().parameters)
    variables = set(re.findall(r"^([A-Z_]+) \?=", (ROOT / "Makefile").read_text(), re.MULTILINE))
    deploying = (HOW_TO / "deploy-to-aws.md").read_text(encoding="utf-8")

    assert set(re.findall(r"^\| `([A-Z][a-z]\w+)`", deploying, re.MULTILINE)) <= parameters_of
    for page in PAGES:
        text = re.sub(r"--tags .*", "", page.read_text(encoding="utf-8"))
        for name in re.findall(r"[`( ]([A-Z]\w+)=[\w.-]", text):
            assert name in {*parameters_of, *variables, "CI", "NO_PROXY"}, f"{told(page)}: {name}="


def drawn(page: str) -> str:
    """Give all the diagrams of an explanation, without their labels."""
    found = documents.blocks(EXPLAINED / page)
    text = "\n".join(line for one in found if one.language == "mermaid" for line in one.lines)
    return re.sub(r"-- .+? -->", "-->", text)


def test_the_way_of_a_retrain_is_drawn_with_every_state_of_its_machine() -> None:
    states = state_machine.states(state_machine.definition())
    page = (EXPLAINED / "retrain.md").read_text(encoding="utf-8")

    shown = set(re.findall(r"\b[A-Z]\w+", drawn("retrain.md"))) - {"Upload", "TD", "LR"}

    assert shown <= set(states)
    assert {name for name in states if f"`{name}`" not in page} <= shown
    ends = (ROOT / "docs/reference/verdicts.md").read_text(encoding="utf-8")
    for name, state in states.items():
        if state["Type"] in {"Succeed", "Fail"}:
            assert f"`{name}`" in ends, name


def test_the_way_of_a_request_is_drawn_with_the_functions_and_routes_of_the_template() -> None:
    page = (EXPLAINED / "request.md").read_text(encoding="utf-8")
    api = (ROOT / "docs/reference/api.md").read_text(encoding="utf-8")
    functions = template().of_type("AWS::Serverless::Function")
    routes = {
        f"{event['Properties']['Method'].upper()} {event['Properties']['Path']}"
        for one in functions.values()
        for event in one.get("Events", {}).values()
        if event["Type"] == "Api" and event["Properties"]["Method"] not in {"options", "head"}
    }
    of_the_api = {
        name
        for name, one in functions.items()
        if any(event["Type"] == "Api" for event in one.get("Events", {}).values())
    }

    assert set(re.findall(r"\b\w+Function\b", page)) == of_the_api
    assert set(re.findall(r"(?:GET|POST) /[\w/{}.-]+", page)) <= routes
    assert set(re.findall(r"(?:GET|POST) /[\w/{}.-]+", api)) == routes


def test_what_simulations_found_is_said_in_the_words_of_their_programs() -> None:
    """Of a page that takes many minutes to write, all but its figures."""

    def without_figures(text: str) -> list[str]:
        lines = text.splitlines()
        headings = [a for a, b in itertools.pairwise(lines) if b.startswith("| ---")]
        return headings + [line for line in lines if line and not line.startswith("|")]

    found = {setting: [0.0] for setting in statistics.settings(1.0)}
    written = (EXPLAINED / "statistics.md").read_text(encoding="utf-8")

    assert without_figures("\n".join(statistics.document(found))) == without_figures(written)
    watched = (EXPLAINED / "monitoring.md").read_text(encoding="utf-8")
    assert watched.startswith(monitoring.INTRODUCTION)


@pytest.mark.parametrize(
    ("page", "quoted", "source"),
    [
        ("train-on-your-data", "columns ignored: ", "pipeline/header.py"),
        ("train-on-your-data", "the header is in row ", "pipeline/header.py"),
        ("train-on-your-data", "a quote is opened and never closed", "pipeline/records.py"),
        ("train-on-your-data", "save it as CSV UTF-8", "pipeline/decoding.py"),
        ("set-up-a-study", "; did you mean ", "layers/clinical/clinical/mistakes.py"),
        ("set-up-a-study", "; put it in quotes", "layers/clinical/clinical/mistakes.py"),
        ("set-up-a-study", "unknown key; ", "layers/clinical/clinical/mistakes.py"),
        ("set-up-a-study", ": whole numbers ", "local/guesses.py"),
        ("monitor-a-model", "Too few to tell: ", "pipeline/monitor/drift.py"),
    ],
)
def test_messages_are_quoted_as_the_code_has_them(page: str, quoted: str, source: str) -> None:
    shown = (HOW_TO / f"{page}.md").read_text(encoding="utf-8")
    code = (ROOT / source).read_text(encoding="utf-8")
    written = re.sub(r"\{counted\(len\(ignored\), 'column'\)\}", "2 columns", code)

    assert quoted in re.sub(r"\s+", " ", shown)
    assert quoted in written.lower() or quoted in written


def test_no_page_names_a_place_on_somebodys_machine() -> None:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"/(?:home|root|Users|work)/\w", text), told(page)
