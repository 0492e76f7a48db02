"""What `sam build` made fits into Lambda."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from local.stack import BUILD
from tests.integration.conftest import Laptop

LAMBDA_LIMIT = 262_144_000  # bytes unzipped, a function with its layers


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def resources(laptop: Laptop) -> dict[str, Any]:
    """The built template, with CloudFormation's tags read over."""

    class Loader(yaml.SafeLoader):
        pass

    def value(loader: yaml.SafeLoader, _: str, node: Any) -> Any:
        if isinstance(node, yaml.ScalarNode):
            return loader.construct_scalar(node)
        return loader.construct_object(node) if node.tag.startswith("tag:") else None

    Loader.add_multi_constructor("!", value)
    built = yaml.load((BUILD / "template.yaml").read_text(), Loader=Loader)  # noqa: S506
    found: dict[str, Any] = built["Resources"]
    return found


def test_every_function_with_its_layers_is_under_250_mb(resources: dict[str, Any]) -> None:
    functions = {
        name: resource["Properties"]
        for name, resource in resources.items()
        if resource["Type"] == "AWS::Serverless::Function"
    }
    assert len(functions) == 9

    for name, properties in functions.items():
        layers = [
            layer["Ref"] if isinstance(layer, dict) else layer for layer in properties["Layers"]
        ]
        total = size(BUILD / name) + sum(size(BUILD / layer) for layer in layers)
        print(f"{name:<32} {total / 1e6:6.1f} MB")
        assert total < LAMBDA_LIMIT, name


def test_layers_carry_no_tests_no_bytecode_and_no_boto3(laptop: Laptop) -> None:
    for layer in ("ClinicalLayer", "ModelLayer", "TrainingLayer"):
        names = {path.name for path in (BUILD / layer / "python").rglob("*") if path.is_dir()}
        assert names
        assert names.isdisjoint({"__pycache__", "tests", "boto3", "botocore"}), layer


def test_serving_and_training_never_share_a_function(resources: dict[str, Any]) -> None:
    for name, resource in resources.items():
        layers = str(resource["Properties"].get("Layers", ""))
        assert not ("ModelLayer" in layers and "TrainingLayer" in layers), name
