"""Make what `sam local start-api` serves before there is a cloud: `make build` runs this.

The pipeline trains on the data that come with the study, in this process. The model is put into
copies of the functions that predict, beside the build for AWS: it is never deployed. Each answer's
disclaimer and the first limit on the model card say what it was trained on.
"""

import contextlib
import io
import os
import shutil
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml
from clinical.errors import ClinicalError

from local.building import LAYER, put_params, template_beside
from local.cloud import ROOT, CloudFailed
from local.stack import source_digest
from local.studies import Study, study_of

BUILD = ROOT / ".aws-sam" / "build"
# Where it is missing, sam says no more than that: so its name says what makes it.
SERVED = BUILD.with_name("made-by-make-build")
PREDICTING = ("PredictFunction", "DropdownFunction")
FOLDER = "sample"  # in each of them, as events/env-sample.json names it
SYNTHETIC = "This model was trained on a synthetic sample, and says nothing about any drug."
SHIPPED = "This model was trained on the data that come with the study, not on yours."
WHY = "Made with the build, for `sam local start-api`."
PICKLED = ".joblib"  # which only the pipeline reads


def make(study: Study) -> None:
    """Make a build that serves a model of a study's own data, beside the one for AWS.

    What was made of the same sources is not trained again. Raises CloudFailed, in one sentence.
    """
    models, made_of = SERVED / "models", SERVED / "sources.sha256"
    try:
        data = study.data()
        sources = source_digest(study) + sha256(data.read_bytes()).hexdigest()
        if not (made_of.exists() and made_of.read_text() == sources):
            shutil.rmtree(SERVED, ignore_errors=True)
            models.mkdir(parents=True)
            _train(study, data, models)
            made_of.write_text(sources)
    except (ClinicalError, CloudFailed) as error:
        shutil.rmtree(SERVED, ignore_errors=True)
        raise CloudFailed(f"the build comes without a model for `sam local`: {error}") from error
    for part in (LAYER, *PREDICTING):
        shutil.rmtree(SERVED / part, ignore_errors=True)
        shutil.copytree(BUILD / part, SERVED / part)
    put_params(SERVED / "params.yaml", SERVED)
    for function in PREDICTING:
        shutil.copytree(models, SERVED / function / FOLDER / models.name)
    template = template_beside(BUILD, {LAYER, *PREDICTING})
    (SERVED / "template.yaml").write_text(template)


def decisions(study: Study) -> dict[str, Any]:
    """Give a study's decisions for a model that nobody has to approve, and that says what it is."""
    decided: dict[str, Any] = yaml.safe_load(study.params_path.read_text("utf-8"))
    said, what = study.params().study, SHIPPED if study.name else SYNTHETIC
    of_sample: dict[str, dict[str, Any]] = {
        "study": {"disclaimer": f"{what} {said.disclaimer}", "limits": [what, *said.limits]},
        "gate": {"approval": "none"},
        "serving": {"shadow": None},
    }
    for section, changed in of_sample.items():
        decided[section] = {**decided.get(section, {}), **changed}
    return decided


def _train(study: Study, data: Path, models: Path) -> None:
    """Train on a data set, and write what is served of the registry; raises ClinicalError."""
    params = SERVED / "params.yaml"
    params.write_text(yaml.safe_dump(decisions(study), sort_keys=False), "utf-8")
    os.environ["PARAMS_PATH"] = str(params)
    # Imported here: the decisions are read while these are imported.
    from tests.pipeline import own_cloud, retrain  # noqa: PLC0415

    with own_cloud() as bucket, contextlib.redirect_stdout(io.StringIO()):
        bucket.client.upload_file(str(data), "raw", f"raw/{data.name}")
        came_to = retrain("sample", {"who": "make build", "reason": WHY})
        if "promoted" not in came_to:
            verdict = came_to["evaluated"]["verdict"]
            raise CloudFailed(f"{verdict['decision']}: {' '.join(verdict['reasons'])}")
        for key in bucket.keys("models/", ""):
            if not key.endswith(PICKLED):
                file = models.parent / key
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(bucket.get(key).body)


def main() -> int:
    """Make it, and say so; a study without data of its own is no failure of the build for AWS."""
    try:
        make(study_of(os.environ.get("STUDY")))
    except CloudFailed as error:
        print(error, file=sys.stderr)  # noqa: T201
    else:
        print("`sam local start-api` serves a model of the sample from this build.")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
