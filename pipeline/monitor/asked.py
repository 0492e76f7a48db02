"""Read up to when a run is to look at predictions."""

from datetime import datetime
from typing import Annotated

from asking import MAX_MOMENT, Asking, Optional, moment_of, read_as
from pydantic import Field, JsonValue

WHAT_MAY_BE = (
    'An execution takes {} for up to now, {"until": "2026-10-31"} for up to the end of that day '
    '(UTC), or {"until": "2026-10-31T12:00:00Z"}.'
)


class Wanted(Asking):
    """The input of an execution."""

    until: Optional[Annotated[str, Field(max_length=MAX_MOMENT)]] = None


def until_asked(asked: JsonValue, now: datetime) -> datetime | None:
    """Read up to when a run is to look; None for up to now. A time without a zone is UTC.

    Raises InputInvalid, which says what is wrong and what may be.
    """
    said = read_as(Wanted, asked, WHAT_MAY_BE).until
    return None if said is None else moment_of("until", said, now, WHAT_MAY_BE)
