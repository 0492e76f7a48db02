"""Calls to Step Functions from stages."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from clinical.errors import MachineUnavailable

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


@cache
def stepfunctions() -> "SFNClient":
    return boto3.client("stepfunctions")


def execution_arn(machine: str, name: str) -> str:
    """Return the ARN of an execution of a state machine, whether it exists or not."""
    return f"{machine.replace(':stateMachine:', ':execution:')}:{name}"


@contextmanager
def asking_for(machine: str) -> Iterator[None]:
    """Translate Step Functions' errors into MachineUnavailable."""
    name = machine.rsplit(":", 1)[-1]
    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        raise MachineUnavailable(f"Step Functions answered {code} for {name}") from error
    except BotoCoreError as error:
        raise MachineUnavailable(
            f"Step Functions could not be reached for {name}: {type(error).__name__}"
        ) from error
