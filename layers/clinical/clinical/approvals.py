"""Who lets a candidate serve: what waits for somebody's approval, and what was decided.

approvals/<execution>.json           what waits, and the token that the execution waits for
approvals/<execution>/decision.json  what was decided, by whom and why; the first decision stays

The token wakes the execution, and decides nothing: what counts is the decision that is kept here.
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
    """A candidate that waits for somebody to approve of it.

    arn: of the execution.
    over: the sequence of the champion that it was judged against, 0 for none.
    who, why: of the nomination. because: why somebody has to approve of it, in sentences.
    token: that the execution waits for. until: when it stops waiting.
    verdict: the candidate's, as that execution judged it.
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

    They raise ArtefactCorrupted where a file is not as it was written.
    """

    def __init__(self, bucket: Bucket) -> None:
        self.bucket = bucket

    def ask(self, waiting: Waiting) -> None:
        """Keep what waits; a retry has another token, which takes the place of the one before."""
        self.bucket.put(_key(waiting.execution), sealed_json(waiting))

    def asked(self, execution: str) -> Waiting | None:
        """Give what an execution asked for, decided or not; None where it asked for nothing."""
        if not EXECUTION.fullmatch(execution):
            return None
        there = read_sealed(self.bucket, _key(execution), Waiting, "request for approval")
        return there and there[0]

    def decision(self, execution: str) -> Approval | None:
        """Give what was decided; None where nothing was yet."""
        there = read_sealed(self.bucket, _decision_key(execution), Approval, "decision")
        return there and there[0]

    def executions(self) -> list[str]:
        """Name the executions that ever asked, in the order of the alphabet."""
        keys = self.bucket.keys(FOLDER, ".json")
        names = [key.removeprefix(FOLDER).removesuffix(".json") for key in keys]
        return [name for name in names if "/" not in name]

    def waiting(self, now: datetime) -> list[Waiting]:
        """List what nobody decided on yet, what waits the longest first."""
        decided = {
            key.removeprefix(FOLDER).removesuffix(f"/{DECISION}")
            for key in self.bucket.keys(FOLDER, f"/{DECISION}")
        }
        found = [self.asked(name) for name in self.executions() if name not in decided]
        return sorted(
            (one for one in found if one and now < one.until), key=lambda one: one.asked_at
        )

    def decide(self, execution: str, approval: Approval) -> Approval:
        """Keep a decision, and give the one that stands: the first."""
        key = _decision_key(execution)
        try:
            self.bucket.put_new(key, sealed_json(approval))
        except PreconditionFailed:
            return self.decision(execution) or approval
        return approval


def decide(
    approvals: Approvals, execution: str, approval: Approval, states: "SFNClient"
) -> Waiting:
    """Decide on what waits, and wake its execution; deciding the same again wakes it again.

    A decision that nobody is woken by counts all the same: the execution looks for it when its time
    is over. Raises ApprovalUnknown, and ApprovalSettled where it was decided already and the
    execution went on, or otherwise, or where it waits no more.
    """
    waiting = approvals.asked(execution)
    if waiting is None:
        raise ApprovalUnknown(f"no execution {execution} ever asked for an approval")
    before = approvals.decision(execution)
    if before is None and approval.decided_at >= waiting.until:
        raise ApprovalSettled(
            f"{execution} waited until {waiting.until:%Y-%m-%d %H:%M} UTC and no longer; promote "
            f"{waiting.version} by name, or retrain"
        )
    stands = before or approvals.decide(execution, approval)
    if stands.decision != approval.decision:
        raise ApprovalSettled(f"{waiting.version} {stands.in_words}, and that stands")
    if _is_woken(approvals, waiting, stands, states):
        return waiting
    if stands != approval:
        raise ApprovalSettled(
            f"{waiting.version} {stands.in_words} already; to decide so again changes nothing"
        )
    status = status_of(waiting, states)
    if status not in {RUNNING, "SUCCEEDED"}:
        raise ApprovalSettled(
            f"{execution} is over ({status}), so that this decision changes nothing; promote "
            f"{waiting.version} by name, or retrain"
        )
    return waiting


def status_of(waiting: Waiting, states: "SFNClient") -> str:
    """Ask Step Functions how the execution that waits stands; FORGOTTEN after three months."""
    try:
        return states.describe_execution(executionArn=waiting.arn)["status"]
    except states.exceptions.ExecutionDoesNotExist:
        return FORGOTTEN


def _is_woken(
    approvals: Approvals, waiting: Waiting, decided: Approval, states: "SFNClient"
) -> bool:
    """Wake an execution, by another token where it asked again meanwhile."""
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
