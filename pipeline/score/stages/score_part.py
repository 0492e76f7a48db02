"""Score one part of a file."""

import tempfile
from functools import lru_cache
from typing import IO

from clinical.artefacts import Artefacts, canonical_json, sha256
from clinical.environment import environment
from clinical.obstore_bucket import s3_bucket
from clinical.params import Params
from clinical.registry import Champion
from model.loader import Model, load
from stage import RawBucket, Run, stage

from score.answering import Answering
from score.captured import PartPredictions, Predictions
from score.keys import counts_key, part_key, predictions_key
from score.known import format_named
from score.planned import details_of
from score.scoring import Scoring
from score.source import Source
from score.state import Part, Plan, Scored, Written

LOAD_SECONDS = 60.0  # for a model of some 100 MB
IN_MEMORY = 64 * 1024 * 1024  # bytes of an answer; more go through a file


@stage(cached=False, entered=False)
def score_part(  # noqa: PLR0913, PLR0917 - what is scored, by what, and where it goes
    plan: Plan,
    part: Part,
    raw: RawBucket,
    artefacts: Artefacts,
    run: Run,
    params: Params,
) -> Scored:
    """Write a part with its answers; a retry writes the same bytes."""
    details = details_of(plan, artefacts)
    source = Source(raw.bucket, plan.source, details.input.bytes)
    kind = format_named(details.input.format)
    scoring = Scoring(model_of(details.champion), decimal_commas=details.reading.decimal_commas)
    key = part_key(run.execution, part.number, kind.name)
    with (
        tempfile.SpooledTemporaryFile(IN_MEMORY) as out,
        tempfile.SpooledTemporaryFile(IN_MEMORY) as captured,
        Predictions(captured, params.features, details.seed, part.number) as predictions,
    ):
        answering = Answering(scoring, params, details.reading, predictions)
        kind.answer(source, part, details, answering, out)
        predictions.end(scoring.values)
        body = whole(out)
        raw.bucket.put(key, body)
        written = Written(key=key, rows=0, bytes=len(body), sha256=sha256(body))
        del body  # of two that may be large, one at a time
        counts = answering.counts(written)
        if predictions.number:
            body = whole(captured)
            entered = PartPredictions(
                key=predictions_key(run.execution, part.number),
                sha256=sha256(body),
                number=part.number,
                predictions=predictions.number,
            )
            artefacts.bucket.put(entered.key, body)
            counts = counts.model_copy(update={"predictions": entered})
    artefacts.bucket.put(counts_key(run.execution, part.number), canonical_json(counts))
    return Scored(
        number=part.number, rows=counts.rows, scored=counts.scored, refused=counts.refused
    )


def whole(file: IO[bytes]) -> bytes:
    """Read a file from its beginning."""
    file.seek(0)
    return file.read()


@lru_cache(maxsize=1)
def _loaded(champion_json: str) -> Model:
    bucket = s3_bucket(environment().artifacts_bucket).within(LOAD_SECONDS)
    return load(bucket, Champion.model_validate_json(champion_json))


def model_of(champion: Champion) -> Model:
    """Load a champion, once for all parts that this environment scores."""
    return _loaded(champion.model_dump_json())
