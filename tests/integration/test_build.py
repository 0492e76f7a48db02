"""What `sam build` made fits into Lambda, and carries nothing that it should not."""

import pytest

from bench.sizes import LAMBDA_LIMIT, built_resources, function_sizes
from local.stack import BUILD

pytestmark = pytest.mark.usefixtures("laptop")  # whose start built it


def test_every_function_with_its_layers_is_under_250_mb() -> None:
    sizes = function_sizes(BUILD)

    assert len(sizes) == 9
    assert {name: size for name, size in sizes.items() if size >= LAMBDA_LIMIT} == {}


def test_layers_carry_no_tests_no_bytecode_and_no_boto3() -> None:
    for layer in ("ClinicalLayer", "ModelLayer", "TrainingLayer"):
        names = {path.name for path in (BUILD / layer / "python").rglob("*") if path.is_dir()}

        assert names
        assert names.isdisjoint({"__pycache__", "tests", "boto3", "botocore"}), layer


def test_serving_and_training_never_share_a_function() -> None:
    for name, resource in built_resources(BUILD).items():
        layers = [layer["Ref"] for layer in resource["Properties"].get("Layers", [])]

        assert not {"ModelLayer", "TrainingLayer"} <= set(layers), name
