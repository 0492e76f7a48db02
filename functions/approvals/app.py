"""POST /approvals/{execution}: an IAM-authenticated caller decides on a waiting candidate.

There is no other method, so a link that a mail scanner or a browser prefetches decides nothing.
"""

from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from clinical import api, telemetry
from clinical.approvals import Approvals, decide
from clinical.deciding import DECISIONS, Decided, SubmittedDecision, caller_of
from clinical.environment import environment
from clinical.errors import (
    ArtefactCorrupted,
    CallerUnknown,
    ClinicalError,
    RecordsUnavailable,
    StorageDenied,
    StorageUnavailable,
)
from clinical.obstore_bucket import ObstoreBucket, s3_bucket
from clinical.registry import Approval

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

SECONDS = 6.0  # for all of a request's S3 calls; the function has 15

# The reasons that a client may see if something cannot be read or written: no bucket, no key.
REASONS: dict[type[ClinicalError], str] = {
    StorageUnavailable: "{what} cannot be reached because S3 is not responding properly; retry "
    "shortly.",
    StorageDenied: "S3 denies this function access to {what}; allow its role, and the bucket's "
    "policy, to read under approvals/ and to write decisions there.",
    ArtefactCorrupted: "{what} cannot be used because a file is corrupted in S3; restore the "
    "object's previous version.",
}

app = api.resolver()


@cache
def bucket() -> ObstoreBucket:
    return s3_bucket(environment().artifacts_bucket)


@cache
def stepfunctions() -> "SFNClient":
    return boto3.client(
        "stepfunctions",
        config=Config(connect_timeout=1, read_timeout=3, retries={"total_max_attempts": 1}),
    )


@app.post(
    "/approvals/<execution>",
    tags=["Approvals"],
    summary="Approve or reject a waiting candidate; the request must be signed",
    responses=api.answers(Decided, 400, 404, 409, 413, 415, 422, 500, 503)
    | api.forbidden("The caller is not authorised by IAM, or the API key is missing"),
    security=[{"sigv4": []}],
)
def decide_on(execution: str, told: SubmittedDecision) -> Decided:
    who = caller_of(app.current_event.request_context.get("identity"))
    if who is None:
        raise CallerUnknown(
            "A decision needs an identified caller: sign the request (AWS Signature Version 4)."
        )
    approval = Approval(
        decision=DECISIONS[told.decision],
        who=who,
        why=told.reason,
        decided_at=datetime.now(UTC),
    )
    approvals = Approvals(bucket().within(SECONDS))
    with api.needed("approvals", REASONS):
        try:
            waiting = decide(approvals, execution, approval, stepfunctions())
        except (BotoCoreError, ClientError) as error:
            raise RecordsUnavailable(
                "The decision is stored, but Step Functions is not responding properly and the "
                "execution may still be waiting; send the same decision again to resume it."
            ) from error
        stands = approvals.decision(execution) or approval
    telemetry.note(execution=execution, model_version=waiting.version, decision=stands.decision)
    return Decided(
        execution=execution,
        version=waiting.version,
        decision=DECISIONS[told.decision],
        who=stands.who,
        why=stands.why,
        decided_at=stands.decided_at,
    )


handler = api.lambda_handler(app)
