"""The stages one after the other in this process, in the order of the state machine."""

import csv
import io
import os
import pickle
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

import boto3
import machines
import stage
from botocore.config import Config
from clinical import boto3_bucket, environment, obstore_bucket
from clinical.artefacts import Bucket
from clinical.boto3_bucket import Boto3Bucket
from clinical.obstore_bucket import ObstoreBucket
from clinical.params import Params
from columns import Column, dumped, loaded
from monitor import log
from monitor.stages.act import act
from monitor.stages.capture import capture
from monitor.stages.drift import drift
from monitor.stages.join_outcomes import join_outcomes
from monitor.stages.report import report
from moto import mock_aws
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.s3.models import S3Backend, s3_backends
from obstore.store import MemoryStore
from retrain.stages.admit import admit
from retrain.stages.annotate import annotate
from retrain.stages.choose import choose
from retrain.stages.close_approval import close_approval
from retrain.stages.cross_validate import cross_validate
from retrain.stages.document import document
from retrain.stages.evaluate import evaluate
from retrain.stages.extract_combinations import extract_combinations
from retrain.stages.ingest import ingest
from retrain.stages.learning_curve import learning_curve
from retrain.stages.list_candidates import list_candidates
from retrain.stages.preprocess import preprocess
from retrain.stages.promote import promote
from retrain.stages.publish import publish
from retrain.stages.replay import replay
from retrain.stages.request_approval import request_approval
from retrain.stages.train import train
from retrain.stages.validate import validate
from rows import Rows
from score.stages.score_part import score_part
from score.stages.split import split
from score.stages.summarise import summarise

# What the template tells the functions, with credentials that reach nothing.
ENVIRONMENT = {
    "ARTIFACTS_BUCKET": "artifacts",
    "RAW_BUCKET": "raw",
    "API_LOG_GROUP": "api",
    "ALLOWED_ORIGINS": "http://site.example,https://lab.example",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
}

_CLIENT: Callable[..., Any] = boto3.client
_CLIENTS: dict[tuple[str, str], Any] = {}
_ARTEFACTS_BUCKET = stage.artefacts_bucket  # before any test puts another in its place

type State = dict[str, Any]


@dataclass
class Context:
    """What Lambda tells a handler."""

    aws_request_id: str = "11111111-2222-3333-4444-555555555555"
    function_name: str = "function"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:function"


@contextmanager
def own_cloud() -> Iterator[Boto3Bucket]:
    """Give the artefacts bucket of an S3 in this process, with the environment that goes with it.

    The raw bucket is beside it, both are versioned and empty.
    """
    with own_environment(), mock_aws(), mock.patch.object(boto3, "client", _made_once):
        client = boto3.client("s3")
        for name in ("artifacts", "raw"):
            client.create_bucket(Bucket=name)
            client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        yield Boto3Bucket(client, "artifacts")


def _made_once(service: str, config: Config | None = None) -> Any:
    """Give a client of this process's cloud: to make one takes longer than most of what it asks."""
    which = service, repr(config and sorted(vars(config).items()))
    if which not in _CLIENTS:
        _CLIENTS[which] = _CLIENT(service, config=config)
    return _CLIENTS[which]


def held_by_the_cloud() -> bytes:
    """Copy all that the buckets of this process's cloud hold, versions and times included."""
    return pickle.dumps(_s3().buckets)


def hold(held: bytes) -> None:
    """Put what a cloud held into this process's, in place of what it holds."""
    _s3().buckets = pickle.loads(held)  # noqa: S301 - which the tests wrote


def _s3() -> S3Backend:
    backend: S3Backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
    return backend


@contextmanager
def own_store() -> Iterator[ObstoreBucket]:
    """Give the artefacts bucket that the functions serve from, in this process's memory."""
    store = MemoryStore()
    with own_environment(), mock.patch.object(obstore_bucket, "s3_store", return_value=store):
        yield ObstoreBucket(lambda: store, "artifacts")


@contextmanager
def own_state_machine() -> Iterator[str]:
    """Give the ARN of a state machine of this process's cloud, which the watch looks at."""
    arn: str = boto3.client("stepfunctions").create_state_machine(
        name="retrain", definition="{}", roleArn="arn:aws:iam::123456789012:role/machine"
    )["stateMachineArn"]
    with mock.patch.dict(os.environ, {"STATE_MACHINE_ARN": arn}):
        environment.environment.cache_clear()
        machines.stepfunctions.cache_clear()
        yield arn
    environment.environment.cache_clear()


@contextmanager
def own_log(lines: Sequence[str] = ()) -> Iterator[None]:
    """Give this process's cloud the API's log, with lines that were written just now."""
    client = boto3.client("logs")
    group = ENVIRONMENT["API_LOG_GROUP"]
    client.create_log_group(logGroupName=group)
    client.create_log_stream(logGroupName=group, logStreamName="one")
    if lines:
        now = int(time.time() * 1000)
        client.put_log_events(
            logGroupName=group,
            logStreamName="one",
            logEvents=[{"timestamp": now, "message": line} for line in lines],
        )
    log.logs_client.cache_clear()
    yield
    log.logs_client.cache_clear()


def rows_of(text: str | bytes, decisions: Params) -> Rows:
    """Give rows of a CSV in its canonical form, as the stages after `validate` read them."""
    lines = io.StringIO(text if isinstance(text, str) else text.decode(), newline="")
    header, *rows = csv.reader(lines)
    columns = zip(header, zip(*rows, strict=True), strict=True)
    return Rows(dumped({name: Column.of(cells) for name, cells in columns}), decisions)


def lines_of(body: bytes) -> list[str]:
    """Write the rows of a file between stages as lines of a CSV, the header first."""
    columns = loaded(body)
    rows = zip(*(column.rows for column in columns.values()), strict=True)
    return [",".join(cells) for cells in (columns, *rows)]


def score(execution: str, given: State) -> State:
    """Run the stages that score a file by their handlers, and return what each came to."""
    came_to: State = ran(split, execution, {"given": given})
    if came_to["plan"]["decision"] != "score":
        return came_to
    came_to["scored"] = [
        ran(score_part, execution, {"plan": came_to["plan"], "part": part})
        for part in came_to["parts"]
    ]
    number = {"plan": came_to["plan"], "parts": len(came_to["parts"])}
    came_to["summarised"] = ran(summarise, execution, number)
    return came_to


def mirror(bucket: Bucket, to: Bucket) -> None:
    """Copy the models, and who serves, from where they were published to where they serve."""
    for key in bucket.keys("models/", ""):
        to.put(key, bucket.get(key).body)


@contextmanager
def own_environment() -> Iterator[None]:
    """Set what functions are told by their environment, and let nothing outlive it."""
    with mock.patch.dict(os.environ, ENVIRONMENT):
        _forget_clients()
        yield
    _forget_clients()


def _forget_clients() -> None:
    """Let whoever comes next make its clients in its own environment."""
    environment.environment.cache_clear()
    boto3_bucket.s3_client.cache_clear()
    _ARTEFACTS_BUCKET.cache_clear()


def retrain(execution: str, given: State | None = None) -> State:
    """Run every stage by its handler, and return what each came to, under the state's names.

    What is measured beside the promotion is for `measure`; where it waits for an approval, it goes
    on by `resume`.
    """
    came_to: State = {"given": given or {}, "chosen": {}}

    def at(handler: Callable[..., State], *inputs: str) -> State:
        return ran(handler, execution, {name: came_to[name] for name in inputs})

    came_to["admitted"] = at(admit, "given")
    if came_to["admitted"]["decision"] != "retrain":
        return came_to
    came_to["ingested"] = at(ingest, "admitted")
    came_to["validated"] = at(validate, "ingested")
    came_to["combined"] = at(extract_combinations, "validated")
    came_to["preprocessed"] = at(preprocess, "validated")
    if came_to["admitted"]["tune"]:
        came_to["asked"] = {"tune": came_to["admitted"]["tune"]}
        listed = at(list_candidates, "asked")
        tried = []
        for hyperparameters in listed["candidates"]:
            came_to["candidate"] = {"hyperparameters": hyperparameters}
            tried.append(at(cross_validate, "candidate", "preprocessed"))
        came_to["tried"] = {"grid": listed["grid"], "candidates": tried}
        came_to["chosen"] = at(choose, "tried")
    came_to["trained"] = at(train, "validated", "preprocessed", "combined", "chosen")
    came_to["evaluated"] = at(evaluate, "preprocessed", "trained")
    came_to["before_replay"] = came_to["evaluated"]
    came_to["evaluated"] = at(replay, "preprocessed", "trained", "evaluated")
    if came_to["evaluated"]["verdict"]["decision"] == "rejected":
        return came_to
    came_to["nominated"] = at(
        publish,
        "admitted",
        "ingested",
        "validated",
        "preprocessed",
        "chosen",
        "trained",
        "evaluated",
    )
    if came_to["evaluated"]["verdict"]["decision"] == "withheld":
        return came_to
    if came_to["nominated"]["approval"]:
        arn = f"arn:aws:states:us-east-1:123456789012:execution:retrain:{execution}"
        came_to["waiting"] = {"token": f"the token of {execution}", "arn": arn}
        came_to["requested"] = at(request_approval, "nominated", "waiting")
        return came_to
    came_to["promoted"] = at(promote, "nominated")
    return came_to


def resume(execution: str, came_to: State) -> State:
    """Go on after an approval was waited for, whether somebody decided or not."""
    nominated = {"nominated": came_to["nominated"]}
    came_to = came_to | {"closed": ran(close_approval, execution, nominated)}
    if came_to["closed"]["decision"] == "approved":
        came_to["promoted"] = ran(promote, execution, nominated)
    return came_to


def measure(execution: str, came_to: State) -> State:
    """Measure the learning curve of what was trained, and annotate the version with it."""
    inputs = {name: came_to[name] for name in ("preprocessed", "chosen")}
    measured = {
        "measured": ran(learning_curve, execution, inputs),
        "published": {"version": came_to["nominated"]["version"]},
    }
    return measured | {"annotated": ran(annotate, execution, measured)}


def documented(execution: str, came_to: State) -> State:
    """Write the change-control page as of the promotion that a run came to."""
    made = {name: came_to["promoted"][name] for name in ("version", "sequence")}
    return {"made": made, "documented": ran(document, execution, {"made": made})}


def monitor(execution: str, given: State | None = None) -> State:
    """Run the stages of the monitor by their handlers, and return what each came to."""
    came_to: State = {"given": given or {}}

    def at(handler: Callable[..., State], *inputs: str) -> State:
        return ran(handler, execution, {name: came_to[name] for name in inputs})

    came_to["begun"] = at(capture, "given")
    if came_to["begun"]["decision"] == "nothing_serves":
        return came_to
    came_to["drifted"] = at(drift, "begun")
    came_to["joined"] = at(join_outcomes, "begun")
    came_to["reported"] = at(report, "begun", "drifted", "joined")
    came_to["acted"] = at(act, "begun", "drifted", "joined", "reported")
    return came_to


def ran(handler: Callable[..., State], execution: str, inputs: State) -> State:
    return handler({"execution": execution, **inputs}, Context())
