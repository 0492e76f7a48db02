"""Adapt a build of sam to a study: its params.yaml in the layer, its document in the function.

Nothing else in a build depends on the study, so all studies share one build. `python -m
local.building` adapts the build for AWS to the study that STUDY names.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

from clinical import compiled

from local.cloud import ROOT, CloudFailed
from local.packing import pack_beside
from local.studies import Study, study_of

LAYER, FUNCTION = "ClinicalLayer", "PredictFunction"  # the parts that depend on the study
PARAMS = Path(LAYER) / "python" / "clinical" / "params.yaml"
DOCUMENT = Path(FUNCTION) / "openapi.json"
ARTEFACT = re.compile(r"^( +(?:ContentUri|CodeUri): )([\w.]+)$", re.MULTILINE)


def fit(build: Path, study: Study) -> None:
    """Write a study into a build, in place; raises CloudFailed."""
    put_params(study.params_path, build)
    command = (sys.executable, ROOT / "functions" / "openapi.py", build / DOCUMENT)
    try:
        subprocess.run(
            command,
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "PARAMS_PATH": str(study.params_path)},
        )
    except subprocess.CalledProcessError as error:
        raise CloudFailed(f"cannot generate the study's API document:\n{error.stderr}") from error


def put_params(params: Path, build: Path) -> None:
    """Replace a build's params.yaml, and compile it."""
    shutil.copy(params, build / PARAMS)
    compiled.write(build / PARAMS)


def fitted(base: Path, build: Path, study: Study) -> None:
    """Make a study's build from the drug study's packed one, which it refers to."""
    build.mkdir()
    for part in (LAYER, FUNCTION):
        shutil.copytree(base / part, build / part)
    fit(build, study)
    pack_beside(base, build)


def template_beside(base: Path, own: Collection[str]) -> str:
    """Return a build's template for a folder beside it, which has copies of some parts.

    own: the names of these parts; the others are referred to.
    """

    def elsewhere(found: re.Match[str]) -> str:
        return found[0] if found[2] in own else f"{found[1]}../{base.name}/{found[2]}"

    return ARTEFACT.sub(elsewhere, (base / "template.yaml").read_text())


def main() -> int:
    """Adapt the build for AWS, and return the exit code; mistakes print a sentence, no trace."""
    try:
        study = study_of(os.environ.get("STUDY"))
        study.params()
        fit(ROOT / ".aws-sam" / "build", study)
    except CloudFailed as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
