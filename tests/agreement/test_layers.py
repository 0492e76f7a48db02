"""A function imports what its layers bring and Lambda's runtime has, and nothing else."""

import re
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent
OURS = {"ClinicalLayer": ["layers/clinical"], "ModelLayer": ["layers/model"]}
# Refuses what a layer that is not there would bring, as if nobody had installed it.
IMPORTED = """
import importlib, os, sys
from importlib.abc import MetaPathFinder

class Missing(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in missing:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

missing = set(sys.argv[1].split(","))
sys.meta_path.insert(0, Missing())
for handler in sys.argv[2:]:
    try:
        importlib.import_module(handler)
    except ModuleNotFoundError as error:
        sys.exit(f"{handler}: {error}")
"""


def folder_of(layer: str) -> str:
    return f"layers/{layer.removesuffix('Layer').lower()}"


def brought_by(folder: str) -> set[str]:
    """The modules that a folder's requirements install."""
    text = (ROOT / folder / "requirements.txt").read_text(encoding="utf-8")
    pinned = {name.lower() for name in re.findall(r"^([A-Za-z0-9._-]+)==", text, re.MULTILINE)}
    return {
        module
        for module, distributions in installed().items()
        if any(re.sub(r"[-_.]+", "-", one).lower() in pinned for one in distributions)
    }


@cache
def installed() -> Mapping[str, list[str]]:
    """The distributions that have a part in each module: a third of a second to look for."""
    return packages_distributions()


@pytest.fixture(scope="module")
def by_layers(template: dict[str, Any]) -> dict[tuple[str, ...], list[str]]:
    """The modules of the functions of pipeline/, by the layers that they have."""
    found = defaultdict(list)
    for resource in template["Resources"].values():
        properties = resource.get("Properties", {})
        if properties.get("CodeUri") == "pipeline":
            layers = tuple(layer["Ref"] for layer in properties["Layers"])
            found[layers].append(properties["Handler"].rpartition(".")[0])
    return found


@pytest.mark.slow
def test_a_stage_imports_nothing_that_its_layers_do_not_bring(
    by_layers: dict[tuple[str, ...], list[str]],
) -> None:
    every = {layer: brought_by(folder_of(layer)) for layers in by_layers for layer in layers}
    of_the_runtime = brought_by("tests/sam_local")
    assert {"numpy", "onnxruntime"} <= every["ModelLayer"]

    for layers, handlers in by_layers.items():
        there = set().union(*(every[layer] for layer in layers))
        missing = set().union(*every.values()) - there - of_the_runtime
        paths = [*(path for layer in layers for path in OURS.get(layer, [])), "pipeline"]
        done = subprocess.run(
            [sys.executable, "-c", IMPORTED, ",".join(sorted(missing)), *handlers],
            env={"PYTHONPATH": ":".join(str(ROOT / path) for path in paths)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{layers}: {done.stderr.strip()}"


@pytest.mark.parametrize("makefile", sorted(ROOT.glob("layers/*/Makefile")), ids=str)
def test_a_build_without_uv_says_in_one_sentence_what_to_run(
    makefile: Path, tmp_path: Path
) -> None:
    make = shutil.which("make")
    assert make
    (target,) = re.findall(r"^(build-\w+):", makefile.read_text(), re.MULTILINE)

    built = subprocess.run(
        [make, "-C", makefile.parent, target],
        env={"PATH": str(tmp_path), "ARTIFACTS_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert built.returncode != 0
    assert built.stderr.splitlines()[0] == (
        "uv is missing: run 'make build', which brings it, instead of 'sam build'"
    )
