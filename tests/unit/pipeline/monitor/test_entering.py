"""Captures are written once each, whoever is killed, comes twice or at the same time."""

from datetime import date, timedelta
from functools import partial

import pytest
from clinical.artefacts import Bucket
from clinical.captured import new_ids
from clinical.captures import Captures
from monitor.entering import Found, enter, enter_requests

import tests.predictions
from tests.predictions import NOON

predictions = partial(tests.predictions.predictions, step=60, features={"Gender": None})


def test_what_was_entered_is_read_in_its_order(bucket: Bucket) -> None:
    captures, made = Captures(bucket), predictions(100, step=3600)

    new = enter(captures, reversed(made))

    assert new == 100
    assert list(captures.between(made[0].predicted_at, made[-1].predicted_at)) == made[:-1]


def test_what_is_entered_again_counts_once(bucket: Bucket) -> None:
    captures, made = Captures(bucket), predictions(10)

    counts = [enter(captures, part) for part in (made[:6], made, made)]

    assert counts == [6, 4, 0]
    assert list(captures.between(NOON, NOON + timedelta(days=1))) == made
    assert captures.manifest(NOON.date()).entries["requests"].predictions == 10


def test_a_prediction_is_found_by_its_id(bucket: Bucket) -> None:
    captures, made = Captures(bucket), predictions(200, step=3600)
    enter(captures, made)

    found = captures.find([made[7].prediction_id, made[190].prediction_id, new_ids(1)[0], "x"])

    assert found == {one.prediction_id: one for one in (made[7], made[190])}
    assert captures.days_of([made[190].prediction_id]) == {
        made[190].prediction_id: date(2026, 12, 1)
    }


def test_what_waits_on_the_disk_is_given_in_order_as_often_as_it_is_asked_for(
    memory: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.entering.SORTED_AT_ONCE", 7)
    made = predictions(100)

    with Found() as found:
        for one in sorted(made, key=lambda one: one.prediction_id):
            found.add(one)
        assert list(found) == list(found) == made
        assert enter_requests(Captures(memory), NOON.date(), found) == 100

    assert list(Captures(memory).between(NOON, NOON + timedelta(days=1))) == made
