"""The request path, timed beside the predecessor's.

The predecessor scores one row as a pandas DataFrame with
scikit-learn; that is timed here on the same forest and the same patient.
"""

import contextlib
import csv
import importlib.util
import io
import itertools
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType

os.environ["POWERTOOLS_SERVICE_NAME"] = "bench"

import joblib
import onnx
import pandas as pd
from clinical.artefacts import Artefact, Bucket, read_verified
from clinical.boto3_bucket import Boto3Bucket
from clinical.kinds import Value
from clinical.params import params
from clinical.registry import CARD, MODEL, REFERENCE, Registry, Version

from tests.pipeline import Context, mirror, own_cloud, own_store, retrain

ROOT = Path(__file__).parent.parent
RUNS = 3000
SAMPLE = ROOT / "data/sample.csv"


@dataclass(frozen=True)
class Timing:
    """Milliseconds that half, and all but one in a hundred, of the runs stayed under."""

    p50: float
    p99: float


def timed(act: Callable[[], object], runs: int = RUNS) -> Timing:
    """Time an act over many runs, after a few that do not count."""
    for _ in range(50):
        act()
    took = []
    for _ in range(runs):
        began = time.perf_counter()
        act()
        took.append((time.perf_counter() - began) * 1e3)
    cuts = statistics.quantiles(took, n=100)
    return Timing(p50=cuts[49], p99=cuts[98])


def paired(act: Callable[[], object], other: Callable[[], object], runs: int) -> tuple[Timing, ...]:
    """Time two acts by turns, so that both meet the same noise; the third are their differences."""
    took = []
    for run in range(-50, runs):
        began = time.perf_counter()
        act()
        between = time.perf_counter()
        other()
        if run >= 0:
            took.append((between - began, time.perf_counter() - between))
    return tuple(
        Timing(p50=cuts[49] * 1e3, p99=cuts[98] * 1e3)
        for one in (
            [first for first, _ in took],
            [second for _, second in took],
            [second - first for first, second in took],
        )
        for cuts in [statistics.quantiles(one, n=100)]
    )


def another_version(bucket: Bucket, champion: Version) -> str:
    """Publish the champion's forest once more under a name of its own, for it to be a shadow."""
    graph = onnx.load_from_string(read_verified(bucket, champion.model))
    graph.doc_string = "the same forest"
    files = {REFERENCE: read_verified(bucket, champion.reference), MODEL: graph.SerializeToString()}
    card = {CARD: read_verified(bucket, champion.card)}
    return (
        Registry(bucket)
        .publish(files, card, champion.verdict, champion.execution, champion.published_at)
        .version
    )


@contextlib.contextmanager
def trained() -> Iterator[tuple[Boto3Bucket, dict[str, dict[str, dict[str, str]]]]]:
    """Train on the sample with the real forest, in moto's S3."""
    with own_cloud() as bucket, contextlib.redirect_stdout(io.StringIO()):
        bucket.client.upload_file(str(SAMPLE), "raw", "raw/sample.csv")
        yield bucket, retrain("bench")


def patients_of_the_sample() -> list[dict[str, Value]]:
    """Read the patients of the sample as requests would describe them."""
    with SAMPLE.open(encoding="utf-8", newline="") as file:
        return [
            {name: kind.value(kind.canonical(row[name])) for name, kind in params().asked.items()}
            for row in csv.DictReader(file)
        ]


def predict_function() -> ModuleType:
    spec = importlib.util.spec_from_file_location("app", ROOT / "functions/predict/app.py")
    if spec is None or spec.loader is None:
        raise ImportError("functions/predict/app.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def time_requests() -> dict[str, Timing]:
    """Time requests through the handler, scoring alone, and the predecessor's scoring."""
    event = json.loads((ROOT / "events/predict.json").read_text())
    patient = json.loads(event["body"])
    row = params().features_of(patient)
    explained = {**event, "queryStringParameters": {"explain": "true"}}
    # Different patients: the branches of a patient who is repeated are all predicted right.
    patients = patients_of_the_sample()[: params().serving.max_batch_rows]
    explained_each = [{**explained, "body": json.dumps(one)} for one in patients]

    def batch_of(some: list[dict[str, Value]]) -> dict[str, object]:
        path = "/predict/batch"
        body = json.dumps({"patients": some})
        return {**event, "path": path, "resource": path, "body": body}

    batch, repeated = batch_of(patients), batch_of([patient] * len(patients))
    later = params().roles.known_after_treatment
    known = {name: value for name, value in patient.items() if name not in later}
    before = {**event, "body": json.dumps(known)}
    untreated = {name: value for name, value in known.items() if name not in params().compared}
    comparison = {
        **event,
        "path": "/compare",
        "resource": "/compare",
        "body": json.dumps({"patient": untreated}),
    }
    with trained() as (bucket, came_to), own_store() as store:
        mirror(bucket, store)
        function = predict_function()
        for asked in (event, explained, before, comparison, batch):
            answer = function.handler(asked, Context())
            if answer["statusCode"] != 200:  # noqa: PLR2004
                raise SystemExit(f"the handler answered {answer}")
        if answer["body"].count("prediction_id") != len(patients):
            raise SystemExit("the API refused a patient of the sample")
        champion = function.follower.current()
        scorer = champion.scorer
        alone, beside = function.shadow, function.Shadow(another_version(store, champion.champion))
        beside.look(store, champion)

        def ask(shadow: object, asked: dict[str, object]) -> None:
            function.shadow = shadow  # type: ignore[attr-defined]
            function.handler(asked, Context())

        shadowed = {
            what: paired(partial(ask, alone, asked), partial(ask, beside, asked), runs)
            for what, asked, runs in (
                ("a request", event, RUNS),
                ("a request, with what is known after treatment left out", before, RUNS),
                (f"a batch of {len(patients):,} patients", batch, 50),
            )
        }
        function.shadow = alone  # type: ignore[attr-defined]
        model = Artefact(**came_to["trained"]["model"])
        forest = joblib.load(io.BytesIO(read_verified(bucket, model)))
        others = itertools.cycle(explained_each)
        return {
            "handler: request to answer, metrics and log line included": timed(
                lambda: function.handler(event, Context())
            ),
            "its scoring: ONNX Runtime": timed(lambda: scorer.predict([row])),
            "handler with ?explain=true, another patient each time": timed(
                lambda: function.handler(next(others), Context()), runs=500
            ),
            "handler with ?explain=true, the same patient again": timed(
                lambda: function.handler(explained, Context()), runs=200
            ),
            "handler, with what is known after treatment left out": timed(
                lambda: function.handler(before, Context())
            ),
            "POST /compare: all treatments recorded with the condition": timed(
                lambda: function.handler(comparison, Context()), runs=300
            ),
            f"handler with a batch of {len(patients):,} patients": timed(
                lambda: function.handler(batch, Context()), runs=50
            ),
            f"handler with a batch of one patient, {len(patients):,} times": timed(
                lambda: function.handler(repeated, Context()), runs=50
            ),
            **{
                f"what a shadow of the same size adds to {what}": differences
                for what, (_, _, differences) in shadowed.items()
            },
            "the predecessor's scoring: scikit-learn and a DataFrame": timed(
                lambda: forest.predict(pd.DataFrame([row])), runs=100
            ),
        }
