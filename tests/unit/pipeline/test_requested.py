"""The last requests among captured predictions, and no more of the captures than they take."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from clinical.captured import Captured
from clinical.captures import Captures
from clinical.obstore_bucket import ObstoreBucket
from clinical.params import params
from requested import newest

from tests.captures import capture
from tests.predictions import predictions

MONDAY = datetime(2026, 11, 23, 10, tzinfo=UTC)
TUESDAY = MONDAY + timedelta(days=1)


@pytest.fixture
def captures(store: ObstoreBucket) -> Captures:
    return Captures(store)


def asked(number: int, first: datetime, **of: Any) -> list[Captured]:
    """Requests a minute apart, none of which explains another."""
    return [replace(one, explained=False, **of) for one in predictions(number, first, 60)]


def test_the_newest_come_first_and_those_of_another_day_last(captures: Captures) -> None:
    monday, tuesday = asked(5, MONDAY), asked(4, TUESDAY)
    capture(captures.bucket, [*monday, *tuesday])

    found = newest(captures, 6, params())

    assert found == [*reversed(tuesday), *reversed(monday[3:])]


def test_where_there_are_fewer_all_of_them_are_given(captures: Captures) -> None:
    capture(captures.bucket, asked(3, MONDAY))

    assert len(newest(captures, 10, params())) == 3


def test_without_captures_there_are_none(captures: Captures) -> None:
    assert newest(captures, 10, params()) == []


def test_no_day_is_read_that_is_not_needed(
    captures: Captures, monkeypatch: pytest.MonkeyPatch
) -> None:
    capture(captures.bucket, [*asked(5, MONDAY), *asked(4, TUESDAY)])
    read: list[date] = []
    of_day = Captures.of_day

    def noted(self: Captures, day: date) -> Iterator[Captured]:
        read.append(day)
        return of_day(self, day)

    monkeypatch.setattr(Captures, "of_day", noted)

    newest(captures, 4, params())

    assert read == [TUESDAY.date()]


def test_a_scored_file_and_requests_of_the_same_day_are_in_the_order_of_time(
    captures: Captures,
) -> None:
    requests, scored = asked(3, MONDAY), asked(3, MONDAY + timedelta(seconds=90), source="score")
    capture(captures.bucket, requests)
    capture(captures.bucket, scored, "score-one-1")

    assert newest(captures, 4, params()) == [scored[2], scored[1], requests[2], scored[0]]


def test_only_the_sources_that_params_name_are_requests(captures: Captures) -> None:
    compared = asked(3, MONDAY, source="compare")
    capture(captures.bucket, [*compared, *asked(2, TUESDAY)])

    assert len(newest(captures, 5, params())) == 2


def test_an_explanation_after_midnight_is_the_request_before_it(captures: Captures) -> None:
    (late,) = asked(1, datetime(2026, 11, 23, 23, 50, tzinfo=UTC))
    explained = replace(
        late,
        prediction_id="e" * 32,
        explained=True,
        predicted_at=late.predicted_at + timedelta(minutes=20),
    )
    earlier = asked(3, MONDAY)
    capture(captures.bucket, [*earlier, late, explained])

    assert newest(captures, 3, params()) == [late, earlier[2], earlier[1]]


def test_a_prediction_that_two_files_of_a_day_have_is_one_request(captures: Captures) -> None:
    twice = asked(2, MONDAY)
    capture(captures.bucket, twice)
    capture(captures.bucket, twice, "score-one-1")

    assert newest(captures, 5, params()) == twice[::-1]
