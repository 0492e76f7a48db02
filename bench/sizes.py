"""What each built function weighs, with its layers, against Lambda's limit."""

from pathlib import Path
from typing import Any

import yaml

LAMBDA_LIMIT = 262_144_000  # bytes unzipped, a function with its layers


def built_resources(build: Path) -> dict[str, Any]:
    """Read the resources of a template that `sam build` wrote."""
    resources: dict[str, Any] = yaml.safe_load((build / "template.yaml").read_text())["Resources"]
    return resources


def function_sizes(build: Path) -> dict[str, int]:
    """Weigh every built function with its layers: bytes by logical name, largest first."""

    def size(name: str) -> int:
        files = (build / name).rglob("*")
        return sum(path.stat().st_size for path in files if path.is_file())

    sizes = {
        name: size(name) + sum(size(layer["Ref"]) for layer in resource["Properties"]["Layers"])
        for name, resource in built_resources(build).items()
        if resource["Type"] == "AWS::Serverless::Function"
    }
    return dict(sorted(sizes.items(), key=lambda one: -one[1]))
