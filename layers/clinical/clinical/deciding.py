"""Request and response models of the approvals function."""

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
        raise PydanticCustomError("blank", "Input should give a reason; the ledger keeps it")
    return said


def caller_of(identity: object) -> str | None:
    """Return the caller's ARN from the identity in a request's context; None if there is none.

    An ARN that is too long for the ledger is shortened in the middle.
    """
    arn = identity.get("userArn") if isinstance(identity, dict) else None
    if not isinstance(arn, str) or not arn.strip():
        return None
    half = MAX_WHO // 2
    return arn if len(arn) <= MAX_WHO else f"{arn[: half - 1]}…{arn[-half:]}"


class SubmittedDecision(Request):
    """A decision on a candidate that waits for approval, and its reason."""

    decision: Annotated[
        Literal["approve", "reject"], Field(description="Whether to promote the candidate")
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
                "description": "The reason; the ledger keeps it with the caller's name",
            }
        ),
    ]


class Decided(Response):
    """The decision that counts, and the candidate it is about."""

    execution: str
    version: str
    decision: Literal["approved", "rejected"]
    who: Annotated[str, Field(description="The caller's ARN, as reported by IAM")]
    why: str
    decided_at: datetime
