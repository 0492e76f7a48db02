"""Outcomes of predictions: record them, and look up a prediction with its outcome."""

from datetime import UTC, date, datetime
from functools import cache
from typing import get_args

from clinical import api, telemetry
from clinical.captured import Captured
from clinical.captures import Captures
from clinical.contract import PredictionInterval, Violation
from clinical.environment import environment
from clinical.errors import (
    ArtefactCorrupted,
    ArtefactMissing,
    ClinicalError,
    PredictionUnknown,
    RequestInvalid,
    StorageDenied,
    StorageUnavailable,
)
from clinical.obstore_bucket import ObstoreBucket, s3_bucket
from clinical.outcomes import Outcome, Outcomes
from clinical.params import params
from clinical.told import (
    AN_ID,
    CapturedPrediction,
    ObservedOutcome,
    RecordedOutcome,
    RecordedOutcomes,
    ReportedOutcome,
    ReportedOutcomes,
    Status,
    became,
    id_of,
    in_the_future,
    too_early,
)
from pydantic import ValidationError

SECONDS = 10.0  # for all of a request's S3 calls; API Gateway waits at most 29
BY_API = "api"
STATUSES: tuple[str, ...] = get_args(Status.__value__)

# The reasons that a client may see if something cannot be read or written: no bucket, no key.
REASONS: dict[type[ClinicalError], str] = {
    StorageUnavailable: "{what} cannot be reached because S3 is not responding properly; retry "
    "shortly.",
    StorageDenied: "S3 denies this function access to {what}; allow its role, and the bucket's "
    "policy, to read under captures/ and outcomes/ and to write under outcomes/.",
    ArtefactCorrupted: "{what} cannot be used because a file is corrupted in S3; restore the "
    "object's previous version.",
    ArtefactMissing: "{what} cannot be used because a file is missing from S3; restore it.",
}

app = api.resolver()


@cache
def bucket() -> ObstoreBucket:
    return s3_bucket(environment().artifacts_bucket)


@app.post(
    "/outcomes",
    tags=["Outcomes"],
    summary="Record outcomes of predictions; an invalid one does not fail the others",
    responses=api.answers(RecordedOutcomes, 400, 413, 415, 422, 500, 503),
)
def record(told: ReportedOutcomes) -> RecordedOutcomes:
    now, within = datetime.now(UTC), bucket().within(SECONDS)
    rows = [read(number, row, now) for number, row in enumerate(told.outcomes)]
    ids = {one.prediction_id for one in rows if isinstance(one, Outcome)}
    with api.needed("captured predictions", REASONS):
        days = Captures(within).days_of(ids)
    judged = [timely(number, one, days) for number, one in enumerate(rows)]
    outcomes = [one for one in judged if isinstance(one, Outcome)]
    with api.needed("recorded outcomes", REASONS):
        kept = Outcomes(within)
        came = became(outcomes, kept.find(ids) if ids else {}, days.keys())
        if new := [one for one, of_it in zip(outcomes, came, strict=True) if of_it.is_new]:
            kept.receive(new, now)
    refused = [one for one in judged if isinstance(one, RequestInvalid)]
    telemetry.note(
        outcomes={
            "refused": len(refused),
            **{status: sum(one.status == status for one in came) for status in STATUSES},
        }
    )
    problems = iter(api.problems_of(refused) if refused else [])
    answers = iter(
        RecordedOutcome(prediction_id=one.prediction_id, status=of_it.status, message=of_it.message)
        for one, of_it in zip(outcomes, came, strict=True)
    )
    return RecordedOutcomes(
        outcomes=tuple(
            next(answers) if isinstance(one, Outcome) else next(problems) for one in judged
        )
    )


@app.get(
    "/predictions/<prediction_id>",
    tags=["Outcomes"],
    summary="Look up a prediction and its outcome",
    responses=api.answers(CapturedPrediction, 404, 422, 500, 503),
)
def look_up(prediction_id: str) -> CapturedPrediction:
    one = id_of(prediction_id)
    if one is None:
        wrong = Violation(
            loc=("path", "prediction_id"), msg=f"Input should be {AN_ID}", type="prediction_id"
        )
        raise RequestInvalid([wrong])
    within = bucket().within(SECONDS)
    with api.needed("captured predictions", REASONS):
        captured = Captures(within).find([one]).get(one)
    if captured is None:
        raise PredictionUnknown(
            "No captured prediction has this id. Predictions are captured once a day, so one made "
            "today may not be found until tomorrow; old captures expire."
        )
    with api.needed("recorded outcomes", REASONS):
        outcome = Outcomes(within).find([one]).get(one)
    telemetry.note(model_version=captured.model_version, has_outcome=outcome is not None)
    return described(captured, outcome)


def read(number: int, row: object, now: datetime) -> Outcome | RequestInvalid:
    """Validate a reported outcome: return it, or what is wrong with it."""
    where = ("body", "outcomes", number)
    try:
        told = ReportedOutcome.model_validate(row)
    except ValidationError as error:
        return RequestInvalid(api.violations(error, where))
    if in_the_future(told.observed_at, now):
        return RequestInvalid([observed(where, "Input should not be in the future")])
    return Outcome(
        prediction_id=told.prediction_id,
        value=told.value,
        observed_at=told.observed_at,
        received_at=now,
        told_by=BY_API,
    )


def timely(
    number: int, row: Outcome | RequestInvalid, days: dict[str, date]
) -> Outcome | RequestInvalid:
    """Refuse an outcome that was observed before its prediction."""
    if isinstance(row, RequestInvalid) or not too_early(
        row.observed_at, day := days.get(row.prediction_id)
    ):
        return row
    wrong = f"Input should not be earlier than {day}, the day (UTC) of the prediction"
    return RequestInvalid([observed(("body", "outcomes", number), wrong)])


def observed(where: api.Location, wrong: str) -> Violation:
    return Violation(loc=(*where, "observed_at"), msg=wrong, type="out_of_range")


def described(captured: Captured, outcome: Outcome | None) -> CapturedPrediction:
    return CapturedPrediction(
        prediction_id=captured.prediction_id,
        predicted_at=captured.predicted_at,
        features=captured.features,
        score=captured.score,
        interval=PredictionInterval(
            low=captured.low, high=captured.high, coverage=captured.coverage
        ),
        model_version=captured.model_version,
        averaged_over=captured.averaged_over,
        source=captured.source,
        outcome=outcome
        and ObservedOutcome(
            value=outcome.value,
            observed_at=outcome.observed_at,
            received_at=outcome.received_at,
        ),
    )


handler = api.lambda_handler(app, body_limits={"POST /outcomes": params().serving.max_batch_bytes})
