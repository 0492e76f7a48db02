"""Validate the input of an execution that scores a file."""

from typing import Annotated

from asking import Asking, Event, Object, Optional, read_as
from clinical.errors import InputInvalid
from pydantic import BeforeValidator, JsonValue

from score.keys import IN

WHAT_MAY_BE = (
    'Valid inputs are {"score": "score/in/…"} for the newest version of a file, or '
    '{"score": {"key": "score/in/…", "version_id": "…"}} for a given one.'
)


def _as_object(asked: object) -> object:
    """Read a key without a version as the object's current version."""
    return {"key": asked} if isinstance(asked, str) else asked


class Wanted(Asking):
    """An execution's input, as far as it can be checked without S3."""

    score: Annotated[Object, BeforeValidator(_as_object)]
    event: Optional[Event] = None


def wanted(asked: JsonValue) -> Wanted:
    """Validate an execution's input; raises InputInvalid, which names every invalid member."""
    read = read_as(Wanted, asked, WHAT_MAY_BE)
    key = read.score.key
    if not key.startswith(IN) or key.endswith("/"):
        raise InputInvalid(f"score is not a file under {IN}. {WHAT_MAY_BE}")
    return read
