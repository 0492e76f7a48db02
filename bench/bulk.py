"""`make bench-bulk`: what scoring a file costs beside ONNX Runtime alone, and scikit-learn.

One process scores the same synthetic rows in three ways, again and again: as a part of a file is
scored, from its bytes to the answers' bytes; by ONNX Runtime alone, from arrays that are there; and
by scikit-learn's own pipeline, from a DataFrame that is there. All on one thread, in CPU seconds.
"""

import argparse
import contextlib
import io
import time
from collections.abc import Callable
from pathlib import Path

import joblib
import pandas as pd
from clinical.artefacts import Artefact
from clinical.params import params
from retrain.encoding import table_of
from rich.console import Console
from rich.table import Table
from score.answering import Answering
from score.captured import Predictions
from score.known import format_named
from score.scoring import Scoring
from score.source import Source
from score.stages.score_part import model_of
from score.stages.split import split
from score.state import Details, Part
from score.texts import ROWS_AT_ONCE
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from bench.prices import lambda_usd, memory_of
from data.generate import as_csv, patients
from tests.pipeline import mirror, own_cloud, own_store, ran, retrain, rows_of

ROOT = Path(__file__).parent.parent
REPEATS = 3
MILLION = 1_000_000


def cpu_seconds(act: Callable[[], object], tries: int = REPEATS) -> float:
    """Give the least CPU time that something took, of some tries."""

    def once() -> float:
        began = time.process_time()
        act()
        return time.process_time() - began

    return min(once() for _ in range(tries))


def by_scikit_learn(pipeline: Pipeline, table: pd.DataFrame) -> None:
    """Predict rows (n, features) by a model as scikit-learn has it, so many at once as parts do."""
    for start in range(0, len(table), ROWS_AT_ONCE):
        pipeline.predict(table.iloc[start : start + ROWS_AT_ONCE])


def main() -> None:
    """Measure, and print what a million rows take, and cost on AWS."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    rows = parser.parse_args().rows
    text = as_csv(patients(rows, seed=5))
    sample = (ROOT / "data/sample.csv").read_bytes()
    with own_cloud() as bucket, own_store() as store, threadpool_limits(1):
        client = bucket.client
        with contextlib.redirect_stdout(io.StringIO()):
            client.put_object(Bucket="raw", Key="raw/sample.csv", Body=sample)
            trained = retrain("train")["trained"]
            mirror(bucket, store)
            client.put_object(Bucket="raw", Key="score/in/rows.csv", Body=text.encode())
            divided = ran(split, "score", {"given": {"score": "score/in/rows.csv"}})
        details = Details.model_validate_json(
            bucket.get(Artefact(**divided["plan"]["details"]).key).body
        )
        model = model_of(details.champion)
        pipeline = joblib.load(io.BytesIO(bucket.get(trained["model"]["key"]).body))
        raw = _Bytes(text.encode())
        parts = [Part(**part) for part in divided["parts"]]
        features = rows_of(text, params())
        columns, table = features.features(), table_of(features)

        def as_parts() -> None:
            for part in parts:
                scoring, file = Scoring(model), io.BytesIO()
                features, seed = params().features, details.seed
                with Predictions(file, features, seed, part.number) as predictions:
                    answering = Answering(scoring, params(), details.reading, predictions)
                    format_named("csv").answer(raw, part, details, answering, io.BytesIO())
                    predictions.end(scoring.values)

        def by_onnx_runtime() -> None:
            for start in range(0, rows, ROWS_AT_ONCE):
                some = slice(start, start + ROWS_AT_ONCE)
                model.scorer.score({name: column[some] for name, column in columns.items()})

        took = {
            "A part of a file, all of it": cpu_seconds(as_parts),
            "ONNX Runtime alone": cpu_seconds(by_onnx_runtime),
            "scikit-learn's pipeline alone": cpu_seconds(lambda: by_scikit_learn(pipeline, table)),
        }
    told(took, rows)


class _Bytes(Source):
    """A file that is there, so that no network is measured."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    @property
    def name(self) -> str:
        return "rows.csv"

    def range(self, start: int, end: int) -> bytes:
        return self._body[start:end]


def told(took: dict[str, float], rows: int) -> None:
    """Print a table, and the price of a million rows in Lambda at list prices."""
    table = Table("", "rows a CPU-second", "CPU-seconds a million", "of the part's")
    whole = next(iter(took.values()))
    for name, seconds in took.items():
        million = seconds / rows * MILLION
        table.add_row(name, f"{rows / seconds:,.0f}", f"{million:.1f}", f"{seconds / whole:.2f}")
    memory = memory_of("score.stages.score_part.score_part")
    cost = lambda_usd(whole / rows * MILLION, memory)
    console = Console()
    console.print(table)
    console.print(
        f"A million rows cost {cost:.4f} USD of Lambda at {memory} MB, one CPU "
        "each, and list prices; what S3 and Step Functions take for some ten parts is less."
    )


if __name__ == "__main__":
    main()
