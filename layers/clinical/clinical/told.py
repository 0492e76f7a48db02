"""Request and response models of the outcomes function: reported outcomes, captured predictions."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from clinical.contract import PredictionInterval, Problem, Request, Response
from clinical.outcomes import Outcome
from clinical.params import Params, params

MOST = 1000  # outcomes in one body
GRACE = timedelta(days=1)  # "today" may be tomorrow in the client's time zone
ID = re.compile("[0-9a-f]{32}")
MOMENT = re.compile(
    "[0-9]{4}-[0-9]{2}-[0-9]{2}"
    "([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,9})?)?(Z|[+-][0-9]{2}:?[0-9]{2})?)?"
)
AN_ID = "32 hexadecimal digits, as returned with the prediction"
A_MOMENT = "a day, such as 2026-12-24, or a time in ISO 8601, such as 2026-12-24T09:30:00Z"
WAITS = (
    "No captured prediction has this id yet. Predictions are captured daily; the outcome waits "
    "until one has it."
)
TOLD_TWICE = (
    "Not kept: the same request has another outcome of this prediction that was observed later, "
    "or at the same time and comes after this one."
)

type Status = Literal["recorded", "waiting", "replaced", "superseded"]

_PARAMS = params()
_TARGET = _PARAMS.target.column


def id_of(text: str) -> str | None:
    """Parse an id in upper or lower case; None if it is not one."""
    said = text.lower() if text.isascii() else ""
    return said if ID.fullmatch(said) else None


def moment_of(text: str) -> datetime | None:
    """Parse a day, which means its beginning, or a time; without a zone it is UTC.

    None if it is neither. No other format is accepted, because 02/03 is ambiguous.
    """
    if not MOMENT.fullmatch(text):
        return None
    try:
        read = datetime.fromisoformat(text)
        return read.replace(tzinfo=read.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):  # such as 2026-02-30
        return None


def too_early(observed_at: datetime, predicted_on: date | None) -> bool:
    """Whether an outcome was observed before the day of its prediction, if that is known."""
    return predicted_on is not None and observed_at.date() < predicted_on


def in_the_future(observed_at: datetime, now: datetime) -> bool:
    return observed_at > now + GRACE


def target_field(params: Params) -> Any:  # noqa: ANN401 - what pydantic takes for a field's type
    """Return the type of an observed value: in the target's range, rounded like its column."""
    changed = {"nullable": False, "description": "The observed outcome"}
    return params.outcome.model_copy(update=changed).field


def _read_id(text: str) -> str:
    if (read := id_of(text)) is None:
        raise PydanticCustomError("prediction_id", f"Input should be {AN_ID}")
    return read


def _read_moment(value: object) -> object:
    if isinstance(value, str) and (read := moment_of(value)) is not None:
        return read
    raise PydanticCustomError("moment", f"Input should be {A_MOMENT}")


@dataclass(frozen=True)
class Became:
    """What was done with an outcome, given others of its prediction, in a sentence.

    is_new: whether it must be stored; a repeated report is stored already.
    """

    status: Status
    message: str
    is_new: bool = True


def became(
    told: Sequence[Outcome], known: Mapping[str, Outcome], captured: Collection[str]
) -> list[Became]:
    """Decide for each outcome of one report what to do with it.

    known: the outcomes that counted before. captured: ids of predictions that were captured.
    """
    last: dict[str, int] = {}
    for place, one in enumerate(told):
        before = last.get(one.prediction_id)
        if before is None or one.observed_at >= told[before].observed_at:
            last[one.prediction_id] = place
    return [
        _became(one, known.get(one.prediction_id), is_captured=one.prediction_id in captured)
        if last[one.prediction_id] == place
        else Became("superseded", TOLD_TWICE, is_new=False)
        for place, one in enumerate(told)
    ]


def _became(one: Outcome, before: Outcome | None, *, is_captured: bool) -> Became:
    waits = "" if is_captured else WAITS
    if before is None:
        return Became("recorded" if is_captured else "waiting", waits or "Recorded.")
    if (one.value, one.observed_at) == (before.value, before.observed_at):
        again = "Already recorded; nothing changed."
        return Became("recorded" if is_captured else "waiting", _both(again, waits), is_new=False)
    when = f"{before.observed_at:%Y-%m-%d}"
    if one.counts_over(before):
        return Became("replaced", _both(f"The outcome observed on {when} no longer counts.", waits))
    kept = f"Kept, but the outcome observed on {when} counts, because it was observed later."
    return Became("superseded", _both(kept, waits))


def _both(one: str, other: str) -> str:
    return f"{one} {other}".strip()


if TYPE_CHECKING:
    _Value = float
else:
    _Value = target_field(_PARAMS)


class ReportedOutcome(Request):
    """The observed outcome of one prediction."""

    prediction_id: Annotated[
        str,
        AfterValidator(_read_id),
        WithJsonSchema({"type": "string", "pattern": "^[0-9A-Fa-f]{32}$"}),
    ]
    value: Annotated[_Value, Field(alias=_TARGET)]
    observed_at: Annotated[
        datetime,
        BeforeValidator(_read_moment),
        WithJsonSchema(
            {
                "type": "string",
                "description": f"When it was observed: {A_MOMENT}",
                "examples": ["2026-12-24"],
            }
        ),
    ]


class ReportedOutcomes(Request):
    """Outcomes to record in one request; each is validated independently."""

    outcomes: Annotated[
        list[Any],
        Field(min_length=1, max_length=MOST),
        WithJsonSchema(
            {
                "type": "array",
                "items": ReportedOutcome.model_json_schema(),
                "minItems": 1,
                "maxItems": MOST,
            }
        ),
    ]


class RecordedOutcome(Response):
    """What was done with a reported outcome."""

    prediction_id: str
    status: Annotated[
        Status,
        Field(
            description="recorded; waiting: recorded, but no captured prediction has this id yet; "
            "replaced: recorded in place of an earlier outcome; superseded: another outcome, "
            "which was observed later, counts"
        ),
    ]
    message: str


class RecordedOutcomes(Response):
    """One entry per outcome, in request order: what was done with it, or what is wrong with it."""

    outcomes: tuple[RecordedOutcome | Problem, ...]


_Observed = Annotated[float, Field(serialization_alias=_TARGET, description="The observed outcome")]


class ObservedOutcome(Response):
    """The outcome that counts."""

    value: _Observed
    observed_at: datetime
    received_at: datetime


class CapturedPrediction(Response):
    """A captured prediction and its outcome."""

    prediction_id: str
    predicted_at: datetime
    features: Annotated[
        dict[str, Any], Field(description="The model's input; null for what was not given")
    ]
    score: Annotated[
        float,
        Field(serialization_alias=_TARGET, description="The predicted score, as served"),
    ]
    interval: PredictionInterval
    model_version: str
    averaged_over: Annotated[
        tuple[str, ...],
        Field(description="The columns that were not known; the score is the mean over them"),
    ]
    source: Annotated[
        Literal["predict", "batch", "compare", "score"],
        Field(description="The route that was used; `score` means a scored file"),
    ]
    outcome: ObservedOutcome | None
