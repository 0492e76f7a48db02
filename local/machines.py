"""The state machines, and which uploads start which of them."""

import re
from dataclasses import dataclass
from typing import Any, override
from uuid import uuid4

from score.keys import IN

from local.cloud import CloudFailed
from local.stack import Stack

LONGEST_NAME = 100  # of an upload; the name is passed on to places that have limits
UNFIT_FOR_A_KEY = re.compile(r"[^\w.()' -]")  # S3 accepts more, but not every tool does
NEWEST = "the newest upload"
PREFIX = re.compile(r"^[0-9a-f]{8}-")  # distinguishes uploads of the same name


@dataclass(frozen=True)
class Machine:
    """A state machine.

    output: the stack output with the machine's ARN.
    does: what it does, followed by an object.
    takes_reasons: whether an execution's input may say who started it, and why.
    """

    name: str
    output: str
    does: str
    takes_reasons: bool

    def is_in(self, stack: Stack) -> bool:
        """Whether a stack has it; an earlier release's stack may not."""
        return bool(getattr(stack.outputs, self.output))

    def arn(self, stack: Stack) -> str:
        """Return its ARN in a stack; raises CloudFailed if an earlier release deployed that."""
        arn: str = getattr(stack.outputs, self.output)
        if not arn:
            raise CloudFailed(
                f"the stack {stack.outputs.stack_name} has no state machine `{self.name}`, because "
                "an earlier release deployed it: run `make up` to update it"
            )
        return arn

    def asked(self, said: dict[str, Any]) -> str:
        """Describe what an execution was started for, from its input."""
        return f"up to {said['until']}" if "until" in said else "up to now"


@dataclass(frozen=True)
class UploadMachine(Machine):
    """A state machine that uploads start.

    folder: of the uploads' bucket, in which a file starts it.
    member: of an execution's input, with the upload that it is for.
    keeps_names: whether a file's name is its key, so that uploading it again makes a new version.
    """

    folder: str
    member: str
    keeps_names: bool

    def key(self, name: str) -> str:
        """Return the key for a file, which ends with the file's name."""
        fit = fit_for_a_key(name)
        return f"{self.folder}{fit}" if self.keeps_names else f"{self.folder}{_new()}-{fit}"

    def told_name(self, key: str) -> str:
        """Return the name that a file was uploaded under."""
        name = key.removeprefix(self.folder)
        return name if self.keeps_names else PREFIX.sub("", name)

    @override
    def asked(self, said: dict[str, Any]) -> str:
        """Name the upload that an execution was started for, by its input."""
        uploaded = said.get(self.member)
        return str(uploaded["key"] if isinstance(uploaded, dict) else uploaded or NEWEST)


RETRAIN = UploadMachine(
    name="retrain",
    folder="raw/",
    member="raw",
    output="state_machine_arn",
    does="training on",
    keeps_names=True,
    takes_reasons=True,
)
SCORE = UploadMachine(
    name="score",
    folder=IN,
    member="score",
    output="score_state_machine_arn",
    does="scoring",
    keeps_names=False,
    takes_reasons=False,
)
MONITOR = Machine(
    name="monitor",
    output="monitor_state_machine_arn",
    does="monitoring",
    takes_reasons=False,
)
OUTCOMES = "outcomes/"  # of the uploads' bucket; the monitor's next run reads them
STARTED_BY_UPLOADS = (RETRAIN, SCORE)
MACHINES = {machine.name: machine for machine in (RETRAIN, SCORE, MONITOR)}


def fit_for_a_key(name: str) -> str:
    """Return a file's name in the form for keys."""
    return UNFIT_FOR_A_KEY.sub("_", name)[-LONGEST_NAME:]


def _new() -> str:
    """Return a new prefix for an upload's name."""
    return uuid4().hex[:8]
