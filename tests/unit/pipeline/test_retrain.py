"""All stages, one after the other, on the real set and on the sample, with the real forest."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cache
import joblib
import numpy as np
import pandas as pd
import pytest
from clinical.artefacts import Artefact, Bucket, read_verified, sha256
from clinical.params import params
from clinical.registry import MODEL
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error
from stages.evaluate import compared, scored

from data.generate import CEILING_R2
from tests.unit.conftest import ROOT, Candidate

type Retrain = Callable[[str], dict[str, Any]]
type Upload = Callable[[bytes], str]


def test_on_the_real_data_the_scores_are_the_predecessors(
    upload: Upload, retrain: Retrain, real_data: Path
) -> None:
    upload(real_data.read_bytes())

    evaluated = retrain("real")["evaluated"]

    assert evaluated["scores"]["rows"] == 200
    assert evaluated["scores"]["rmse"] == pytest.approx(1.475, abs=0.05)
    assert evaluated["scores"]["r2"] < 0
    assert evaluated["scores"]["rmse"] > evaluated["scores"]["average_rmse"]
    assert evaluated["parity"]["holds"]
    assert evaluated["parity"]["max_error"] <= 1e-4


def test_on_the_sample_the_model_comes_near_the_ceiling(
    upload: Upload, retrain: Retrain, sample: Path
) -> None:
    upload(sample.read_bytes())

    evaluated = retrain("sample")["evaluated"]

    assert CEILING_R2 - 0.1 < evaluated["scores"]["r2"] < CEILING_R2 + 0.1
    assert evaluated["scores"]["rmse"] < evaluated["scores"]["average_rmse"]
    assert evaluated["parity"]["holds"]


def test_training_twice_makes_the_same_bytes(
    upload: Upload, retrain: Retrain, sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(sample.read_bytes())
    first = retrain("one")
    monkeypatch.setattr(cache, "code_digest", lambda source: f"changed {source}")

    second = retrain("two")

    assert second["trained"]["onnx"]["sha256"] == first["trained"]["onnx"]["sha256"]
    assert second["promoted"]["decision"] == "already_champion"


@pytest.mark.parametrize("seed", ["1", "2", "3"])
def test_training_in_another_process_makes_the_same_bytes(candidate: Candidate, seed: str) -> None:
    """Hashes of strings differ between processes, and with them the order of sets."""
    script = (
        "import hashlib, tests.unit.conftest as units\n"
        "body = (units.ROOT / 'data/sample.csv').read_bytes()\n"
        "made = units.candidate_on(body, units.smaller(units.params(), trees=5))\n"
        "print(hashlib.sha256(made.files[units.MODEL]).hexdigest())\n"
    )

    other = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert other.stdout.strip() == sha256(candidate.files[MODEL])


def test_the_joblib_model_answers_as_the_scores_say(
    bucket: Bucket, upload: Upload, retrain: Retrain, sample: Path, tmp_path: Path
) -> None:
    upload(sample.read_bytes())
    came_to = retrain("one")

    def read(artefact: dict[str, str]) -> Path:
        file = tmp_path / artefact["sha256"]
        file.write_bytes(read_verified(bucket, Artefact(**artefact)))
        return file

    model = joblib.load(read(came_to["trained"]["model"]))
    held_out = pd.read_csv(read(came_to["preprocessed"]["held_out"]))
    predicted = model.predict(held_out[list(params().features.names)])

    scores = came_to["evaluated"]["scores"]
    recorded = held_out["Improvement_Score"]
    assert scores["rmse"] == pytest.approx(root_mean_squared_error(recorded, predicted), abs=1e-5)
    assert scores["mae"] == pytest.approx(mean_absolute_error(recorded, predicted), abs=1e-5)
    assert scores["r2"] == pytest.approx(r2_score(recorded, predicted), abs=1e-5)


def test_scores_are_those_of_the_textbook() -> None:
    scores = scored(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 5.0]), average=1.0)

    assert scores.rmse == pytest.approx((4 / 3) ** 0.5)
    assert scores.mae == pytest.approx(2 / 3)
    assert scores.r2 == pytest.approx(1 - 4 / 2)
    assert scores.average_rmse == pytest.approx((5 / 3) ** 0.5)


@pytest.mark.parametrize(("error", "holds"), [(0.0, True), (1e-4, True), (1.1e-4, False)])
def test_parity_holds_up_to_what_the_gate_allows(error: float, holds: bool) -> None:
    exact = np.array([0.0, 0.0])

    parity = compared(exact + np.array([0.0, error]), exact, params())

    assert parity.holds is holds
    assert parity.max_error == error
