"""Turn a stage into a Lambda handler: parse inputs, check the cache, enter lineage, log a line.

A stage reads as its signature. This module provides the parameters of the types in `_GIVEN`. All
others are inputs: the state machine's payload has them by name, together with `execution`, the name
of the run.
"""

import inspect
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, wraps
from typing import Any, get_type_hints

from aws_lambda_powertools.utilities.typing import LambdaContext
from cache import Cache, fingerprint
from clinical import telemetry
from clinical.approvals import Approvals
from clinical.artefacts import Artefacts
from clinical.boto3_bucket import Boto3Bucket, s3_client
from clinical.environment import environment
from clinical.errors import ArtefactCorrupted
from clinical.params import Params, params
from clinical.registry import Registry
from handled import Handled
from lineage import Entry, Lineage
from pydantic import BaseModel

type Handler = Callable[[dict[str, Any], LambdaContext], dict[str, Any]]


@dataclass(frozen=True)
class RawBucket:
    """The bucket where data sets are uploaded, under `prefix`."""

    bucket: Boto3Bucket
    prefix: str = "raw/"


@dataclass(frozen=True)
class Run:
    """The current execution."""

    execution: str
    now: datetime
    lineage: Lineage


def stage[Output: BaseModel](
    *, cached: bool = True, entered: bool = True
) -> Callable[[Callable[..., Output]], Handler]:
    """Make a Lambda handler from a stage, which stays reachable as `handler.__wrapped__`.

    cached: whether equal inputs, parameters and code give an equal output, so that an earlier run's
    output can be reused; not for a stage that reads or changes external state.
    entered: whether it has an entry in the run's lineage; not for a stage that runs many times in
    parallel, whose entries would wait for each other.
    """

    def decorate(function: Callable[..., Output]) -> Handler:
        hints = get_type_hints(function)
        output_type: type[Output] = hints.pop("return")
        input_types = {name: kind for name, kind in hints.items() if kind not in _GIVEN}
        given = {name: _GIVEN[kind] for name, kind in hints.items() if kind in _GIVEN}
        name = function.__name__

        def compute(run: Run, inputs: dict[str, BaseModel]) -> Output:
            return function(**inputs, **{key: give(name, run) for key, give in given.items()})

        @telemetry.logger().inject_lambda_context(clear_state=True)
        @telemetry.leaves_a_line
        @wraps(function)
        def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
            began = time.perf_counter()
            bucket, execution = artefacts_bucket(), event["execution"]
            run = Run(execution, datetime.now(UTC), Lineage(bucket, execution))
            inputs = {key: kind.model_validate(event[key]) for key, kind in input_types.items()}
            digest = fingerprint(name, inspect.getfile(function), inputs, params())
            entry = Entry(
                fingerprint=digest,
                started_at=run.now,
                inputs={key: value.model_dump() for key, value in inputs.items()},
            )
            answer = Cache(bucket).recall(name, digest, execution) if cached else None
            try:
                if answer:
                    output = output_type.model_validate(answer.output)
                else:
                    output = compute(run, inputs)
                    if cached:
                        Cache(bucket).remember(name, digest, execution, output)
                entry = entry.model_copy(
                    update={
                        "output": output.model_dump(),
                        "from_cache_of": answer and answer.execution,
                    }
                )
                return output.model_dump(mode="json")
            except Exception as error:
                entry = entry.model_copy(update={"error": type(error).__name__})
                telemetry.note(error=type(error).__name__)
                if isinstance(error, ArtefactCorrupted):
                    telemetry.count(telemetry.Metric.ARTEFACTS_REFUSED, stage=name)
                raise
            finally:
                if entered:
                    run.lineage.enter(name, entry, params().pipeline_digest)
                telemetry.record_stage(
                    name,
                    time.perf_counter() - began,
                    cached=answer is not None,
                    properties={"execution": execution, "request_id": context.aws_request_id},
                )

        stage_handler: Handler = handler
        return stage_handler

    return decorate


@cache
def artefacts_bucket() -> Boto3Bucket:
    return Boto3Bucket(s3_client(), environment().artifacts_bucket)


_GIVEN: dict[Any, Callable[[str, Run], Any]] = {
    Approvals: lambda _name, _run: Approvals(artefacts_bucket()),
    Handled: lambda _name, _run: Handled(artefacts_bucket()),
    Artefacts: lambda name, run: Artefacts(artefacts_bucket(), f"runs/{run.execution}/{name}"),
    Params: lambda _name, _run: params(),
    RawBucket: lambda _name, _run: RawBucket(Boto3Bucket(s3_client(), environment().raw_bucket)),
    Registry: lambda _name, _run: Registry(artefacts_bucket()),
    Run: lambda _name, run: run,
}
