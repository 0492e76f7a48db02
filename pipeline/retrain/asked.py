"""Validate an execution's input, values as well as names, before anything else is done."""

import re
from datetime import datetime
from typing import Annotated

from asking import MAX_MOMENT, Asking, Event, Object, Optional, moment_of, read_as
from clinical.errors import InputInvalid
from clinical.params import Params
from clinical.registry import MAX_WHY
from pydantic import AfterValidator, Field, JsonValue

PREVIOUS = "previous"
VERSION = re.compile(r"v-[0-9a-f]{8}")
WHAT_MAY_BE = (
    'Valid inputs are {} for the newest upload, or {"raw": {"key": "raw/…", "version_id": "…"}}, '
    'both optionally with "tune", "outcomes", "even_if_older", "who" and "reason"; or {"promote": '
    '"v-…"} with "who" and "reason". "outcomes" is true (up to now), false (none), or the time up '
    'to which they were observed: "2026-10-31" or "2026-10-31T12:00:00Z".'
)


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("is blank")
    return text.strip()


def _version(name: str) -> str:
    if name != PREVIOUS and not VERSION.fullmatch(name):
        raise ValueError(f'is not a version, such as v-0a1b2c3d, or "{PREVIOUS}"')
    return name


type Name = Annotated[str, Field(max_length=200), AfterValidator(_not_blank)]


class Wanted(Asking):
    """An execution's input, as far as it can be checked without S3."""

    SAID = {  # noqa: RUF012
        "tune": "must be true, false or the name of a grid",
        "outcomes": "must be true, false, or a day or time in ISO 8601 format",
    }

    raw: Optional[Object] = None
    event: Optional[Event] = None
    even_if_older: bool = False
    tune: bool | str = False
    outcomes: bool | Annotated[str, Field(max_length=MAX_MOMENT)] = False
    promote: Optional[Annotated[str, AfterValidator(_version)]] = None
    who: Optional[Name] = None
    reason: Optional[Annotated[str, Field(max_length=MAX_WHY), AfterValidator(_not_blank)]] = None


def wanted(asked: JsonValue, params: Params) -> Wanted:
    """Validate an execution's input; raises InputInvalid, which names every invalid member."""
    read = read_as(Wanted, asked, WHAT_MAY_BE)
    if wrong := _at_odds(read, params):
        raise InputInvalid(f"{wrong} {WHAT_MAY_BE}")
    return read


def outcomes_asked(read: Wanted, now: datetime) -> datetime | None:
    """Return the time up to which outcomes are trained on; None for no outcomes.

    Raises InputInvalid.
    """
    if isinstance(read.outcomes, str):
        return moment_of("outcomes", read.outcomes, now, WHAT_MAY_BE)
    return now if read.outcomes else None


def _at_odds(read: Wanted, params: Params) -> str | None:
    """Describe members that cannot be combined, or that this system cannot fulfil."""
    beside_promote = sorted(read.model_fields_set - {"promote", "who", "reason"})
    if read.promote and beside_promote:
        return f"promote does not train, so it cannot be combined with {', '.join(beside_promote)}."
    if read.event and read.raw is None:
        return "event needs an upload, but raw is missing."
    if isinstance(read.tune, str) and read.tune not in params.tuning.grids:
        grids = ", ".join(params.tuning.grids)
        return f"tune is not a grid in params.yaml; use true for the default, or {grids}."
    return None
