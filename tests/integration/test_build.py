"""What `sam build` made fits into Lambda, and carries nothing that it should not."""

import tomllib
from importlib.util import cache_from_source
from pathlib import Path

import pytest
import yaml
from clinical import compiled
from clinical.params import Params, read_params

from bench.sizes import LAMBDA_LIMIT, built_resources, function_sizes
from local.stack import BUILD, BUILT_OF
from tests.integration.conftest import ROOT, Laptop

LAYER = "AWS::Serverless::LayerVersion"

pytestmark = pytest.mark.usefixtures("laptop")  # whose start built it


def test_what_is_built_is_not_built_again(laptop: Laptop) -> None:
    before = BUILT_OF.stat().st_mtime_ns

    laptop.stack.build()

    assert BUILT_OF.stat().st_mtime_ns == before


def test_what_is_built_is_what_the_sources_are_now() -> None:
    built = {ROOT / "layers/clinical/clinical": BUILD / "ClinicalLayer/python/clinical"}
    built[ROOT / "layers/model/model"] = BUILD / "ModelLayer/python/model"
    built[ROOT / "functions/predict"] = BUILD / "PredictFunction"
    built[ROOT / "pipeline"] = BUILD / "TrainFunction"

    for sources, copies in built.items():
        files = [path.relative_to(sources) for path in sources.rglob("*.py")]
        assert files
        changed = [
            one for one in files if (sources / one).read_bytes() != (copies / one).read_bytes()
        ]
        assert changed == []


def test_every_function_with_its_layers_is_under_250_mb() -> None:
    sizes = function_sizes(BUILD)

    handlers = (ROOT / "template.yaml").read_text().count("\n      Handler: ")
    assert len(sizes) == handlers > 0
    assert {name: size for name, size in sizes.items() if size >= LAMBDA_LIMIT} == {}


def test_the_built_template_has_everything_written_out() -> None:
    """CloudFormation takes no alias, and <<: for a key as any other."""
    events = list(yaml.parse((BUILD / "template.yaml").read_text()))

    assert len(events) > 1_000
    assert not [event for event in events if getattr(event, "anchor", None)]
    assert not [event for event in events if getattr(event, "value", "") == "<<"]


def test_the_clinical_layer_carries_the_release_and_nothing_else_of_pyproject() -> None:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    layer = BUILD / "ClinicalLayer/python/clinical"
    carried = tomllib.loads((layer / "release.toml").read_text("utf-8"))

    assert carried == {"project": {"version": pyproject["project"]["version"]}}


def test_the_model_card_names_the_release_that_published_the_model(laptop: Laptop) -> None:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))

    assert laptop.get("/model").body["release"] == pyproject["project"]["version"]


def test_layers_carry_no_tests_and_no_boto3() -> None:
    layers = [name for name, one in built_resources(BUILD).items() if one["Type"] == LAYER]

    assert len(layers) == len(list(ROOT.glob("layers/*/Makefile")))
    for layer in layers:
        names = {path.name for path in (BUILD / layer / "python").rglob("*") if path.is_dir()}

        assert names
        assert names.isdisjoint({"tests", "boto3", "botocore"}), layer


def test_a_start_reads_its_params_without_a_yaml_parser() -> None:
    path = BUILD / "ClinicalLayer/python/clinical/params.yaml"

    assert Params.model_validate(compiled.read(path)) == read_params(ROOT / "params.yaml")


@pytest.mark.parametrize(
    ("layer", "libraries"),
    [
        ("ClinicalLayer", {"clinical", "pydantic", "aws_lambda_powertools"}),
        ("ModelLayer", {"model", "onnxruntime", "numpy"}),
        ("ParquetLayer", {"duckdb"}),
        ("TrainingLayer", {"skl2onnx"}),
    ],
)
def test_every_module_of_a_layer_is_compiled(layer: str, libraries: set[str]) -> None:
    python = BUILD / layer / "python"
    sources = list(python.rglob("*.py"))

    assert libraries <= {path.relative_to(python).parts[0] for path in sources}
    assert [one for one in sources if not Path(cache_from_source(str(one))).exists()] == []


def test_what_trains_has_no_sources_but_those_that_are_read() -> None:
    python = BUILD / "TrainingLayer/python"

    for library in ("sklearn", "pandas", "numpy", "scipy", "onnx"):
        assert (python / library / "__init__.pyc").exists()
    assert {path.relative_to(python).parts[0] for path in python.rglob("*.py")} == {"skl2onnx"}


def test_serving_and_training_never_share_a_function() -> None:
    for name, resource in built_resources(BUILD).items():
        layers = [layer["Ref"] for layer in resource["Properties"].get("Layers", [])]

        assert not {"ModelLayer", "TrainingLayer"} <= set(layers), name
