"""Validate an execution's input, values as well as names; shared by the state machines."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, ClassVar

from clinical.errors import InputInvalid
from clinical.kinds import DAY
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    RootModel,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

FIRST_YEAR = 2000  # before it, there were no such systems
MAX_MOMENT = 64  # characters of a day or a time
MAX_KEY = 200  # characters of an upload's key, which the ledger repeats
SAID = {
    "extra_forbidden": "is unknown",
    "missing": "is missing",
    "value_error": "{error}",
    "string_too_long": "is longer than {max_length} characters",
    "string_too_short": "is empty",
    "string_pattern_mismatch": "should match {pattern}",
}


class Given(RootModel[JsonValue]):
    """An execution's raw input."""


def _not_null(value: object, read: ValidatorFunctionWrapHandler) -> Any:  # noqa: ANN401
    """Refuse null, which is not the same as leaving a member out."""
    if value is None:
        raise ValueError("is null; leave it out or give it a value")
    return read(value)


type Optional[T] = Annotated[T | None, WrapValidator(_not_null)]


class Asking(BaseModel):
    """A part of an input: strict, and no error repeats its content.

    SAID: error messages of their own for some members, by name.
    """

    SAID: ClassVar[dict[str, str]] = {}

    model_config = ConfigDict(
        strict=True, frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False
    )


class Object(Asking):
    """An uploaded object: a given version, or the current one."""

    key: Annotated[str, Field(min_length=1, max_length=MAX_KEY)]
    version_id: Annotated[str, Field(max_length=1024)] = ""


class Event(Asking):
    """EventBridge's data about an upload, which only its rule puts into an input."""

    id: Annotated[str, Field(min_length=1, max_length=200)]
    sequencer: Annotated[str, Field(pattern="^[0-9A-Fa-f]*$", max_length=64)]


def read_as[Input: Asking](kind: type[Input], asked: JsonValue, what_may_be: str) -> Input:
    """Validate an execution's input; raises InputInvalid, which names every invalid member.

    what_may_be: a sentence that describes valid inputs.
    """
    if not isinstance(asked, dict):
        raise InputInvalid(f"The input is not a JSON object. {what_may_be}")
    try:
        return kind.model_validate(asked)
    except ValidationError as error:
        raise InputInvalid(f"{_sentence(error, kind.SAID)} {what_may_be}") from error


def moment_of(member: str, said: str, now: datetime, what_may_be: str) -> datetime:
    """Parse the end of a period: a day, which means its end (UTC), or a time.

    A time without a zone is UTC; today ends now. Raises InputInvalid, which names the member and
    describes valid inputs.
    """
    try:
        if DAY.fullmatch(said):
            begins = datetime.combine(date.fromisoformat(said), time.min, UTC)
            until = begins + timedelta(days=1)
        else:
            until = datetime.fromisoformat(said)
            begins = until = until.replace(tzinfo=until.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InputInvalid(
            f"{member} is not a day or a time in ISO 8601 format. {what_may_be}"
        ) from error
    if begins > now:
        raise InputInvalid(f"{member} is in the future. {what_may_be}")
    if begins.year < FIRST_YEAR:
        raise InputInvalid(f"{member} is before {FIRST_YEAR}. {what_may_be}")
    return min(until, now)


def _sentence(error: ValidationError, of_members: dict[str, str]) -> str:
    """Name each invalid member and what is wrong with it, never its content."""
    wrong = {}
    for one in error.errors(include_input=False, include_url=False):
        name, said = str(one["loc"][0]), _said(one)
        if name in of_members:  # of a union, pydantic says what is wrong for each of its types
            wrong[name] = of_members[name]
        else:
            wrong[".".join(map(str, one["loc"]))] = said
    return "; ".join(f"{where} {what}" for where, what in wrong.items()) + "."


def _said(wrong: Any) -> str:  # noqa: ANN401 - pydantic's own
    if said := SAID.get(wrong["type"]):
        return said.format(**wrong.get("ctx", {}))
    return str(wrong["msg"]).replace("Input should be", "should be")
