"""One version: in pyproject.toml, and from there in everything that names it."""

import json
import re
import tomllib
from datetime import date

from clinical.release import RELEASE, release

from functions.openapi import document
from tests.conftest import ROOT

KINDS = ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")
CHANGES = (ROOT / "CHANGELOG.md").read_text("utf-8")


def released() -> list[tuple[str, str]]:
    """The versions of CHANGELOG.md with their dates, in its order."""
    return re.findall(r"^## \[(\d+\.\d+\.\d+)\] - (\d{4}-\d{2}-\d{2})$", CHANGES, re.MULTILINE)


def test_pyproject_openapi_and_the_newest_release_of_the_changelog_have_one_version() -> None:
    """Cards have it too: tests/unit/pipeline/test_card.py."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    committed = json.loads((ROOT / "functions/predict/openapi.json").read_text("utf-8"))
    newest, _ = released()[0]

    version = pyproject["project"]["version"]

    assert version == newest
    assert version == release()
    assert version == committed["info"]["version"]
    assert version == json.loads(document())["info"]["version"]


def test_the_version_is_read_from_pyproject_itself() -> None:
    assert RELEASE.resolve() == ROOT / "pyproject.toml"


def test_the_changelog_lists_releases_from_the_newest_to_the_oldest() -> None:
    listed = [
        (tuple(map(int, version.split("."))), date.fromisoformat(day))
        for version, day in released()
    ]

    assert listed
    assert listed == sorted(listed, reverse=True)
    assert CHANGES.index("## [Unreleased]") < CHANGES.index(f"## [{released()[0][0]}]")


def test_the_changelog_has_the_kinds_of_changes_that_its_format_knows() -> None:
    for release_notes in re.split(r"^## ", CHANGES, flags=re.MULTILINE)[1:]:
        kinds = re.findall(r"^### (.+)$", release_notes, re.MULTILINE)

        assert kinds == [kind for kind in KINDS if kind in kinds]


def test_every_version_of_the_changelog_has_a_link() -> None:
    linked = re.findall(r"^\[(.+?)\]: \S+$", CHANGES, re.MULTILINE)

    assert linked == ["Unreleased", *(version for version, _ in released())]
