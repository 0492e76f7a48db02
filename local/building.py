"""Fit what sam built to a study: its params.yaml in the layer, its document in the function.

Nothing else of a build knows a study, so it is built once for all of them. `python -m
local.building` fits what `sam build` made for AWS to the study that STUDY names.
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
from local.packing import PACKED, pack
from local.studies import Study, study_of

LAYER, FUNCTION = "ClinicalLayer", "PredictFunction"  # what a study is in
PARAMS = Path(LAYER) / "python" / "clinical" / "params.yaml"
DOCUMENT = Path(FUNCTION) / "openapi.json"
ARTEFACT = re.compile(r"^( +(?:ContentUri|CodeUri): )([\w.]+)$", re.MULTILINE)


def fit(build: Path, study: Study) -> None:
    """Write a study into a build, in place, as `sam build` wrote its own; raises CloudFailed."""
    shutil.copy(study.params_path, build / PARAMS)
    compiled.write(build / PARAMS)
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
        raise CloudFailed(f"the study's API cannot be documented:\n{error.stderr}") from error


def fitted(base: Path, build: Path, study: Study) -> None:
    """Make a build of a study, of one of the drug study's that is packed; it refers to that."""
    build.mkdir()
    for part in (LAYER, FUNCTION):
        shutil.copytree(base / part, build / part)
    fit(build, study)
    (build / "template.yaml").write_text(template_beside(base, {LAYER, FUNCTION}))
    pack(build)
    packed = (build / PACKED).read_text()
    for zipped in base.glob("*.zip"):
        packed = packed.replace(
            f"../{base.name}/{zipped.stem}\n", f"../{base.name}/{zipped.name}\n"
        )
    (build / PACKED).write_text(packed)


def template_beside(base: Path, own: Collection[str]) -> str:
    """Write a build's template for a folder beside it, which has copies of some parts.

    own: the names of those parts; the others stay where they are.
    """

    def elsewhere(found: re.Match[str]) -> str:
        return found[0] if found[2] in own else f"{found[1]}../{base.name}/{found[2]}"

    return ARTEFACT.sub(elsewhere, (base / "template.yaml").read_text())


def main() -> int:
    """Fit the build for AWS, and return the exit code; a mistake is a sentence, no trace."""
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
