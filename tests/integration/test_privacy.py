"""A canary in place of a patient's id, sent every way, is looked for everywhere."""

import gzip
from datetime import UTC, datetime
from typing import Any

import pytest
from clinical.params import params

from local import executions, models
from local.machines import MONITOR
from tests.integration.conftest import Laptop

CANARY = "CANARY-c0ffee-77"


@pytest.fixture(scope="module")
def sent(laptop: Laptop, tmp_path_factory: pytest.TempPathFactory) -> list[int]:
    """Send the canary as an id, as a value, as a key, as a path, and in a file to score.

    Returns the statuses of what was sent over HTTP.
    """
    patient: dict[str, Any] = {
        "Patient_ID": CANARY,
        "Age": 56,
        "Gender": "Male",
        "Condition": "Infection",
        "Drug_Name": "Ciprofloxacin",
        "Dosage_mg": 50,
        "Treatment_Duration_days": 9,
        "Side_Effects": "Nausea",
    }
    bodies = [
        patient,
        patient | {"Age": 17},
        patient | {"Age": CANARY},
        patient | {CANARY: 1},
        patient | {"Patient_ID": [CANARY]},
        patient | {"Condition": CANARY},
        patient | {"Side_Effects": "Cough"},
        patient | {"prediction_id": CANARY},
        f'{{"Patient_ID": "{CANARY}", '.encode(),
    ]
    statuses = [
        *(laptop.post("/predict", body).status for body in bodies),
        laptop.post("/predict?explain=true", patient).status,
        laptop.post("/predict/batch", {"patients": [*bodies[:-1], CANARY]}).status,
        laptop.post("/compare", {"patient": untreated(patient)}).status,
        laptop.get(f"/predict/{CANARY}").status,
        laptop.get(f"/health?patient={CANARY}").status,
        laptop.get(f"/predictions/{CANARY}").status,
        laptop.post("/outcomes", {"outcomes": outcomes_of(laptop)}).status,
    ]
    data = tmp_path_factory.mktemp("scored") / "patients.csv"
    data.write_text(as_file([patient, patient | {"Age": CANARY}]), encoding="utf-8")
    done = laptop.run("score", DATA=str(data))
    assert done.returncode == 0, done.stdout
    ended = laptop.ended(executions.start(laptop.stack, machine=MONITOR))
    assert ended["status"] == "SUCCEEDED", ended
    return statuses


def untreated(patient: dict[str, Any]) -> dict[str, Any]:
    """What is known of a patient before a treatment is chosen."""
    chosen = {*params().compared, *params().roles.known_after_treatment}
    return {name: value for name, value in patient.items() if name not in chosen}


def as_file(patients: list[dict[str, Any]]) -> str:
    return "\n".join(
        [",".join(params().asked), *(",".join(map(str, one.values())) for one in patients)]
    )


def outcomes_of(laptop: Laptop) -> list[dict[str, Any]]:
    """Outcomes of which one is right, and the others have the canary for an id and beside it."""
    patient = models.recorded_patient(laptop.stack) | {"Patient_ID": CANARY}
    right = {
        "prediction_id": laptop.post("/predict", patient).body["prediction_id"],
        params().target.column: 6.5,
        "observed_at": f"{datetime.now(UTC):%Y-%m-%d}",
    }
    return [right, right | {"prediction_id": CANARY}, right | {"Patient_ID": CANARY}]


def test_the_canary_was_really_sent(sent: list[int]) -> None:
    assert sent == [200, 422, 422, 422, 422, 422, 422, 422, 400, *[200] * 3, 404, 200, 422, 200]


@pytest.mark.usefixtures("sent")
def test_no_log_has_it(laptop: Laptop) -> None:
    lines = laptop.logged()

    assert any('"Predictions"' in line for line in lines), "the functions' lines are looked at"
    assert any('"Improvement_Score"' in line for line in lines)
    for route in ("POST /predict", "POST /predict/batch", "POST /compare"):
        named = [line for line in lines if f'"{route}"' in line and '"prediction_id"' in line]
        assert named, route
    assert [line for line in lines if CANARY in line] == []
    assert CANARY not in laptop.stack.cloud.log.read_text()


@pytest.mark.usefixtures("sent")
def test_no_metric_has_it(laptop: Laptop) -> None:
    metrics = laptop.stack.cloudwatch.list_metrics()["Metrics"]

    assert {"Predictions", "Latency"} <= {metric["MetricName"] for metric in metrics}
    assert CANARY not in str(metrics)


@pytest.mark.usefixtures("sent")
def test_no_stored_object_has_it(laptop: Laptop) -> None:
    s3, outputs = laptop.stack.s3, laptop.stack.outputs
    keys = [
        entry["Key"]
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=outputs.artifacts_bucket)
        for entry in page["Contents"]
    ]

    kinds = {key.split("/")[0] for key in keys}
    assert {"captures", "monitor", "outcomes", "runs", "models"} <= kinds
    assert any(key.startswith("captures/scored/") for key in keys)
    assert any(key.endswith(".npz") for key in keys)
    for key in keys:
        body = s3.get_object(Bucket=outputs.artifacts_bucket, Key=key)["Body"].read()
        assert CANARY.encode() not in (gzip.decompress(body) if key.endswith(".gz") else body), key


def test_no_patient_of_the_data_set_is_in_a_log_or_a_published_file(laptop: Laptop) -> None:
    """The sample's ids stay in the upload and in the run's copy of it."""
    s3, outputs = laptop.stack.s3, laptop.stack.outputs
    for prefix in ("models/", "cache/"):
        pages = s3.get_paginator("list_objects_v2").paginate(
            Bucket=outputs.artifacts_bucket, Prefix=prefix
        )
        for key in [entry["Key"] for page in pages for entry in page["Contents"]]:
            body = s3.get_object(Bucket=outputs.artifacts_bucket, Key=key)["Body"].read()
            assert b"S0042" not in body, key
    logs = laptop.stack.logs
    for group in logs.describe_log_groups()["logGroups"]:
        found = logs.filter_log_events(logGroupName=group["logGroupName"], filterPattern="S0042")
        assert found["events"] == []
