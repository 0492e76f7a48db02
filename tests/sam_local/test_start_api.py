"""The API from real Lambda containers answers as the deployed one does."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from clinical.obstore_bucket import ObstoreBucket
from clinical.registry import Registry
from model.loader import Loaded, opened
from obstore.store import LocalStore

from events.sample import SYNTHETIC
from tests.integration.conftest import Laptop, free_port
from tests.patience import until
from tests.sam_local.commands import SAM, LocalApi, SamLocal
from tests.sam_local.conftest import Containers
from tests.unit.conftest import without_ids

OUTCOME = {"prediction_id": "0" * 32, "Improvement_Score": 5, "observed_at": "2026-11-25"}


@pytest.mark.parametrize(
    "path", ["/health", "/dropdown-values", "/model", "/openapi.json", "/docs"]
)
def test_what_is_read_is_the_same(api: LocalApi, laptop: Laptop, path: str) -> None:
    local, deployed = api.get(path), laptop.get(path)

    assert local.status == deployed.status == 200
    assert local.text == deployed.text
    assert local.headers["Content-Type"] == deployed.headers["Content-Type"]


def bodies(patient: dict[str, Any]) -> list[tuple[str, Any]]:
    return [
        ("/predict", patient),
        ("/predict?explain=true", patient),
        ("/predict/batch", {"patients": [patient, patient | {"Age": 17}, None]}),
        ("/predict", patient | {"Age": 17, "Gender": "male", "Weight": 70}),
        ("/predict", patient | {"Side_Effects": "Cough"}),
        ("/predict", {}),
        ("/predict", None),
        ("/predict/batch", {"patients": []}),
    ]


def test_what_is_asked_is_answered_the_same(
    api: LocalApi, laptop: Laptop, patient: dict[str, object]
) -> None:
    for path, body in bodies(patient):
        local, deployed = api.post(path, body), laptop.post(path, body)

        assert local.status == deployed.status, path
        assert without_ids(local.body) == without_ids(deployed.body), path
        assert local.status in {200, 422}


def test_the_runtime_reports_how_long_and_how_much(
    api: LocalApi, patient: dict[str, object]
) -> None:
    api.post("/predict", patient)

    reports = re.findall(
        r"REPORT RequestId: .*?Duration: ([\d.]+) ms.*?Max Memory Used: (\d+) MB",
        api.log.read_text(),
    )
    assert reports
    assert min(float(duration) for duration, _ in reports) < 1000
    assert "Init Duration" in api.log.read_text()


def test_a_retrain_swaps_the_model_in_the_running_container(
    api: LocalApi, laptop: Laptop, sample: Path, tmp_path: Path, containers: Containers
) -> None:
    before = api.get("/health").body["model_version"]
    running = containers()
    fewer = tmp_path / "fewer.csv"
    fewer.write_bytes(b"".join(sample.read_bytes().splitlines(keepends=True)[:-7]))

    assert laptop.retrain_on(fewer)["status"] == "SUCCEEDED"

    champion = laptop.artefact("models/champion.json")["version"]
    assert champion != before
    until(lambda: api.get("/health").body["model_version"] == champion, "the swap")
    assert containers() == running


def test_without_the_local_cloud_it_answers_503_and_says_what_to_run(
    sam_local: SamLocal, patient: dict[str, object]
) -> None:
    with sam_local.start_api(*sam_local.with_cloud(free_port())) as nowhere:
        answer = nowhere.post("/predict", patient)

        assert answer.status == 503
        assert answer.body["detail"].endswith(
            "S3 is not responding properly; retry shortly. Run `make up` first: it starts the "
            "local cloud that this container uses."
        )
        assert nowhere.get("/health").body["status"] == "unhealthy"
        assert "Start it with `make up`" in nowhere.log.read_text()


def test_as_the_first_thing_one_tries_it_serves_a_model_of_the_sample(
    sam_local: SamLocal, clone: Path, patient: dict[str, Any]
) -> None:
    """In a clone, with no local cloud and after no `make up`."""
    too_early = ran(sam_local, clone, SAM, "local", "start-api")
    assert too_early.returncode == 1
    assert "Template file not found at" in too_early.stderr
    assert "made-by-make-build" in too_early.stderr

    built = ran(sam_local, clone, "make", "build")
    assert built.returncode == 0, built.stdout + built.stderr

    with sam_local.start_api_of(clone) as api:
        answer = api.post("/predict", patient)
        card = api.get("/model").body
        dropdown = api.get("/dropdown-values")
        outcomes = api.post("/outcomes", {"outcomes": [OUTCOME]})

    registry = clone / ".aws-sam/made-by-make-build"
    model = model_of(registry)
    (expected,) = model.predict([patient])
    assert answer.status == 200
    assert answer.body["Improvement_Score"] == expected.score
    assert answer.body["model_version"] == card["model_version"] == model.version
    assert answer.body["disclaimer"].startswith(SYNTHETIC)
    assert SYNTHETIC in card["overview"]["limits"]
    assert dropdown.status == 200
    assert outcomes.status == 503
    assert outcomes.body["detail"].endswith("run `make up`, then sam with `--config-env cloud`.")
    assert not list((clone / ".aws-sam/build").rglob("model.onnx"))  # what is deployed
    assert not (clone / ".local").exists()


def ran(sam_local: SamLocal, clone: Path, *command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=clone, env=sam_local.docker, capture_output=True, text=True, check=False
    )


def model_of(registry: Path) -> Loaded:
    bucket = ObstoreBucket(lambda: LocalStore(registry), "made with the build")
    pointer = Registry(bucket).champion()
    assert pointer
    return opened(bucket, pointer.champion)
