"""What `make up` promises: everything started, one real prediction, and every address."""

import json
import os
import subprocess
import sys
import urllib.error
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from clinical.params import params

from local import executions
from local.localstack import LocalStack
from local.stack import Outputs
from tests.integration.conftest import ROOT, Laptop, fetch, free_port


def test_up_shows_each_state_the_prediction_and_every_address(
    first_up: tuple[Laptop, str],
) -> None:
    laptop, printed = first_up

    states = ("Ingest", "Validate", "Prepare", "Train", "Evaluate", "Publish", "Promote", "Served")
    for shown in (*states, "was promoted", '"Improvement_Score"', '"disclaimer"', "Ready in"):
        assert shown in printed
    outputs = json.loads((laptop.home / "outputs.json").read_text())
    assert set(outputs) == set(Outputs.model_fields)
    for name in ("api_url", "site_url", "state_machine_arn", "raw_bucket", "artifacts_bucket"):
        assert outputs[name] in printed
    console = f"http://localhost:{laptop.console_port}"
    assert console in printed
    assert "Executions" in fetch(console).text


def test_up_again_reuses_what_is_there(laptop: Laptop) -> None:
    before = (laptop.home / "outputs.json").read_text()
    console = (laptop.home / "console.pid").read_text()

    again = laptop.run("up")

    assert again.returncode == 0, again.stdout
    for shown in ("already up", "up to date", "serving", '"Improvement_Score"'):
        assert shown in again.stdout
    assert (laptop.home / "outputs.json").read_text() == before
    assert (laptop.home / "console.pid").read_text() == console  # and not another one beside it


def test_up_again_restarts_the_console_where_its_code_is_newer(laptop: Laptop) -> None:
    pid = laptop.home / "console.pid"
    before = pid.read_text()
    os.utime(pid, (0, 0))  # as if it had started before its code was written

    assert laptop.run("up").returncode == 0

    assert pid.read_text() != before
    assert "Executions" in fetch(f"http://localhost:{laptop.console_port}").text


def test_predict_posts_the_sample_patient(laptop: Laptop) -> None:
    done = laptop.run("predict")

    assert done.returncode == 0, done.stdout
    assert '"Patient_ID": "P0001"' in done.stdout
    assert '"Improvement_Score"' in done.stdout


def test_the_site_is_served_and_knows_the_api(laptop: Laptop) -> None:
    outputs = laptop.stack.outputs

    page = fetch(outputs.site_url)
    config = fetch(outputs.site_url.replace("index.html", "config.json"))

    assert page.status == 200
    assert page.headers["Content-Type"] == "text/html"
    assert config.body["api_url"] == outputs.api_url
    assert config.body["study"]["title"] == params().study.title


def test_without_a_cloud_the_user_is_told_what_to_do(
    start_laptop: Callable[[str], Laptop],
) -> None:
    nowhere = start_laptop("nowhere")

    for command in ("retrain", "predict"):
        done = nowhere.run(command)
        assert done.returncode == 1
        assert "run `make up` first" in done.stdout
        assert "Traceback" not in done.stdout


def test_a_port_that_is_taken_is_said_so(
    laptop: Laptop, start_laptop: Callable[[str], Laptop]
) -> None:
    other = start_laptop("other")
    squatter = Laptop(other.home, laptop.port)

    done = squatter.run("up")

    assert done.returncode == 1
    assert f"port {laptop.port} is already in use" in done.stdout
    assert "PORT=" in done.stdout


def test_the_local_cloud_is_not_taken_for_localstack(laptop: Laptop) -> None:
    """It answers under LocalStack's address too."""
    cloud = LocalStack(laptop.home, laptop.port)

    assert cloud.answers("/_localstack/health")
    assert not cloud.is_up()


def kept(laptop: Laptop, version: str) -> tuple[dict[str, Any], set[str], list[float]]:
    """What ran, with its history, what was logged of a version, and a metric of the tests' own."""
    stack = laptop.stack
    now = datetime.now(UTC)
    measured = stack.cloudwatch.get_metric_statistics(
        Namespace="Tests",
        MetricName="Kept",
        StartTime=now - timedelta(hours=1),
        EndTime=now + timedelta(hours=1),
        Period=7200,
        Statistics=["Maximum"],
    )
    return (
        {arn: list(executions.history(stack, arn)) for arn in executions._executions(stack)},
        set(laptop.logged_with(version)),
        [point["Maximum"] for point in measured["Datapoints"]],
    )


def test_after_down_and_up_all_is_as_it_was(laptop: Laptop) -> None:
    served = laptop.artefact("models/champion.json")["version"]
    laptop.stack.cloudwatch.put_metric_data(
        Namespace="Tests", MetricData=[{"MetricName": "Kept", "Value": 7}]
    )
    laptop.wait_until_idle()
    histories, logged, measured = kept(laptop, served)
    assert histories
    assert logged
    assert measured == [7]

    assert laptop.run("down").stdout.strip() == "Stopped."
    with pytest.raises(urllib.error.URLError):
        fetch(f"http://localhost:{laptop.console_port}")
    assert laptop.run("down").stdout.strip() == "The local cloud was not running."
    again = laptop.run("up")

    assert again.returncode == 0, again.stdout
    assert laptop.get("/health").body["model_version"] == served
    histories_again, logged_again, measured_again = kept(laptop, served)
    assert {arn: histories_again.get(arn) for arn in histories} == histories
    assert logged <= logged_again
    assert measured_again == measured


def test_another_port_moves_the_cloud_and_has_to_be_said_once(laptop: Laptop) -> None:
    promotions = laptop.artefact("models/champion.json")["sequence"]
    moved = Laptop(laptop.home, free_port())

    up = moved.run("up")

    assert up.returncode == 0, up.stdout
    champion = moved.artefact("models/champion.json")
    assert champion["sequence"] >= promotions  # its state moved too
    assert moved.get("/health").body["model_version"] == champion["version"]
    said_nothing = subprocess.run(
        [sys.executable, "-m", "local", "predict", "--home", str(laptop.home)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"http://localhost:{moved.port}" in said_nothing.stdout
    assert laptop.run("up").returncode == 0  # and back
