"""Read what an execution was asked for, values as well as names, before anything is done for it."""

import re
from typing import Annotated, Any

from clinical.errors import InputInvalid
from clinical.params import Params
from clinical.registry import MAX_WHY
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

PREVIOUS = "previous"
VERSION = re.compile(r"v-[0-9a-f]{8}")
MAX_KEY = 200  # characters of an upload's key, which the ledger repeats
SAID = {
    "extra_forbidden": "is unknown",
    "missing": "is missing",
    "value_error": "{error}",
    "string_too_long": "has more than {max_length} characters",
    "string_too_short": "is empty",
    "string_pattern_mismatch": "should match {pattern}",
}
WHAT_MAY_BE = (
    'An execution takes {} for the newest upload, or {"raw": {"key": "raw/…", "version_id": "…"}}, '
    'each with "tune", "even_if_older", "who" and "reason" as needed; or {"promote": "v-…"} with '
    '"who" and "reason".'
)


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("is blank")
    return text.strip()


def _version(name: str) -> str:
    if name != PREVIOUS and not VERSION.fullmatch(name):
        raise ValueError(f'is neither a version such as v-0a1b2c3d nor "{PREVIOUS}"')
    return name


def _not_null(value: object, read: ValidatorFunctionWrapHandler) -> Any:  # noqa: ANN401
    """Tell a member that is null from one that is not there."""
    if value is None:
        raise ValueError("is null; leave it out, or give it a value")
    return read(value)


type Optional[T] = Annotated[T | None, WrapValidator(_not_null)]
type Name = Annotated[str, Field(max_length=200), AfterValidator(_not_blank)]


class _Part(BaseModel):
    model_config = ConfigDict(
        strict=True, frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False
    )


class Object(_Part):
    """An uploaded object, by a version of it or else by its current one."""

    key: Annotated[str, Field(min_length=1, max_length=MAX_KEY)]
    version_id: Annotated[str, Field(max_length=1024)] = ""


class Event(_Part):
    """What EventBridge told of an upload; its rule alone puts it into an input."""

    id: Annotated[str, Field(min_length=1, max_length=200)]
    sequencer: Annotated[str, Field(pattern="^[0-9A-Fa-f]*$", max_length=64)]


class Wanted(_Part):
    """The input of an execution, as far as it can be told without asking S3."""

    raw: Optional[Object] = None
    event: Optional[Event] = None
    even_if_older: bool = False
    tune: bool | str = False
    promote: Optional[Annotated[str, AfterValidator(_version)]] = None
    who: Optional[Name] = None
    reason: Optional[Annotated[str, Field(max_length=MAX_WHY), AfterValidator(_not_blank)]] = None


def wanted(asked: JsonValue, params: Params) -> Wanted:
    """Read an execution's input; raises InputInvalid, which names every wrong member of it."""
    if not isinstance(asked, dict):
        raise InputInvalid(f"The input is not a JSON object. {WHAT_MAY_BE}")
    try:
        read = Wanted.model_validate(asked)
    except ValidationError as error:
        raise InputInvalid(f"{_sentence(error)} {WHAT_MAY_BE}") from error
    if wrong := _at_odds(read, set(asked), params):
        raise InputInvalid(f"{wrong} {WHAT_MAY_BE}")
    return read


def _at_odds(read: Wanted, given: set[str], params: Params) -> str | None:
    """Say what cannot be asked for together, or of this system."""
    beside_promote = sorted(given - {"promote", "who", "reason"})
    if read.promote and beside_promote:
        return f"promote trains nothing, so it cannot go with {', '.join(beside_promote)}."
    if read.event and read.raw is None:
        return "event tells of no upload: raw is missing."
    if isinstance(read.tune, str) and read.tune not in params.tuning.grids:
        grids = ", ".join(params.tuning.grids)
        return f"tune names a grid that params.yaml lacks: true takes its default, or {grids}."
    return None


def _sentence(error: ValidationError) -> str:
    """Name each wrong member, and what is wrong with it; never what it holds."""
    wrong = {
        ".".join(str(part) for part in one["loc"] if part not in ("bool", "str")): _said(one)
        for one in error.errors(include_input=False, include_url=False)
    }
    return "; ".join(f"{where} {what}" for where, what in wrong.items()) + "."


def _said(wrong: Any) -> str:  # noqa: ANN401 - pydantic's own
    if wrong["loc"][0] == "tune":
        return "is neither true, false nor the name of a grid"
    if said := SAID.get(wrong["type"]):
        return said.format(**wrong.get("ctx", {}))
    return str(wrong["msg"]).replace("Input should be", "should be")
