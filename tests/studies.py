"""Studies other than the drug study: a params.yaml, rows, and a process that knows no other.

`ask` makes a layer of its own for a study, as the build does, trains on rows in a process that
has that layer, and asks the functions' own handlers. The process is forked from one that has
imported what others wrote, which takes longer than a small study, and nothing of ours.
"""

import contextlib
import io
import json
import multiprocessing
import shutil
import sys
import traceback
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent
TREES = 10
FORKED = multiprocessing.get_context("forkserver")
FORKED.set_forkserver_preload(
    [
        "aws_lambda_powertools.event_handler",
        "aws_lambda_powertools.metrics",
        "boto3",
        "joblib",
        "moto.s3.models",
        "obstore.store",
        "onnxruntime",
        "pandas",
        "pandera.pandas",
        "pytest_socket",
        "skl2onnx",
        "sklearn.compose",
        "sklearn.ensemble",
        "sklearn.inspection",
        "yaml",
    ]
)

type Json = dict[str, Any]


def study(columns: Json, target: Json, roles: Json | None = None, **changed: Json) -> str:
    """Write the params.yaml of a study: the drug study's decisions on a small forest."""
    decided = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    decided["model"]["n_estimators"] = TREES
    decided["serving"]["dropdown_keys"] = {}
    decided |= {"schema": columns, "target": target, "roles": roles or {}, **changed}
    return yaml.safe_dump(decided, allow_unicode=True, sort_keys=False)


def asked(
    method: str, path: str, body: object = None, *, explain: bool = False, function: str = "predict"
) -> Json:
    """Write a request to a function."""
    query = {"multiValueQueryStringParameters": {"explain": ["true"]}} if explain else {}
    return {"function": function, "method": method, "path": path, "body": body, "event": query}


@dataclass(frozen=True)
class Asked:
    """What came of a study: its stages' outputs, scores of all rows by both, and the answers.

    rows: the recorded rows as requests, with what is missing as null.
    """

    came_to: Json
    sklearn: list[float]
    onnx: list[float]
    reference: Json
    answers: list[Json]


def ask(folder: Path, text: str, rows: str, *requests: Json) -> Asked:
    """Train on rows, promote, and ask, all in a process that knows this study alone."""
    layer = folder / "layer" / "clinical"
    ignored = shutil.ignore_patterns("params.yaml", "__pycache__")
    shutil.copytree(ROOT / "layers/clinical/clinical", layer, ignore=ignored)
    (layer / "params.yaml").write_text(text, encoding="utf-8")
    (folder / "asked.json").write_text(json.dumps({"rows": rows, "requests": requests}))
    process = FORKED.Process(target=_answer_all, args=(folder,))
    process.start()
    process.join()
    assert process.exitcode == 0, (folder / "said.txt").read_text(encoding="utf-8")[-8000:]
    return Asked(**json.loads((folder / "answered.json").read_text(encoding="utf-8")))


def _answer_all(folder: Path) -> None:
    """Train and answer, and leave what goes wrong beside it; the process knows no study yet."""
    ours = [folder / "layer", ROOT / "layers/model", ROOT / "pipeline", ROOT]
    sys.path[:0] = map(str, ours)
    warnings.simplefilter("error", UserWarning)
    said = folder / "said.txt"
    with said.open("w", encoding="utf-8") as file, contextlib.redirect_stderr(file):
        try:
            _train_and_answer(folder)
        except BaseException:
            traceback.print_exc()
            raise


def _train_and_answer(folder: Path) -> None:
    # What stages and functions need is imported with the study's own layer, and nowhere else.
    import joblib  # noqa: PLC0415
    from clinical.params import PATH, params  # noqa: PLC0415
    from model.scorer import Scorer  # noqa: PLC0415
    from retrain.encoding import table_of  # noqa: PLC0415
    from rows import Rows  # noqa: PLC0415

    from tests.pipeline import Context, mirror, own_cloud, own_store, retrain  # noqa: PLC0415

    assert PATH.is_relative_to(folder)
    wanted = json.loads((folder / "asked.json").read_text(encoding="utf-8"))
    with own_cloud() as bucket, contextlib.redirect_stdout(io.StringIO()) as said:
        bucket.client.put_object(Bucket="raw", Key="raw/data.csv", Body=wanted["rows"].encode())
        try:
            came_to = retrain("one")
        except Exception:
            sys.stderr.write(said.getvalue())
            raise

        def read(stage: str, artefact: str) -> bytes:
            return bucket.get(came_to[stage][artefact]["key"]).body

        rows = Rows(read("validated", "dataset"), params())
        model = joblib.load(io.BytesIO(read("trained", "model")))
        onnx = read("trained", "onnx")
        reference = json.loads(read("trained", "reference"))
        with own_store() as store:
            mirror(bucket, store)
            answers = [_answer(one, Context()) for one in wanted["requests"]]
    answered = {
        "came_to": came_to,
        "sklearn": model.predict(table_of(rows)).tolist(),
        "onnx": Scorer(onnx).score(rows.features()).tolist(),
        "reference": reference,
        "answers": answers,
    }
    (folder / "answered.json").write_text(json.dumps(answered), encoding="utf-8")


def _answer(request: Json, context: Any) -> Json:
    from tests.unit.conftest import Api, load_function  # noqa: PLC0415

    module = load_function(request["function"])
    answer = Api(module, context)(
        request["method"], request["path"], request["body"], **request["event"]
    )
    return {"status": answer.status, "body": answer.body}
