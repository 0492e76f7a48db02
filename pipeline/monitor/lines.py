"""Extract predictions from the API's log lines, one or many per request.

Most log lines are about something else and are skipped. A line with a prediction that cannot be
read is reported, because CloudWatch truncates long lines, and a release may have a bug.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any

from clinical.captured import Captured, Source
from clinical.captures import ID
from clinical.kinds import Value
from clinical.params import Params

CLAIM = '"prediction_id"'
SOURCES: dict[str, Source] = {
    "POST /predict": "predict",
    "POST /predict/batch": "batch",
    "POST /compare": "compare",
}
# The errors of a line that is not as the API writes it.
WRONG = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


class LineUnreadable(ValueError):
    """When a line mentions a prediction but does not contain all of it."""


def captured_in(message: str, at: datetime, params: Params) -> list[Captured]:
    """Return the predictions in a line, which are none for most lines.

    at: when the log received it, in UTC. Raises LineUnreadable.
    """
    if CLAIM not in message:
        return []
    try:
        line = json.loads(message)
        if "\\u" in message or not message.isascii():
            json.dumps(line, ensure_ascii=False).encode()  # half a surrogate pair is no text
        if line.get("status", HTTPStatus.OK) >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return []  # the prediction did not reach the client
        read = _compared if "compared" in line else _answered
        return list(read(line, SOURCES[line["route"]], at, params))
    except WRONG as error:
        raise LineUnreadable(type(error).__name__) from error


def _answered(
    line: Mapping[str, Any], source: Source, at: datetime, params: Params
) -> Iterator[Captured]:
    """Extract the predictions of a single answer or a batch."""
    ((_, scores),) = line["prediction"].items()
    ids, features, interval = line["prediction_id"], line["features"], line["interval"]
    lows, highs, coverage = interval["low"], interval["high"], interval["coverage"]
    if isinstance(ids, str):
        ids, scores, lows, highs = [ids], [scores], [lows], [highs]
        features = {name: [value] for name, value in features.items()}
    if any(len(values) != len(ids) for values in features.values()):
        raise ValueError("features have a different number of rows")
    for place, (one, score, low, high) in enumerate(zip(ids, scores, lows, highs, strict=True)):
        said = {name: _value(values[place]) for name, values in features.items()}
        yield _captured(line, source, at, params, one, said, (score, low, high, coverage))


def _compared(
    line: Mapping[str, Any], source: Source, at: datetime, params: Params
) -> Iterator[Captured]:
    """Extract the predictions of a comparison of treatments."""
    target = params.target.column
    for one in line["compared"]:
        told = dict(one)
        name, score, interval = (told.pop(key) for key in ("prediction_id", target, "interval"))
        said = {**line["features"], **told}
        features = {column: _value(said.pop(column, None)) for column in params.features}
        features |= {column: _value(value) for column, value in said.items()}
        figures = (score, interval["low"], interval["high"], line["coverage"])
        yield _captured(line, source, at, params, name, features, figures)


def _captured(  # noqa: PLR0913, PLR0917 - all that a line says of a prediction
    line: Mapping[str, Any],
    source: Source,
    at: datetime,
    params: Params,
    prediction_id: object,
    features: dict[str, Value],
    figures: tuple[object, object, object, object],
) -> Captured:
    """Validate what a line says about one prediction.

    figures: the score, the ends of its interval, and the interval's coverage.
    """
    score, low, high, coverage = map(_number, figures)
    return Captured(
        prediction_id=_id(prediction_id),
        predicted_at=at,
        source=source,
        model_version=_word(line["model_version"]),
        features=features,
        score=score,
        low=low,
        high=high,
        coverage=coverage,
        averaged_over=_averaged(features, params),
        explained=line.get("explained") is True,
    )


def _averaged(features: Mapping[str, Value], params: Params) -> tuple[str, ...]:
    """Name the unknown columns, which the score is averaged over."""
    later: Sequence[str] = params.roles.known_after_treatment
    return tuple(name for name in later if name in features and features[name] is None)


def _id(said: object) -> str:
    if not isinstance(said, str) or not ID.fullmatch(said):
        raise ValueError("not an id")
    return said


def _word(said: object) -> str:
    if not isinstance(said, str) or not said:
        raise ValueError("not a word")
    return said


def _number(said: object) -> float:
    if isinstance(said, bool) or not isinstance(said, int | float) or not math.isfinite(said):
        raise ValueError("not a number")
    return float(said)


def _value(said: object) -> Value:
    if isinstance(said, float) and not math.isfinite(said):
        raise ValueError("not a number")
    if said is None or isinstance(said, str | int | float):
        return said
    raise ValueError("not a feature's value")
