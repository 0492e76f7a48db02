"""Read up to when a run is to look at predictions."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated

from asking import Asking, Optional, read_as
from clinical.errors import InputInvalid
from clinical.kinds import DAY
from pydantic import Field, JsonValue

FIRST_YEAR = 2000  # before it, there were no such systems
WHAT_MAY_BE = (
    'An execution takes {} for up to now, {"until": "2026-10-31"} for up to the end of that day '
    '(UTC), or {"until": "2026-10-31T12:00:00Z"}.'
)


class Wanted(Asking):
    """The input of an execution."""

    until: Optional[Annotated[str, Field(max_length=64)]] = None


def until_asked(asked: JsonValue, now: datetime) -> datetime | None:
    """Read up to when a run is to look; None for up to now. A time without a zone is UTC.

    Raises InputInvalid, which says what is wrong and what may be.
    """
    said = read_as(Wanted, asked, WHAT_MAY_BE).until
    if said is None:
        return None
    try:
        if DAY.fullmatch(said):
            begins = datetime.combine(date.fromisoformat(said), time.min, UTC)
            until = begins + timedelta(days=1)
        else:
            until = datetime.fromisoformat(said)
            begins = until = until.replace(tzinfo=until.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InputInvalid(
            f"until is neither a day nor a time in ISO 8601. {WHAT_MAY_BE}"
        ) from error
    if begins > now:
        raise InputInvalid(f"until is in the future. {WHAT_MAY_BE}")
    if begins.year < FIRST_YEAR:
        raise InputInvalid(f"until is before {FIRST_YEAR}. {WHAT_MAY_BE}")
    return min(until, now)
