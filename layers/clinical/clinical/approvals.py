"""Approvals: which candidates wait for a decision, and what was decided.

approvals/<execution>.json           the request for approval, with the execution's task token
approvals/<execution>/decision.json  the decision, who made it and why; the first one is final

The token only resumes the execution; what counts is the decision that is stored here.
"""

import json
import re
from datetime import datetime
from typing import TYPE_CHECKING

from clinical.artefacts import Bucket, read_sealed, sealed_json
from clinical.errors import ApprovalSettled, ApprovalUnknown, PreconditionFailed
from clinical.frozen import Frozen
from clinical.registry import Approval
from clinical.verdict import Verdict

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

FOLDER = "approvals/"
DECISION = "decision.json"
RUNNING = "RUNNING"
FORGOTTEN = "FORGOTTEN"  # Step Functions keeps executions for 90 days
# As Step Functions has names of executions, and none that would be a folder of a key.
EXECUTION = re.compile(r"[^\s<>{}\[\]?*\"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]{1,80}")


class Waiting(Frozen):
    """A candidate that waits for approval.

    arn: of the execution.
    over: the sequence of the champion that it was judged against, 0 for none.
    who, why: of the nomination. because: why approval is required, in sentences.
    token: the execution's task token. until: when the execution stops waiting.
    verdict: the candidate's, from that execution.
    """

    execution: str
    arn: str
    version: str
    over: int
    who: str
    why: str
    because: tuple[str, ...]
    token: str
    asked_at: datetime
    until: datetime
    verdict: Verdict | None = None


class Approvals:
    """The approvals of an artefacts bucket. Methods raise the storage errors of `Bucket`.

    They raise ArtefactCorrupted if a file was altered since it was written.
    """

    def __init__(self, bucket: Bucket) -> None:
        self.bucket = bucket

    def ask(self, waiting: Waiting) -> None:
        """Store a request for approval; a retry's token replaces the previous one."""
        self.bucket.put(_key(waiting.execution), sealed_json(waiting))

    def asked(self, execution: str) -> Waiting | None:
        """Return an execution's request, decided or not; None if it made none."""
        if not EXECUTION.fullmatch(execution):
            return None
        there = read_sealed(self.bucket, _key(execution), Waiting, "request for approval")
        return there and there[0]

    def decision(self, execution: str) -> Approval | None:
        """Return the decision; None if there is none yet."""
        there = read_sealed(self.bucket, _decision_key(execution), Approval, "decision")
        return there and there[0]

    def executions(self) -> list[str]:
        """Name the executions that have requested approval, in alphabetical order."""
        keys = self.bucket.keys(FOLDER, ".json")
        names = [key.removeprefix(FOLDER).removesuffix(".json") for key in keys]
        return [name for name in names if "/" not in name]

    def waiting(self, now: datetime) -> list[Waiting]:
        """List open requests, the longest-waiting first."""
        decided = {
            key.removeprefix(FOLDER).removesuffix(f"/{DECISION}")
            for key in self.bucket.keys(FOLDER, f"/{DECISION}")
        }
        found = [self.asked(name) for name in self.executions() if name not in decided]
        return sorted(
            (one for one in found if one and now < one.until), key=lambda one: one.asked_at
        )

    def decide(self, execution: str, approval: Approval) -> Approval:
        """Store a decision, and return the one that counts: the first."""
        key = _decision_key(execution)
        try:
            self.bucket.put_new(key, sealed_json(approval))
        except PreconditionFailed:
            return self.decision(execution) or approval
        return approval


def decide(
    approvals: Approvals, execution: str, approval: Approval, states: "SFNClient"
) -> Waiting:
    """Decide on a request and resume its execution; repeating a decision resumes it again.

    A decision counts even if resuming the execution fails, because the execution looks for it when
    its waiting time is over. Raises ApprovalUnknown, and ApprovalSettled if the request was decided
    the other way, if the execution has already continued, or if the request is no longer open.
    """
    waiting = approvals.asked(execution)
    if waiting is None:
        raise ApprovalUnknown(f"no execution named {execution} has requested approval")
    before = approvals.decision(execution)
    if before is None and approval.decided_at >= waiting.until:
        raise ApprovalSettled(
            f"{execution} stopped waiting at {waiting.until:%Y-%m-%d %H:%M} UTC; promote "
            f"{waiting.version} by name, or retrain"
        )
    stands = before or approvals.decide(execution, approval)
    if stands.decision != approval.decision:
        raise ApprovalSettled(f"{waiting.version} {stands.in_words}; this is final")
    if _is_woken(approvals, waiting, stands, states):
        return waiting
    if stands != approval:
        raise ApprovalSettled(
            f"{waiting.version} {stands.in_words}; deciding the same again changes nothing"
        )
    status = status_of(waiting, states)
    if status not in {RUNNING, "SUCCEEDED"}:
        raise ApprovalSettled(
            f"{execution} has already ended ({status}), so this decision has no effect; promote "
            f"{waiting.version} by name, or retrain"
        )
    return waiting


def status_of(waiting: Waiting, states: "SFNClient") -> str:
    """Return the status of the waiting execution; FORGOTTEN after three months."""
    try:
        return states.describe_execution(executionArn=waiting.arn)["status"]
    except states.exceptions.ExecutionDoesNotExist:
        return FORGOTTEN


def _is_woken(
    approvals: Approvals, waiting: Waiting, decided: Approval, states: "SFNClient"
) -> bool:
    """Resume an execution, by a newer token if it has asked again in the meantime."""
    if _is_woken_by(waiting.token, decided, states):
        return True
    again = approvals.asked(waiting.execution)
    if again is None or again.token == waiting.token:
        return False
    return _is_woken_by(again.token, decided, states)


def _is_woken_by(token: str, decided: Approval, states: "SFNClient") -> bool:
    errors = states.exceptions
    try:
        states.send_task_success(taskToken=token, output=json.dumps({"decision": decided.decision}))
    except (errors.TaskDoesNotExist, errors.TaskTimedOut, errors.InvalidToken):
        return False
    return True


def _key(execution: str) -> str:
    return f"{FOLDER}{execution}.json"


def _decision_key(execution: str) -> str:
    return f"{FOLDER}{execution}/{DECISION}"
