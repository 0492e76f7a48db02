"""POST /approvals/{execution}: somebody whom IAM knows decides on a candidate that waits.

There is no other method: what a link, a mail scanner or a browser fetches ahead decides nothing.
"""

from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from clinical import api, telemetry
from clinical.approvals import Approvals, decide
from clinical.deciding import DECISIONS, Decided, ToldDecision, caller_of
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

SECONDS = 6.0  # for all that a request asks of S3; the function has 15

# What a client may know of why something cannot be read or kept: no bucket and no key.
REASONS: dict[type[ClinicalError], str] = {
    StorageUnavailable: "S3 does not answer as it should for {what}; ask again soon.",
    StorageDenied: "S3 denies this function {what}; its role and the bucket's policy must allow "
    "reading under approvals/, and writing decisions there.",
    ArtefactCorrupted: "{what} cannot be used: a file is corrupted in S3; restore the earlier "
    "version of the object.",
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
    summary="Approve of a candidate that waits, or reject it; signed by who decides",
    responses=api.answers(Decided, 400, 404, 409, 413, 415, 422, 500, 503)
    | api.forbidden("Without a caller whom IAM knows and lets decide, or without a key"),
    security=[{"sigv4": []}],
)
def decide_on(execution: str, told: ToldDecision) -> Decided:
    who = caller_of(app.current_event.request_context.get("identity"))
    if who is None:
        raise CallerUnknown(
            "Whoever decides has to be known: sign the request (AWS Signature Version 4)."
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
                "The decision is kept, but Step Functions does not answer as it should, and the "
                "execution may wait on; decide so once more, and it is told again."
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
