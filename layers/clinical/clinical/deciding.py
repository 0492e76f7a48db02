"""What a client decides on a waiting candidate: models of their own function alone."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from clinical.contract import Request, Response
from clinical.registry import MAX_WHO, MAX_WHY

DECISIONS: dict[str, Literal["approved", "rejected"]] = {
    "approve": "approved",
    "reject": "rejected",
}


def _not_blank(text: str) -> str:
    if not (said := text.strip()):
        raise PydanticCustomError("blank", "Input should say why: the ledger keeps it")
    return said


def caller_of(identity: object) -> str | None:
    """Name the caller as IAM does, by the identity of a request's context; None for nobody.

    An ARN that is too long for the ledger is cut in its midst.
    """
    arn = identity.get("userArn") if isinstance(identity, dict) else None
    if not isinstance(arn, str) or not arn.strip():
        return None
    half = MAX_WHO // 2
    return arn if len(arn) <= MAX_WHO else f"{arn[: half - 1]}…{arn[-half:]}"


class ToldDecision(Request):
    """What somebody decides on a candidate that waits, and why."""

    decision: Annotated[
        Literal["approve", "reject"], Field(description="Whether the candidate is to serve")
    ]
    reason: Annotated[
        str,
        Field(min_length=1, max_length=MAX_WHY),
        AfterValidator(_not_blank),
        WithJsonSchema(
            {
                "type": "string",
                "minLength": 1,
                "maxLength": MAX_WHY,
                "pattern": r"\S",
                "description": "Why; the ledger keeps it with the name of who decided",
            }
        ),
    ]


class Decided(Response):
    """The decision that stands, and on what."""

    execution: str
    version: str
    decision: Literal["approved", "rejected"]
    who: Annotated[str, Field(description="The ARN of the caller, as IAM knows it")]
    why: str
    decided_at: datetime
