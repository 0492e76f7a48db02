"""Score the candidate on the held-out rows, with the very artefact that will serve."""

import csv
import io
import json

import numpy as np
from clinical.artefacts import Artefacts
from clinical.params import Params
from model.scorer import Row, Scorer
from stage import stage
from state import Evaluated, Parity, Preprocessed, Scores, Trained

type Array = np.ndarray[tuple[int], np.dtype[np.float64]]


@stage()
def evaluate(
    preprocessed: Preprocessed, trained: Trained, artefacts: Artefacts, params: Params
) -> Evaluated:
    """Score the ONNX model on the held-out rows, and hold it against scikit-learn's answers."""
    rows, recorded = held_out_rows(artefacts.read(preprocessed.held_out), params)
    predicted = Scorer(artefacts.read(trained.onnx)).predict(rows)
    expected = np.array(json.loads(artefacts.read(trained.predictions)))
    scores = scored(recorded, predicted, trained.average)
    parity = compared(predicted, expected, params)
    report = artefacts.write_json(
        "evaluation.json", {"scores": scores.model_dump(), "parity": parity.model_dump()}
    )
    return Evaluated(scores=scores, parity=parity, report=report)


def held_out_rows(body: bytes, params: Params) -> tuple[list[Row], Array]:
    """Read held-out rows: features as the model takes them, and recorded scores (n,), 0 to 10."""
    numeric = params.features.numeric
    read = list(csv.DictReader(io.StringIO(body.decode(), newline="")))
    rows: list[Row] = [
        {name: int(row[name]) if name in numeric else row[name] for name in params.features.names}
        for row in read
    ]
    recorded: Array = np.array([float(row[params.features.target]) for row in read])
    return rows, recorded


def scored(recorded: Array, predicted: Array, average: float) -> Scores:
    """Score predictions (n,) against recorded scores (n,), and the plain average beside them.

    average: of the training rows' scores; R² is 1 - squared errors / squared deviations from the
    held-out rows' own mean, as in scikit-learn, so the plain average's is at most 0.
    """
    errors = predicted - recorded
    return Scores(
        rows=len(recorded),
        rmse=_root_mean_square(errors),
        mae=float(np.abs(errors).mean()),
        r2=float(1 - (errors**2).sum() / ((recorded - recorded.mean()) ** 2).sum()),
        average_rmse=_root_mean_square(recorded - average),
    )


def compared(predicted: Array, expected: Array, params: Params) -> Parity:
    """Compare ONNX's answers (n,) with scikit-learn's (n,), row by row."""
    largest = float(np.abs(predicted - expected).max())
    return Parity(max_error=largest, holds=largest <= params.gate.max_parity_error)


def _root_mean_square(values: Array) -> float:
    return float(np.sqrt((values**2).mean()))
