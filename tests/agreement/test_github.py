"""What GitHub reads: valid by its schemas, and in step with what the repository does.

`make lint` checks the workflows and Dependabot's file besides, with jactionlint.
"""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT

GITHUB = ROOT / ".github"
WORKFLOWS = sorted(GITHUB.glob("workflows/*.yml"))
FORMS = sorted(path for path in GITHUB.glob("ISSUE_TEMPLATE/*.yml") if path.name != "config.yml")
SCHEMAS = {
    **dict.fromkeys(WORKFLOWS, "vendor.github-workflows"),
    **dict.fromkeys(FORMS, "vendor.github-issue-forms"),
    GITHUB / "ISSUE_TEMPLATE/config.yml": "vendor.github-issue-config",
    GITHUB / "dependabot.yml": "vendor.dependabot",
}


def named(path: object) -> str:
    return path.name if isinstance(path, Path) else str(path)


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text("utf-8"))


def steps(workflow: Path) -> list[dict[str, Any]]:
    return [step for job in read(workflow)["jobs"].values() for step in job["steps"]]


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command of this environment in the root."""
    tool = Path(sys.executable).with_name(str(command[0]))
    return subprocess.run(
        [tool, *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_every_file_that_github_reads_as_yaml_has_a_schema() -> None:
    assert {path for path in GITHUB.rglob("*.y*ml") if path.is_file()} == set(SCHEMAS)


@pytest.mark.parametrize("path", SCHEMAS, ids=named)
def test_a_file_is_valid_by_its_schema(path: Path) -> None:
    checked = run("check-jsonschema", "--builtin-schema", SCHEMAS[path], path)

    assert checked.returncode == 0, checked.stdout


def test_the_schemas_refuse_what_is_wrong(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yml"
    wrong.write_text(yaml.safe_dump({"jobs": {"test": {"steps": []}}}), "utf-8")

    checked = run("check-jsonschema", "--builtin-schema", SCHEMAS[WORKFLOWS[0]], wrong)

    assert checked.returncode == 1
    assert "'runs-on' is a required property" in checked.stdout


@pytest.mark.parametrize(
    ("workflow", "command"), [("ci", ".ci/run"), ("release", ".ci/run release-check")]
)
def test_a_workflow_runs_what_runs_here(workflow: str, command: str) -> None:
    commands = [step.get("run") for step in steps(GITHUB / f"workflows/{workflow}.yml")]

    assert command in commands
    for target in command.split()[1:]:
        assert f"\n{target}:" in (ROOT / "Makefile").read_text("utf-8")


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=named)
def test_a_workflow_may_read_and_nothing_else_and_ends_in_time(workflow: Path) -> None:
    asked = read(workflow)

    assert asked["permissions"] == {"contents": "read"}
    for job in asked["jobs"].values():
        assert "permissions" not in job
        assert 0 < job["timeout-minutes"] <= 90


def test_every_action_is_pinned_by_commit_to_one_version() -> None:
    used = [
        line.partition("uses: ")[2]
        for workflow in WORKFLOWS
        for line in workflow.read_text("utf-8").splitlines()
        if "uses: " in line
    ]

    assert used
    assert [
        one for one in used if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", one)
    ] == []
    assert len({one.partition("@")[0] for one in used}) == len(set(used))


def test_the_report_that_is_uploaded_is_the_one_that_the_release_check_writes() -> None:
    (upload,) = [one for one in steps(GITHUB / "workflows/release.yml") if "if" in one]

    written = re.search(r"--junitxml=(\S+)", (ROOT / "Makefile").read_text("utf-8"))
    assert written
    assert upload["with"]["path"] == f"project/{written[1]}"
    assert upload["if"] == "always()"


def test_dependabot_looks_at_every_folder_with_pins() -> None:
    updates = {one["package-ecosystem"]: one for one in read(GITHUB / "dependabot.yml")["updates"]}
    compiled = re.findall(r"-o (\S+\.txt)", (ROOT / "Makefile").read_text("utf-8"))

    folders = {f"/{Path(file).parent}".removesuffix("/.") or "/" for file in compiled}

    assert compiled
    assert set(updates["pip"]["directories"]) == folders
    assert updates["pip"]["open-pull-requests-limit"] == 0  # security updates alone
    assert updates["github-actions"]["directory"] == "/"


def test_whoever_reports_a_bug_is_told_to_paste_no_patient_and_says_so() -> None:
    words, *fields = read(GITHUB / "ISSUE_TEMPLATE/bug_report.yml")["body"]

    assert "Do not paste patient data" in words["attributes"]["value"]
    (confirmed,) = [one for one in fields if one["id"] == "no-patients"]
    assert all(option["required"] for option in confirmed["attributes"]["options"])


def test_hooks_are_valid_and_run_targets_of_the_makefile() -> None:
    checked = run("pre-commit", "validate-config", ".pre-commit-config.yaml")

    assert checked.returncode == 0, checked.stdout
    (repository,) = read(ROOT / ".pre-commit-config.yaml")["repos"]
    assert repository["repo"] == "local"
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for hook in repository["hooks"]:
        make, target = hook["entry"].split()
        assert (make, f"\n{target}:" in makefile) == ("make", True)
