"""All stages, one after the other, on the real set and on the sample, with the real forest."""

import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cache
import joblib
import pandas as pd
import pytest
from clinical.artefacts import Artefact, Bucket, read_verified, sha256
from clinical.params import params
from clinical.registry import MODEL
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from data.generate import CEILING_R2
from tests.pipeline import lines_of
from tests.unit.conftest import ROOT, Candidate
from tests.unit.pipeline.conftest import Retrained

pytestmark = pytest.mark.slow

type Retrain = Callable[[str], dict[str, Any]]


def test_on_the_real_data_the_verdict_says_that_the_average_is_not_beaten(
    retrained: Retrained, real_data: Path
) -> None:
    came_to = retrained(real_data.read_bytes())

    verdict = came_to["evaluated"]["verdict"]
    difference = verdict["rmse_difference"]
    assert verdict["rows"] == 200
    assert verdict["candidate"]["rmse"]["value"] == pytest.approx(1.475, abs=0.05)
    assert verdict["candidate"]["r2"]["value"] < 0
    assert verdict["beats_average"] is False
    assert "does not beat the average baseline" in verdict["reasons"][0]
    assert f"{difference['low']:+.3f} to {difference['high']:+.3f}" in verdict["reasons"][0]
    assert verdict["decision"] == "promoted_with_warning"
    assert verdict["parity"]["max_error"] <= 1e-4
    assert verdict["coverage"]["holds"]
    assert came_to["promoted"]["decision"] == "promoted_with_warning"


def test_on_the_sample_the_verdict_says_that_the_average_is_beaten(
    retrained: Retrained, sample: Path
) -> None:
    verdict = retrained(sample.read_bytes())["evaluated"]["verdict"]

    assert CEILING_R2 - 0.1 < verdict["candidate"]["r2"]["value"] < CEILING_R2 + 0.1
    assert verdict["rmse_difference"]["high"] < 0
    assert verdict["beats_average"] is True
    assert verdict["reasons"][0].startswith("It beats the average baseline")
    assert verdict["decision"] == "promoted"
    assert verdict["parity"]["holds"]


@pytest.mark.usefixtures("few_trees")
def test_training_twice_makes_the_same_bytes(
    retrain: Retrain, retrained: Retrained, sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = retrained(sample.read_bytes())
    monkeypatch.setattr(cache, "code_digest", lambda source: f"changed {source}")

    second = retrain("two")

    assert second["trained"]["onnx"]["sha256"] == first["trained"]["onnx"]["sha256"]
    assert second["promoted"]["decision"] == "already_champion"


def test_training_in_another_process_makes_the_same_bytes(candidate: Candidate) -> None:
    """Hashes of strings differ between processes, and with them the order of sets."""
    script = (
        "import cache, hashlib, tests.unit.conftest as units\n"
        "cache.code_digest = str\n"  # which takes longer than to train, and goes into no model
        "body = (units.ROOT / 'data/sample.csv').read_bytes()\n"
        "made = units.candidate_on(body, units.smaller(units.params(), trees=5))\n"
        "print(hashlib.sha256(made.files['model.onnx']).hexdigest())\n"
    )

    other = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert other.returncode == 0, other.stderr
    assert other.stdout.strip().splitlines()[-1] == sha256(candidate.files[MODEL])


def test_the_joblib_model_answers_as_the_scores_say(
    bucket: Bucket, retrained: Retrained, sample: Path, tmp_path: Path
) -> None:
    came_to = retrained(sample.read_bytes())

    def read(artefact: dict[str, str]) -> Path:
        file = tmp_path / artefact["sha256"]
        file.write_bytes(read_verified(bucket, Artefact(**artefact)))
        return file

    model = joblib.load(read(came_to["trained"]["model"]))
    lines = lines_of(read(came_to["preprocessed"]["held_out"]).read_bytes())
    held_out = pd.read_csv(io.StringIO("\n".join(lines)))
    predicted = model.predict(held_out[list(params().features)])

    verdict = came_to["evaluated"]["verdict"]["candidate"]
    scores = {name: estimate["value"] for name, estimate in verdict.items()}
    recorded = held_out["Improvement_Score"]
    assert scores["rmse"] == pytest.approx(root_mean_squared_error(recorded, predicted), abs=1e-5)
    assert scores["mae"] == pytest.approx(mean_absolute_error(recorded, predicted), abs=1e-5)
    assert scores["r2"] == pytest.approx(r2_score(recorded, predicted), abs=1e-5)
