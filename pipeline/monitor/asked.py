"""Validate the input of a run of the monitor."""

from datetime import datetime
from typing import Annotated

from asking import MAX_MOMENT, Asking, Optional, moment_of, read_as
from pydantic import Field, JsonValue

WHAT_MAY_BE = (
    'Valid inputs are {} for the window up to now, {"until": "2026-10-31"} for the window up to '
    'the end of that day (UTC), or {"until": "2026-10-31T12:00:00Z"} for a time.'
)


class Wanted(Asking):
    """An execution's input."""

    until: Optional[Annotated[str, Field(max_length=MAX_MOMENT)]] = None


def until_asked(asked: JsonValue, now: datetime) -> datetime | None:
    """Return the end of a run's window; None for now. A time without a zone is UTC.

    Raises InputInvalid, which says what is wrong and what is allowed.
    """
    said = read_as(Wanted, asked, WHAT_MAY_BE).until
    return None if said is None else moment_of("until", said, now, WHAT_MAY_BE)
