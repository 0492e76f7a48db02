"""Check whether the newest upload was trained on: an event may be lost, and a run may fail.

EventBridge does not report events that it never received, and an alarm on failed executions is
silent if none was started. Therefore this checks from the other end: what was uploaded.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from clinical import telemetry
from clinical.boto3_bucket import Boto3Bucket, s3_client
from clinical.environment import environment
from clinical.upload import Upload
from handled import Claim, Handled
from machines import execution_arn, stepfunctions
from stage import RawBucket, artefacts_bucket

STARTS_WITHIN = timedelta(minutes=15)  # after which an event is late enough to be told
FORGOTTEN = "EXPIRED"  # Step Functions keeps an execution for 90 days


@telemetry.logger().inject_lambda_context(clear_state=True)
@telemetry.leaves_a_line
def watch(_event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Count the newest upload as waiting unless an execution on it has succeeded or is running.

    An execution that waits for approval is running, and the approvers have been notified.
    """
    raw = RawBucket(Boto3Bucket(s3_client(), environment().raw_bucket))
    upload = newest(raw)
    claim = Handled(artefacts_bucket()).of(upload) if upload else None
    status = status_of(claim) if claim else None
    waits = upload is not None and is_waiting(upload, status, datetime.now(UTC))
    telemetry.add(telemetry.Metric.UPLOADS_WAITING, int(waits))
    return {"waiting": waits}


def newest(raw: RawBucket) -> Upload | None:
    """Return the newest upload."""
    key = raw.bucket.newest(raw.prefix)
    if key is None:
        return None
    source = raw.bucket.current(key)
    written = raw.bucket.written(source)
    return Upload(key=key, version_id=source.version_id, uploaded_at=written.at)


def is_waiting(upload: Upload, status: str | None, now: datetime) -> bool:
    """Whether an upload should have been trained on by now.

    status: of the execution that handles it, from Step Functions; None if there is none.
    """
    if status is None:
        return now - upload.uploaded_at > STARTS_WITHIN
    return status not in {"RUNNING", "SUCCEEDED", "PENDING_REDRIVE", FORGOTTEN}


def status_of(claim: Claim) -> str:
    """Return the status of the execution that handles an upload, from Step Functions."""
    arn = execution_arn(environment().state_machine_arn, claim.execution)
    client = stepfunctions()
    try:
        return client.describe_execution(executionArn=arn)["status"]
    except client.exceptions.ExecutionDoesNotExist:
        return FORGOTTEN
