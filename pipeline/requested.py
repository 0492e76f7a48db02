"""Captured predictions as requests: each request once, and the newest of them."""

import heapq
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from clinical.captured import Captured
from clinical.captures import Captures
from clinical.params import Params

AGAIN = timedelta(hours=1)  # within which an explanation is of what was asked before
MOST_REMEMBERED = 100_000  # questions, of which an explanation may be


def asked(captures: Iterable[Captured], params: Params) -> Iterator[Captured]:
    """Yield the predictions that count as requests: from the sources in params.yaml, once each."""
    return asked_once(one for one in captures if one.source in params.monitoring.sources)


def asked_once(captures: Iterable[Captured]) -> Iterator[Captured]:
    """Drop explanations of requests within the previous hour, because the site sends both."""
    asked: dict[int, datetime] = {}
    for one in captures:
        if one.source == "predict":
            question = hash((one.model_version, *one.features.items()))
            if one.explained:
                before = asked.get(question)
                if before is not None and one.predicted_at - before <= AGAIN:
                    continue
            else:
                asked.pop(question, None)  # the newest stand last
                asked[question] = one.predicted_at
                if len(asked) > MOST_REMEMBERED:
                    del asked[next(iter(asked))]
        yield one


def newest(captures: Captures, number: int, params: Params) -> list[Captured]:
    """Return the last requests up to a number, newest first.

    Only the days that are needed are read, and no more is kept of a day than is needed.
    """
    found: list[Captured] = []  # the oldest first, as `asked_once` takes them
    for day in reversed(captures.days()):
        if len(found) >= number:
            break
        # A request before midnight may be explained after it, and would then be there twice.
        wanted = number - sum(not one.explained for one in found)
        of_day = heapq.nlargest(wanted, asked(captures.of_day(day), params), key=_when)
        found = list(asked_once([*reversed(of_day), *found]))[-number:]
    return found[::-1]


def _when(one: Captured) -> tuple[datetime, str]:
    return one.predicted_at, one.prediction_id
