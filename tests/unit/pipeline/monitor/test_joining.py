from datetime import datetime, timedelta

import pytest
from clinical.captured import Captured
from clinical.captures import Captures
from clinical.monitored import Window
from clinical.obstore_bucket import ObstoreBucket
from clinical.outcomes import Outcome
from monitor import joining
from monitor.entering import enter
from monitor.joining import joined

from tests.unit.pipeline.monitor.made import BEGAN, VERSION, predictions

WINDOW = Window(
    date=(BEGAN + timedelta(days=40)).date(),
    since=BEGAN + timedelta(days=13),
    until=BEGAN + timedelta(days=41),
)
OBSERVED = BEGAN + timedelta(days=30)


def outcome(one: Captured, at: datetime = OBSERVED, **of: object) -> Outcome:
    told = {"value": 6.5, "observed_at": at, "received_at": at, "told_by": "api"}
    return Outcome.model_validate({"prediction_id": one.prediction_id, **told, **of})


@pytest.fixture
def captured() -> list[Captured]:
    return predictions(6)


@pytest.fixture
def captures(memory: ObstoreBucket, captured: list[Captured]) -> Captures:
    """The captures of those predictions, up to the window's end."""
    captures = Captures(memory)
    enter(captures, captured)
    captures.move_watermark(WINDOW.until)
    return captures


def by_id(*outcomes: Outcome) -> dict[str, Outcome]:
    return {one.prediction_id: one for one in outcomes}


def test_what_came_of_predictions_is_joined_the_newest_first(
    captures: Captures, captured: list[Captured]
) -> None:
    first, second, third = captured[:3]

    found = joined(
        by_id(
            outcome(first, OBSERVED),
            outcome(second, OBSERVED + timedelta(days=1), value=2.5),
            outcome(third, OBSERVED - timedelta(days=1)),
        ),
        captures,
        WINDOW,
        VERSION,
    )

    assert [one.prediction for one in found.came] == [second, first, third]
    assert [one.recorded for one in found.came] == [2.5, 6.5, 6.5]
    assert (found.unknown, found.waiting, found.notes) == (0, 0, ())


def test_outcomes_before_the_window_or_after_it_are_not_in_it(
    captures: Captures, captured: list[Captured]
) -> None:
    moment = timedelta(milliseconds=1)

    found = joined(
        by_id(
            outcome(captured[0], WINDOW.since - moment),
            outcome(captured[1], WINDOW.since),
            outcome(captured[2], WINDOW.until - moment),
            outcome(captured[3], WINDOW.until),
        ),
        captures,
        WINDOW,
        VERSION,
    )

    assert [one.prediction for one in found.came] == [captured[2], captured[1]]


def test_outcomes_of_another_version_are_told_and_left_out(
    captures: Captures, captured: list[Captured]
) -> None:
    found = joined(by_id(outcome(captured[0])), captures, WINDOW, "v-00000002")

    assert (found.came, found.notes) == ([], ("1 outcome of other versions' predictions.",))


def test_what_nobody_predicted_is_unknown_once_it_would_have_been_captured(
    captures: Captures, captured: list[Captured]
) -> None:
    elsewhere = Outcome(
        prediction_id="f" * 32,
        value=1.0,
        observed_at=OBSERVED,
        received_at=WINDOW.until - timedelta(hours=1),
        told_by="api",
    )
    just_now = elsewhere.model_copy(
        update={"prediction_id": "e" * 32, "received_at": WINDOW.until + timedelta(hours=1)}
    )

    found = joined(by_id(elsewhere, just_now), captures, WINDOW, VERSION)

    assert (found.unknown, found.waiting) == (1, 1)
    assert found.notes == (
        "1 outcome of predictions that were not captured.",
        "1 outcome of predictions that are not yet captured.",
    )


def test_where_nothing_was_captured_all_outcomes_wait(
    memory: ObstoreBucket, captured: list[Captured]
) -> None:
    found = joined(by_id(outcome(captured[0])), Captures(memory), WINDOW, VERSION)

    assert (found.came, found.unknown, found.waiting) == ([], 0, 1)


def test_an_outcome_from_before_its_prediction_is_left_out_but_not_for_its_zone(
    captures: Captures, captured: list[Captured]
) -> None:
    early = Window(date=BEGAN.date(), since=BEGAN - timedelta(days=9), until=WINDOW.until)
    days_before, a_day_before = BEGAN - timedelta(days=2), BEGAN - timedelta(days=1)

    found = joined(
        by_id(outcome(captured[0], days_before), outcome(captured[1], a_day_before)),
        captures,
        early,
        VERSION,
    )

    assert [one.prediction for one in found.came] == [captured[1]]
    assert found.notes == ("1 outcome left out: observed before the prediction.",)


def test_of_more_outcomes_than_are_looked_up_the_newest_are(
    captures: Captures, captured: list[Captured], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joining, "MOST_JOINED", 2)
    told = [outcome(one, OBSERVED + timedelta(days=day)) for day, one in enumerate(captured)]

    found = joined(by_id(*told), captures, WINDOW, VERSION)

    assert [one.prediction for one in found.came] == [captured[5], captured[4]]
    assert found.notes == ("Only the newest 2 of 6 outcomes are used.",)


def test_no_outcomes_are_none(captures: Captures) -> None:
    found = joined({}, captures, WINDOW, VERSION)

    assert (found.came, found.unknown, found.waiting, found.notes) == ([], 0, 0, ())
