"""Start each decided retrain once: `retrainings/` in the artefacts bucket.

retrainings/<sequence>-<ordinal>.json  a decision for a promotion, written before the start

The run that writes it first decides, so that two concurrent runs start the same execution. It is
written before the start, which can be repeated, because the name makes it one execution.
"""

import json
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

from clinical.artefacts import Bucket, read_sealed, sealed_json
from clinical.errors import MachineUnavailable, PreconditionFailed
from machines import asking_for, execution_arn

from monitor.retraining import Decision, Earlier, Found, Retraining, Status, decided, names

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

FOLDER, RECORD = "retrainings/", "retraining"
FORGOTTEN = timedelta(days=85)  # Step Functions knows an execution for 90 days
MOST_NAMES = 100  # of a date, that are tried
TRIES = 5  # to decide what others decide at the same time


class Retrainings:
    """The decided retrains. Methods raise the storage errors of `Bucket`.

    They raise ArtefactCorrupted if a record was altered, and MachineUnavailable.
    machine: the ARN of the state machine that retrains.
    """

    def __init__(self, bucket: Bucket, states: "SFNClient", machine: str) -> None:
        self.bucket = bucket
        self.states = states
        self.machine = machine

    def begin(self, found: Found, after: int, now: datetime) -> Decision:
        """Decide and start; return what was started, or why nothing was."""
        for _ in range(TRIES):
            every = self._every() if found.alarms and after else []
            earlier = [
                Earlier(one, self._status(one, now))
                for one in every
                if one.sequence == found.champion.sequence
            ]
            decision = decided(found, after, earlier, {one.execution for one in every}, now)
            if decision.starts is None:
                return decision
            try:
                return Decision(starts=self._started(decision.starts, found))
            except PreconditionFailed:
                continue
        raise PreconditionFailed(f"other runs decided first {TRIES} times")

    def _every(self) -> list[Retraining]:
        found = (
            read_sealed(self.bucket, key, Retraining, RECORD)
            for key in self.bucket.keys(FOLDER, ".json")
        )
        return sorted((one[0] for one in found if one), key=lambda one: (one.sequence, one.ordinal))

    def _status(self, record: Retraining, now: datetime) -> Status:
        """Return the status of a record's execution."""
        described = self._described(record.execution)
        if described and described["asked"] == record.asked:
            return "running" if described["status"] in {"RUNNING", "PENDING_REDRIVE"} else "ended"
        return "never_started" if now - record.decided_at < FORGOTTEN else "ended"

    def _started(self, record: Retraining, found: Found) -> Retraining:
        """Record a retrain and start it, under a name that no other cause uses."""
        key = f"{FOLDER}{record.sequence}-{record.ordinal}.json"
        there = read_sealed(self.bucket, key, Retraining, RECORD)
        if there is None:
            etag = self.bucket.put_new(key, sealed_json(record))
        elif there[0] == record:
            etag = there[1]
        else:
            raise PreconditionFailed(f"another run decided {key} in the meantime")
        for name in (record.execution, *islice(names(found.window), MOST_NAMES)):
            if name != record.execution:
                record = record.model_copy(update={"execution": name})
                etag = self.bucket.put_over(key, sealed_json(record), etag)
            if self._start(record):
                return record
        raise MachineUnavailable(
            f"all {MOST_NAMES} execution names of {found.window.date} are used"
        )

    def _start(self, record: Retraining) -> bool:
        """Start an execution, unless it was started before; False if another cause has its name."""
        with asking_for(self.machine):
            try:
                self.states.start_execution(
                    stateMachineArn=self.machine,
                    name=record.execution,
                    input=json.dumps(record.asked),
                )
            except self.states.exceptions.ExecutionAlreadyExists:
                described = self._described(record.execution)
                return described is not None and described["asked"] == record.asked
        return True

    def _described(self, name: str) -> dict[str, Any] | None:
        with asking_for(self.machine):
            try:
                found = self.states.describe_execution(
                    executionArn=execution_arn(self.machine, name)
                )
            except self.states.exceptions.ExecutionDoesNotExist:
                return None
        return {"status": found["status"], "asked": json.loads(found["input"])}
