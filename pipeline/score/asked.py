"""Read which file an execution is to score."""

from typing import Annotated

from asking import Asking, Event, Object, Optional, read_as
from clinical.errors import InputInvalid
from pydantic import BeforeValidator, JsonValue

from score.keys import IN

WHAT_MAY_BE = (
    'An execution takes {"score": "score/in/…"} for the newest version of a file, or '
    '{"score": {"key": "score/in/…", "version_id": "…"}}.'
)


def _as_object(asked: object) -> object:
    """Take a key alone for an object's current version."""
    return {"key": asked} if isinstance(asked, str) else asked


class Wanted(Asking):
    """The input of an execution, as far as it can be told without asking S3."""

    score: Annotated[Object, BeforeValidator(_as_object)]
    event: Optional[Event] = None


def wanted(asked: JsonValue) -> Wanted:
    """Read an execution's input; raises InputInvalid, which names every wrong member of it."""
    read = read_as(Wanted, asked, WHAT_MAY_BE)
    key = read.score.key
    if not key.startswith(IN) or key.endswith("/"):
        raise InputInvalid(f"score names no file under {IN}. {WHAT_MAY_BE}")
    return read
