"""What was predicted is captured once each, whatever happens to a run."""

import io
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import override

import numpy as np
import pytest
from clinical.artefacts import Bucket, sealed_json, sha256
from clinical.captured import Captured
from clinical.captures import Captures
from clinical.params import params
from monitor import capturing
from monitor.capturing import Taken
from monitor.log import Log
from score.captured import Marker, PartPredictions, Predictions

from tests.predictions import NOON, predictions
from tests.unit.pipeline.monitor.clouds import Killed, Logs, MortalBucket, line_of, utc

NIGHT = utc(2026, 11, 26, 3)
DAY = timedelta(days=1)


def logged(made: list[Captured]) -> Logs:
    logs = Logs()
    for one in made:
        logs.put(one.predicted_at, line_of(one))
        logs.put(one.predicted_at, "END RequestId: 1")
    return logs


def run(bucket: Bucket, log: Log, until: datetime = NIGHT, *, by_hand: bool = False) -> Taken:
    return capturing.capture(Captures(bucket), log, until, params(), by_hand=by_hand)


def captured(bucket: Bucket) -> list[Captured]:
    """All that is captured, each of which the index must find."""
    captures = Captures(bucket)
    found = list(captures.between(utc(2020, 1, 1), utc(2030, 1, 1)))
    by_id = {one.prediction_id: one for one in found}
    assert len(by_id) == len(found)
    assert captures.find(by_id) == by_id
    assert captures.days_of(by_id) == {one.prediction_id: one.predicted_at.date() for one in found}
    return sorted(found, key=lambda one: (one.predicted_at, one.prediction_id))


def scored(bucket: Bucket, execution: str, at: datetime, parts: int = 2) -> list[str]:
    """Have a file be scored, five rows a part, and give the ids."""
    written, ids = [], []
    for number in range(parts):
        out, figures = io.BytesIO(), [np.full(5, figure) for figure in (6.5, 4.0, 8.0)]
        with Predictions(out, ["Age"], execution, number) as part:
            drawn, codes = part.ids(0, 5), {"Age": np.array([0, 1, 0, 1, 0])}
            part.enter(drawn, codes, figures, [("Side_Effects",)] * 5)
            part.end({"Age": [56, None]}.__getitem__)
        key, body = f"captures/scored/{execution}/{number:05}.npz", out.getvalue()
        bucket.put(key, body)
        written.append(PartPredictions(key=key, sha256=sha256(body), number=number, predictions=5))
        ids += [bytes(one).hex() for one in drawn]
    marker = Marker(
        execution=execution,
        scored_at=at,
        model_version="v-00000000",
        coverage=0.9,
        parts=tuple(written),
    )
    bucket.put(f"captures/scored/{execution}.json", sealed_json(marker))
    return ids


def test_every_request_of_the_log_is_captured(memory: Bucket) -> None:
    made = predictions(60)

    taken = run(memory, logged(made).log)

    assert taken == Taken(captured=60)
    assert captured(memory) == made
    assert Captures(memory).captured_until() == NIGHT


def test_an_empty_log_is_no_failure(memory: Bucket) -> None:
    assert run(memory, Logs().log) == Taken()
    assert captured(memory) == []
    assert Captures(memory).captured_until() == NIGHT


def test_a_second_run_captures_what_came_since_and_nothing_twice(memory: Bucket) -> None:
    first, later = predictions(60), predictions(10, NIGHT - timedelta(hours=2), 900)
    logs = logged(first)
    run(memory, logs.log)
    for one in later:
        logs.put(one.predicted_at, line_of(one))

    again = [run(memory, logs.log, NIGHT + DAY) for _ in range(2)]

    assert [one.captured for one in again] == [10, 0]
    assert captured(memory) == sorted(first + later, key=lambda one: one.predicted_at)


def test_a_run_reads_the_log_from_a_day_before_the_last_one_on(memory: Bucket) -> None:
    logs = logged(predictions(60))
    run(memory, logs.log)
    logs.asked.clear()

    run(memory, logs.log, NIGHT + DAY)

    assert min(one["startTime"] for one in logs.asked) == (NIGHT - DAY).timestamp() * 1000


def test_the_first_run_asks_once_of_a_day_without_lines(memory: Bucket) -> None:
    logs = logged(predictions(1, NIGHT - 60 * DAY))

    assert run(memory, logs.log).captured == 1
    assert len(logs.asked) <= 60 + 3


def test_what_happens_after_the_time_that_was_named_is_left_for_later(memory: Bucket) -> None:
    made = predictions(60)
    until = made[30].predicted_at

    assert run(memory, logged(made).log, until, by_hand=True).captured == 30
    assert captured(memory) == made[:30]
    assert run(memory, logged(made).log).captured == 30


def test_a_time_that_was_named_has_its_days_read_again_and_the_rest_stays(memory: Bucket) -> None:
    logs = logged(predictions(60))
    run(memory, logs.log)
    (told_late,) = predictions(1, NOON + timedelta(minutes=7))
    logs.put(told_late.predicted_at, line_of(told_late))

    assert run(memory, logs.log, NIGHT + DAY).captured == 0
    assert run(memory, logs.log, NOON + DAY, by_hand=True).captured == 1
    assert told_late in captured(memory)
    assert Captures(memory).captured_until() == NIGHT + DAY


def test_lines_that_cannot_be_read_are_told(memory: Bucket) -> None:
    made = predictions(3)
    logs = logged(made)
    logs.put(NOON, line_of(made[0])[:-30])
    logs.put(NOON, line_of(made[0]).replace("6.5", '"high"'))

    taken = run(memory, logs.log)

    assert captured(memory) == made
    (note,) = taken.notes()
    assert note == (
        "2 lines of the API's log with predictions could not be read: these predictions are not "
        "captured."
    )


def test_a_line_that_comes_twice_counts_once(memory: Bucket) -> None:
    made = predictions(3)
    logs = logged([*made, *made, replace(made[1], predicted_at=NOON + timedelta(hours=5))])

    assert run(memory, logs.log).captured == 3
    assert captured(memory) == made


def test_an_unknown_version_is_captured(memory: Bucket) -> None:
    made = [replace(one, model_version="v-of-yesteryear") for one in predictions(2)]

    run(memory, logged(made).log)

    assert captured(memory) == made


def test_a_scored_file_is_captured_once(memory: Bucket) -> None:
    ids = scored(memory, "one", NOON)

    counts = [run(memory, Logs().log).captured for _ in range(2)]

    assert counts == [10, 0]
    found = captured(memory)
    assert {one.prediction_id for one in found} == set(ids)
    assert {(one.source, one.predicted_at, one.averaged_over) for one in found} == {
        ("score", NOON, ("Side_Effects",))
    }
    assert sorted(Captures(memory).manifest(NOON.date()).entries) == [
        "score-one-00000",
        "score-one-00001",
    ]


def test_a_file_of_which_no_row_was_scored_is_nothing_to_capture(memory: Bucket) -> None:
    scored(memory, "one", NOON, parts=0)

    assert run(memory, Logs().log) == Taken()


def test_predictions_that_were_deleted_before_are_told(memory: Bucket) -> None:
    ids = scored(memory, "two", NOON)
    marker = Marker(
        execution="gone",
        scored_at=NOON,
        model_version="v-00000000",
        coverage=0.9,
        parts=(PartPredictions(key="runs/gone/0.npz", sha256="0" * 64, number=0, predictions=5),),
    )
    memory.put("captures/scored/gone.json", sealed_json(marker))

    taken = run(memory, Logs().log)

    assert {one.prediction_id for one in captured(memory)} == set(ids)
    assert list(taken.notes()) == [
        "1 scored file not captured, because the predictions had already been deleted."
    ]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("writes", range(20))
def test_a_run_that_was_killed_loses_and_doubles_nothing(
    memory: Bucket, writes: int, *, after: bool
) -> None:
    early, made = predictions(10, NOON - DAY), predictions(30)
    run(memory, logged(early).log, NOON)
    logs = logged(early + made)
    ids = scored(memory, "one", NOON)
    died = False

    try:
        run(MortalBucket(memory, writes, after=after), logs.log)
    except Killed:
        died = True
    run(memory, logs.log)

    assert died or writes > 16  # an index has no file of a digit that no id has
    found = captured(memory)
    assert [one for one in found if one.source == "predict"] == early + made
    assert {one.prediction_id for one in found if one.source == "score"} == set(ids)
    assert run(memory, logs.log) == Taken()


def test_a_run_of_one_day_that_was_killed_is_indexed_by_the_next(memory: Bucket) -> None:
    logs = logged(predictions(60, NOON - 30 * DAY))
    Captures(memory).move_watermark(NIGHT)

    with pytest.raises(Killed):
        run(MortalBucket(memory, 4), logs.log, NOON - 29 * DAY, by_hand=True)
    run(memory, logs.log)

    assert len(captured(memory)) == 24


class Contended(MortalBucket):
    """A bucket in which another run does all of its work before one of this run's writes."""

    def __init__(self, bucket: Bucket, writes: int, other: Callable[[], object]) -> None:
        super().__init__(bucket, writes)
        self.other = other

    @override
    def _count(self) -> None:
        self.writes -= 1
        if self.writes == -1:
            self.other()


@pytest.mark.parametrize("writes", range(0, 24, 2))
def test_two_runs_at_once_capture_each_prediction_once(memory: Bucket, writes: int) -> None:
    made = predictions(30)
    half, whole = logged(made[::2]), logged(made)
    ids = scored(memory, "one", NOON)

    contended = Contended(memory, writes, lambda: run(memory, whole.log))
    run(contended, half.log)
    assert contended.writes < 0 or writes > 16
    if contended.writes >= 0:
        run(memory, whole.log, NOON + 2 * DAY, by_hand=True)
    run(memory, whole.log)

    found = captured(memory)
    assert [one for one in found if one.source == "predict"] == made
    assert {one.prediction_id for one in found if one.source == "score"} == set(ids)


def test_equal_captures_are_equal_bytes(memory: Bucket) -> None:
    made = predictions(30)
    run(memory, logged(made).log)
    first = set(memory.keys("captures/2", ""))

    for key in memory.keys("captures/", "manifest.json"):
        memory.put(key, sealed_json(Captures(memory).manifest(NIGHT.date())))
    run(memory, logged(made).log, by_hand=True)

    assert first <= set(memory.keys("captures/2", ""))
