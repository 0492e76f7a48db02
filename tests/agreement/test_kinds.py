"""Kinds stay in one module, and a study's columns in its own file."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from clinical import kinds
from clinical.kinds import Kind
from clinical.params import params

ROOT = Path(__file__).parent.parent.parent
FOLDERS = ("layers", "functions", "pipeline", "local", "site")
CLASSES = {
    name
    for name, found in vars(kinds).items()
    if isinstance(found, type) and issubclass(found, Kind) and found is not Kind
}
NAMES = {
    "identifier",
    "whole_number",
    "number",
    "yes_no",
    "category",
    "level",
    "date",
    "ignored",
}
TEXT = {".py", ".js", ".html", ".css", ".yaml", ".json", ".toml", ".md", ".txt", ""}
GENERATED = {"openapi.json", "params.yaml", "release.toml", "requirements.txt"}
# They propose a params.yaml, and so choose a kind where there is no column yet.
PROPOSING = {"guesses.py", "proposal.py"}
# What CloudFormation, IAM and the state machine's language call something of theirs.
OF_AWS = {"Condition"}


def sources(*folders: str) -> Iterator[Path]:
    """Every source that is written by hand."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            parts = path.relative_to(ROOT).parts
            hidden = any(part.startswith(".") or part == "__pycache__" for part in parts)
            if not hidden and path.suffix in TEXT and path.name not in GENERATED and path.is_file():
                yield path


def asks_for_a_kind(tree: ast.AST) -> Iterator[int]:
    """Give the lines where code tests what kind a column is."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id="isinstance" | "issubclass"), args=[_, tested]):
                if any(_names(one) in CLASSES for one in ast.walk(tested)):
                    yield node.lineno
            case ast.MatchClass(cls=named) if _names(named) in CLASSES:
                yield node.lineno
            case ast.Compare(left=left, comparators=others):
                sides = [left, *others]
                said = {value for side in sides for value in _constants(side)}
                if said & NAMES or any(_is_attribute(side, "kind") for side in sides):
                    yield node.lineno
            case ast.Match(subject=ast.Attribute(attr="kind")):
                yield node.lineno


def _is_attribute(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == name


def _names(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")


def _constants(node: ast.AST) -> Iterator[str]:
    for one in ast.walk(node):
        if isinstance(one, ast.Constant) and isinstance(one.value, str):
            yield one.value


def test_every_kind_is_known_to_this_test() -> None:
    assert len(CLASSES - {"_Ranged"}) == len(NAMES)
    known = {kinds.__dict__[name].model_fields["kind"].annotation for name in CLASSES - {"_Ranged"}}
    assert {one.__args__[0] for one in known} == NAMES


@pytest.mark.parametrize(
    ("code", "asks"),
    [
        ("isinstance(column, Category)", True),
        ("isinstance(column, (kinds.Number, str))", True),
        ("column.kind == 'level'", True),
        ("column.kind in wanted", True),
        ("kind in ('date', 'level')", True),
        ("match column:\n  case Level(): pass", True),
        ("match column.kind:\n  case 'level': pass", True),
        ("isinstance(value, str)", False),
        ("column.is_number", False),
        ("column.categories is None", False),
    ],
)
def test_a_question_for_a_kind_is_found(code: str, asks: bool) -> None:
    assert bool(list(asks_for_a_kind(ast.parse(code)))) is asks


def test_nothing_but_kinds_asks_what_kind_a_column_is() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in sources(*FOLDERS)
        if path.suffix == ".py" and path.name not in {"kinds.py", *PROPOSING}
        for line in asks_for_a_kind(ast.parse(path.read_text(encoding="utf-8")))
    ]

    assert found == []


def test_no_page_asks_what_kind_a_column_is() -> None:
    asks = re.compile(
        rf"""\bkind\s*[!=]==?|[!=]==?\s*["'`]({"|".join(NAMES - {"number", "date"})})\b"""
    )
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in sources("site")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if path.suffix in {".js", ".html"} and asks.search(line)
    ]

    assert found == []


def the_studys_own(name: str) -> re.Pattern[str]:
    """Find a column's name as one word; a word that any language has is one where it is quoted."""
    if "_" in name:
        return re.compile(rf"\b{re.escape(name)}\b")
    return re.compile(rf"""["'`.]{re.escape(name)}\b(?!-)|\b{re.escape(name)}\s*[:=]""")


@pytest.mark.parametrize("folder", [*FOLDERS, "template.yaml", "dashboard.yaml"])
def test_the_studys_columns_are_named_in_its_own_files_alone(folder: str) -> None:
    files = [ROOT / folder] if folder.endswith(".yaml") else list(sources(folder))
    own = set(params().columns)

    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in files
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if any(the_studys_own(name).search(line) for name in own - _others(path))
    ]

    assert found == []


READS_TEMPLATES = "sources.py"  # which knows CloudFormation's words


def _others(path: Path) -> set[str]:
    of_aws = path.name in {"template.yaml", READS_TEMPLATES} or path.name.endswith(".asl.json")
    return OF_AWS if of_aws else set()
