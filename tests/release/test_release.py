"""`make release-check`: all that a release rests on, a step a test.

A step passes, fails, or is skipped with its reason; the exit code is pytest's.
"""

import json
import os
import sys
from pathlib import Path

import pytest
from clinical.contract import Health

from bench.sizes import LAMBDA_LIMIT, function_sizes
from local.stack import BUILD
from tests import openapi
from tests.integration.conftest import ROOT, Laptop
from tests.release.conftest import Run, Say
from tests.sam_local import conftest as sam_local
from tests.sam_local import engine
from tests.template import COMBINATIONS, deployed, written

LARGEST_FILE = 1_000_000  # bytes
SHIPPED = sorted(ROOT.glob("layers/*/requirements.txt"))
PINNED = sorted(
    [
        *SHIPPED,
        *ROOT.glob("local/**/*.txt"),
        *ROOT.glob("studies/**/*.txt"),
        ROOT / "requirements-dev.txt",
    ]
)


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_the_repository_is_whole_and_holds_all_that_is_here(run: Run) -> None:
    checked = run("git", "fsck", "--full", "--no-dangling")
    changed = run("git", "status", "--porcelain").stdout
    tracked = [ROOT / name for name in run("git", "ls-files").stdout.splitlines()]

    assert checked.returncode == 0, checked.stderr
    assert changed == "", "commit or stash these first"
    assert [path for path in tracked if not path.exists()] == []  # links that lead nowhere too
    assert [path for path in tracked if path.stat().st_size > LARGEST_FILE] == []


def test_the_template_is_valid(run: Run) -> None:
    checked = run("sam", "validate", "--lint", AWS_DEFAULT_REGION="us-east-1")

    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_template_has_no_weakness_that_checkov_knows(
    run: Run, say: Say, tools: Path, tmp_path: Path
) -> None:
    def counted(folder: Path) -> dict[str, int]:
        asked = ("--framework", "cloudformation", "--quiet", "--output", "json")
        template = ("--file", ROOT / "template.yaml")
        done = run(tools / "checkov", *template, *asked, folder=folder, LOG_LEVEL="CRITICAL")
        found: dict[str, int] = json.loads(done.stdout)["summary"]
        return found

    ours = counted(ROOT)  # where it finds .checkov.yaml
    bare = counted(tmp_path)

    say("passed", ours["passed"])
    say("failed", ours["failed"])
    say("suppressed beside the resource", ours["skipped"])
    say("suppressed in .checkov.yaml", bare["failed"] - ours["failed"])
    assert ours["passed"] > 0
    assert ours["failed"] == 0
    assert ours["parsing_errors"] == 0


# What checkov objects to in an expanded stack, and why that stays. Beside the template's own
# resources, it takes conditions for met and reads what is said there.
KEYS_OF_AWS = {
    "CKV_AWS_27": "The queue is encrypted by SQS's own key.",
    "CKV_AWS_158": "Logs are encrypted by CloudWatch's own key.",
    "CKV_AWS_173": "Environments, which hold no secret, are encrypted by Lambda's own key.",
}
NO_WEB_ACL = {
    "CKV_AWS_68": "A web ACL costs more than the rest of an idle stack; WebAclArn sets it."
}
NO_TOPIC_KEY = {"CKV_AWS_26": "Notifications hold no data of patients; TopicKey encrypts them."}
NO_ACCESS_LOG = {"CKV_AWS_76": "It needs a role of the whole account, so it is to be asked for."}
ALWAYS = {"CKV_AWS_120": "A cache would answer with the old model after a promotion."}


@pytest.mark.parametrize("combination", COMBINATIONS)
def test_an_expanded_stack_has_no_weakness_but_those_that_are_named(
    run: Run, say: Say, tools: Path, tmp_path: Path, combination: str
) -> None:
    given = COMBINATIONS[combination]
    stack = written(deployed(**given), tmp_path)
    config = ("--config-file", ROOT / ".checkov.yaml")
    asked = ("--framework", "cloudformation", "--quiet", "--output", "json")

    linted = run("cfn-lint", "--regions", "us-east-1", "--", stack)
    done = run(tools / "checkov", *config, *asked, "--file", stack, LOG_LEVEL="CRITICAL")

    assert linted.returncode == 0, linted.stdout
    checked = json.loads(done.stdout)
    say("passed", checked["summary"]["passed"])
    assert checked["summary"]["parsing_errors"] == 0
    found = {one["check_id"] for one in checked["results"]["failed_checks"]}
    unguarded = given.get("CloudFront") == "true" and not given.get("WebAclArn")
    assert found == {
        *ALWAYS,
        *(() if given.get("KmsKeyArn") else KEYS_OF_AWS),
        *(NO_WEB_ACL if unguarded else ()),
        *(() if given.get("TopicKey", "None") != "None" else NO_TOPIC_KEY),
        *(() if given.get("ApiAccessLog", "none") != "none" else NO_ACCESS_LOG),
    }


def test_template_state_machine_params_and_events_agree(run: Run) -> None:
    checked = run(sys.executable, "-m", "pytest", "-q", "tests/agreement")

    assert checked.returncode == 0, checked.stdout


def test_the_pipeline_makes_a_model_that_serves_on_a_local_cloud(
    first_up: tuple[Laptop, str], say: Say
) -> None:
    laptop, printed = first_up
    champion = laptop.artefact("models/champion.json")

    say("champion", champion["version"])
    assert "was promoted" in printed
    assert laptop.get("/health").body["model_version"] == champion["version"]


def test_every_function_with_its_layers_fits_into_lambda(laptop: Laptop, say: Say) -> None:
    assert laptop  # whose start built them
    sizes = function_sizes(BUILD)

    largest = next(iter(sizes))
    say("largest", f"{largest}, {sizes[largest] / 1e6:.0f} of {LAMBDA_LIMIT / 1e6:.0f} MB")
    assert sizes[largest] < LAMBDA_LIMIT


def test_the_api_tells_its_health(laptop: Laptop) -> None:
    answer = laptop.get("/health")

    assert answer.status == 200
    assert Health.model_validate_json(answer.text).model_loaded


def test_the_api_predicts(laptop: Laptop, patient: dict[str, object]) -> None:
    answer = laptop.post("/predict", patient)

    assert answer.status == 200
    prediction = json.loads(answer.text)
    openapi.check("POST", "/predict", 200, "application/json", prediction)
    low, high = (prediction["interval"][end] for end in ("low", "high"))
    assert low <= prediction["Improvement_Score"] <= high


def test_the_api_tells_what_a_form_can_offer(laptop: Laptop) -> None:
    answer = laptop.get("/dropdown-values")

    assert answer.status == 200
    values = json.loads(answer.text)
    openapi.check("GET", "/dropdown-values", 200, "application/json", values)
    assert values["valid_combinations"]


def test_lambda_containers_answer_as_the_deployed_api_does(run: Run) -> None:
    if not (engine.answers() or engine.can_be_started()):
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(sam_local.MISSING)

    checked = run(sys.executable, "-m", "pytest", "-q", "tests/sam_local/test_start_api.py")

    assert checked.returncode == 0, checked.stdout
    assert "skipped" not in checked.stdout.splitlines()[-1], checked.stdout


@pytest.mark.parametrize("file", SHIPPED, ids=named)
def test_what_a_layer_ships_has_the_hashes_that_are_pinned(
    run: Run, file: Path, tmp_path: Path
) -> None:
    hashed = ("--no-cache", "--require-hashes", "--no-deps", "--target", tmp_path)
    installed = run("uv", "pip", "install", *hashed, "--requirements", file)

    assert installed.returncode == 0, installed.stderr


@pytest.mark.parametrize("file", PINNED, ids=named)
def test_no_vulnerability_is_known_in(run: Run, say: Say, tools: Path, file: Path) -> None:
    pinned = ("--disable-pip", "--no-deps", "--require-hashes", "--requirement", file)
    done = run(tools / "pip-audit", *pinned, "--format", "json")

    if not done.stdout:
        pytest.skip(f"no advisory service answers: {done.stderr.strip().splitlines()[-1]}")
    audited = json.loads(done.stdout)["dependencies"]
    vulnerable = [
        f"{one['name']} {one['version']}: {known['id']}"
        for one in audited
        for known in one.get("vulns", [])
    ]
    unknown = [one["name"] for one in audited if "skip_reason" in one]
    assert vulnerable == []
    if len(unknown) == len(audited):
        pytest.skip(f"the advisory service knows none of {len(audited)}: is it a mirror?")
    assert unknown == []
    say("audited", len(audited))
