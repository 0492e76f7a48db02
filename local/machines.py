"""The state machines, and what tells the uploads that start one from those that start another."""

import re
from dataclasses import dataclass
from typing import Any, override
from uuid import uuid4

from score.keys import IN

from local.cloud import CloudFailed
from local.stack import Stack

LONGEST_NAME = 100  # of an upload; the name is told on, and what it is told in has limits
UNFIT_FOR_A_KEY = re.compile(r"[^\w.()' -]")  # S3 takes more, but not every tool does
NEWEST = "the newest upload"
PREFIX = re.compile(r"^[0-9a-f]{8}-")  # which tells an upload from others of the same name


@dataclass(frozen=True)
class Machine:
    """A state machine.

    output: of the stack, which says where the machine is.
    does: what it does to what it was started for.
    takes_reasons: whether an execution's input may say who started it, and why.
    """

    name: str
    output: str
    does: str
    takes_reasons: bool

    def is_in(self, stack: Stack) -> bool:
        """Whether a stack has it, which one of an earlier release may not."""
        return bool(getattr(stack.outputs, self.output))

    def arn(self, stack: Stack) -> str:
        """Find it in a stack; raises CloudFailed where an earlier release deployed that."""
        arn: str = getattr(stack.outputs, self.output)
        if not arn:
            raise CloudFailed(
                f"the stack {stack.outputs.stack_name} has no state machine `{self.name}`: an "
                "earlier release deployed it, and `make up` deploys this one"
            )
        return arn

    def asked(self, said: dict[str, Any]) -> str:
        """Name what an execution was started for, by its input."""
        return f"up to {said['until']}" if "until" in said else "up to now"


@dataclass(frozen=True)
class UploadMachine(Machine):
    """A state machine that uploads start.

    folder: of the uploads' bucket, in which a file starts it.
    member: of an execution's input, which says which upload it is for.
    keeps_names: whether a file's name is its key, so that its next upload is a newer version of it.
    """

    folder: str
    member: str
    keeps_names: bool

    def key(self, name: str) -> str:
        """Say where a file is uploaded to: under its own name, by the end of which it is known."""
        fit = fit_for_a_key(name)
        return f"{self.folder}{fit}" if self.keeps_names else f"{self.folder}{_new()}-{fit}"

    def told_name(self, key: str) -> str:
        """Give the name that a file was uploaded under."""
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
    does="training",
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
OUTCOMES = "outcomes/"  # of the uploads' bucket, where they wait for the monitor's next run
STARTED_BY_UPLOADS = (RETRAIN, SCORE)
MACHINES = {machine.name: machine for machine in (RETRAIN, SCORE, MONITOR)}


def fit_for_a_key(name: str) -> str:
    """Give a file's name as it is told in keys."""
    return UNFIT_FOR_A_KEY.sub("_", name)[-LONGEST_NAME:]


def _new() -> str:
    """Give what no other upload has before its name."""
    return uuid4().hex[:8]
