"""The document and the deployed API say the same: to a generated client, and to schemathesis."""

import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests import openapi
from tests.integration.conftest import Laptop

CLIENT = "generated_client"
SEED = 20_261_125
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
)


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Python client, made of the document by a program that knows nothing else of the API."""
    folder = tmp_path_factory.mktemp("client")
    config = folder / "config.yaml"
    config.write_text("post_hooks: []\n")
    program = Path(sys.executable).with_name("openapi-python-client")
    written = ("--path", openapi.FILE, "--output-path", folder / CLIENT, "--config", config)
    made = subprocess.run(
        [program, "generate", *written, "--meta", "none", "--fail-on-warning"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stdout
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield CLIENT


class Client:
    """The generated client, connected to a deployed API."""

    def __init__(self, package: str, url: str) -> None:
        self.models = importlib.import_module(f"{package}.models")
        self.package = package
        self.connection = importlib.import_module(package).Client(base_url=url, timeout=60)

    def operation(self, path: str) -> ModuleType:
        """Import the module of the one operation of a path."""
        (operation,) = openapi.DOCUMENT["paths"][path].values()
        tag = operation["tags"][0].lower()
        return importlib.import_module(f"{self.package}.api.{tag}.{operation['operationId']}")

    def ask(self, path: str, **arguments: Any) -> tuple[int, Any]:
        answer = self.operation(path).sync_detailed(client=self.connection, **arguments)
        return answer.status_code.value, answer.parsed

    def send(self, path: str, content: bytes, content_type: str) -> tuple[int, Any]:
        """Send what the client itself never would, and let it read the answer."""
        answer = self.connection.get_httpx_client().post(
            path, content=content, headers={"Content-Type": content_type}
        )
        built = self.operation(path)._build_response(client=self.connection, response=answer)
        return built.status_code.value, built.parsed

    def patient(self, of: dict[str, object]) -> Any:
        return self.models.Patient.from_dict(of)

    def batch(self, of: list[dict[str, object]]) -> Any:
        return self.models.Batch(patients=[self.patient(one) for one in of])


@pytest.fixture(scope="module")
def client(generated: str, laptop: Laptop) -> Iterator[Client]:
    client = Client(generated, laptop.stack.outputs.api_url)
    with client.connection:
        yield client


def test_a_generated_client_gets_a_score(client: Client, patient: dict[str, object]) -> None:
    status, prediction = client.ask("/predict", body=client.patient(patient))

    assert status == 200
    assert type(prediction) is client.models.Prediction
    assert prediction.patient_id == patient["Patient_ID"]
    assert prediction.interval.low < prediction.improvement_score < prediction.interval.high
    assert prediction.additional_properties == {}


def test_a_generated_client_gets_an_explanation(client: Client, patient: dict[str, object]) -> None:
    status, prediction = client.ask("/predict", body=client.patient(patient), explain=True)

    assert status == 200
    assert type(prediction) is client.models.ExplainedPrediction
    contributions = prediction.contributions.additional_properties
    assert prediction.base_value + sum(contributions.values()) == pytest.approx(
        prediction.improvement_score, abs=0.0051
    )


def test_a_generated_client_tells_scores_from_problems_in_a_batch(
    client: Client, patient: dict[str, object]
) -> None:
    status, answer = client.ask(
        "/predict/batch", body=client.batch([patient, patient | {"Age": 17}])
    )

    assert status == 200
    score, problem = answer.predictions
    assert type(score) is client.models.ScoredPatient
    assert type(problem) is client.models.Problem
    assert problem.errors[0].loc == ["body", "patients", 1, "Age"]


def test_a_generated_client_reads_what_is_got(client: Client, laptop: Laptop) -> None:
    version = laptop.artefact("models/champion.json")["version"]

    assert client.ask("/health")[1].model_version == version
    assert client.ask("/model")[1].model_version == version
    status, values = client.ask("/dropdown-values")
    assert status == 200
    assert values.valid_combinations[0].dosage_mg in values.dosages


@pytest.mark.parametrize("path", ["/predict", "/predict/batch", "/compare"])
@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        (b"{", "application/json", 400),
        (b'{"patients": 1, "patients": 2}', "application/json", 400),
        (b"[" * 1_100_000, "application/json", 413),
        (b"{}", "text/csv", 415),
        (b"{}", "application/json; charset=utf-16", 415),
        (b"[]", "application/json", 422),
    ],
)
def test_a_generated_client_reads_every_refusal(
    client: Client, path: str, content: bytes, content_type: str, status: int
) -> None:
    answered, problem = client.send(path, content, content_type)

    assert answered == status
    assert type(problem) is client.models.Problem
    assert problem.status == status
    assert problem.detail


def test_a_generated_client_reads_which_field_is_wrong(
    client: Client, patient: dict[str, object]
) -> None:
    status, problem = client.ask("/predict", body=client.patient(patient | {"Age": 17}))

    assert status == 422
    (error,) = problem.errors
    assert (error.loc, error.type_) == (["body", "Age"], "greater_than_equal")


def test_schemathesis_finds_no_answer_that_is_not_documented(
    laptop: Laptop, tmp_path: Path
) -> None:
    url = laptop.stack.outputs.api_url
    program = str(Path(sys.executable).with_name("st"))
    bounded = ("--seed", str(SEED), "--max-examples", "25", "--generation-database", "none")
    checked = ("--checks", ",".join(CHECKS), "--request-timeout", "60", "--no-color")

    asked = subprocess.run(
        [program, "run", f"{url}/openapi.json", "--url", url, *bounded, *checked],
        cwd=tmp_path,  # it leaves files where it runs
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )

    assert asked.returncode == 0, asked.stdout
    operations = sum(len(path) for path in openapi.DOCUMENT["paths"].values())
    assert re.search(rf"^\s*Tested: {operations}$", asked.stdout, re.MULTILINE), asked.stdout
    (generated,) = re.findall(r"(\d+) generated, \d+ passed", asked.stdout)
    assert int(generated) > 100
