"""What counts of captures is found, checked before it is read, and indexed in any case."""

from datetime import date, timedelta
from functools import partial

import obstore
import pytest
from clinical.captured import new_ids
from clinical.captures import TRIES, Captures, Entry, _line_of
from clinical.errors import ArtefactCorrupted, ArtefactMissing, PreconditionFailed
from clinical.obstore_bucket import ObstoreBucket
from hypothesis import given
from hypothesis import strategies as st
from monitor.entering import enter, write_file

import tests.predictions
from tests.predictions import NOON

DAY = timedelta(days=1)


@pytest.fixture
def captures(store: ObstoreBucket) -> Captures:
    return Captures(store)


ODD = {"prediction_id": "0" * 32, "Größe": 'a "b", "c":"d"'}
predictions = partial(tests.predictions.predictions, features=ODD)


def test_nothing_is_captured_at_first(captures: Captures) -> None:
    assert list(captures.between(NOON - DAY, NOON + DAY)) == []
    assert captures.find(new_ids(3)) == {}
    assert captures.captured_until() is None
    captures.index()


def test_a_time_is_given_from_its_beginning_up_to_its_end(captures: Captures) -> None:
    made = predictions(60)
    enter(captures, made)

    assert list(captures.between(NOON, NOON + timedelta(hours=13))) == made[:13]
    elsewhere = timedelta(hours=5)
    since = made[20].predicted_at
    assert list(captures.between(since, since + elsewhere)) == made[20:25]


def test_what_is_in_two_files_is_given_once(captures: Captures) -> None:
    made = predictions(3)
    enter(captures, made)
    captures.enter(NOON.date(), {"score-x-00000": write_file(captures, NOON.date(), "x", made)})

    assert list(captures.between(NOON, NOON + DAY)) == made


def test_a_feature_that_looks_like_an_id_is_none(captures: Captures) -> None:
    made = predictions(30)
    enter(captures, made)

    assert captures.find(["0" * 32]) == {}
    assert captures.find([made[3].prediction_id]) == {made[3].prediction_id: made[3]}


def test_what_was_altered_is_refused(captures: Captures, store: ObstoreBucket) -> None:
    made = predictions(1)
    enter(captures, made)
    one = made[0].prediction_id
    for prefix in ("captures/2026-11-23/requests-", "captures/2026-11-23/m", "captures/ids/"):
        (key,) = store.keys(prefix, "")
        body = store.get(key).body
        store.put(key, body[:-2] + b"x" + body[-1:])

        with pytest.raises(ArtefactCorrupted):
            captures.find([one])
        store.put(key, body)

    assert one in captures.find([one])


def test_a_file_that_is_gone_is_told_unless_its_day_is_about_to_expire(
    captures: Captures, store: ObstoreBucket
) -> None:
    made = predictions(4 * 24)
    enter(captures, made)
    lost = captures.manifest(date(2026, 11, 26)).entries["requests"]
    expired = captures.manifest(date(2026, 11, 23)).entries["requests"]
    for entry in (lost, expired):
        _delete(store, entry.key)

    assert len(list(captures.between(NOON, NOON + 2 * DAY))) == 36
    with pytest.raises(ArtefactMissing):
        list(captures.between(NOON, NOON + 4 * DAY))


def test_the_index_forgets_days_that_expired(captures: Captures, store: ObstoreBucket) -> None:
    old = predictions(40, NOON - 400 * DAY)
    enter(captures, old)
    for day in captures.days():
        for key in store.keys(f"captures/{day}/", ""):
            _delete(store, key)

    enter(captures, predictions(300))

    assert captures.days_of({one.prediction_id for one in old}) == {}


def test_an_index_that_is_written_in_pieces_has_every_prediction(
    captures: Captures, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clinical.captures.INDEXED_AT_ONCE", 7)
    made = predictions(60)

    enter(captures, made)

    assert captures.find([one.prediction_id for one in made]) == {
        one.prediction_id: one for one in made
    }


def test_a_file_is_entered_once_under_its_name(captures: Captures) -> None:
    first, second = predictions(3), predictions(2)
    day = NOON.date()

    counts = [
        captures.enter(day, {"score-x-00000": write_file(captures, day, "x", made)})
        for made in (first, second)
    ]

    assert counts == [3, 0]
    assert list(captures.between(NOON, NOON + DAY)) == first


def test_a_file_does_not_take_the_place_of_one_that_it_was_not_made_of(captures: Captures) -> None:
    made, day = predictions(3), NOON.date()
    enter(captures, made)
    entry = Entry(key="captures/x", sha256="0" * 64, predictions=1)

    with pytest.raises(PreconditionFailed, match="another run captured"):
        captures.replace(day, "requests", None, entry)

    assert list(captures.between(NOON, NOON + DAY)) == made


def test_the_watermark_never_goes_back(captures: Captures) -> None:
    for until in (NOON, NOON - DAY, NOON + DAY, NOON):
        captures.move_watermark(until)

    assert captures.captured_until() == NOON + DAY


def test_what_others_move_again_and_again_is_given_up(
    captures: Captures, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = []

    def moved(*_: object) -> str:
        tries.append(1)
        raise PreconditionFailed

    monkeypatch.setattr(ObstoreBucket, "put_new", moved)

    with pytest.raises(PreconditionFailed, match="was changed by other runs 20 times"):
        captures.move_watermark(NOON)
    assert len(tries) == TRIES


@given(st.sets(st.text("0123456789abcdef", min_size=32, max_size=32), max_size=40), st.data())
def test_a_line_is_found_among_sorted_lines(ids: set[str], data: st.DataObject) -> None:
    lines = b"".join(sorted(f"{one} 2026-11-23 x{'y' * len(one)}\n".encode() for one in ids))
    one = data.draw(
        st.text("0123456789abcdef", min_size=32, max_size=32)
        | st.sampled_from(sorted(ids) or ["0" * 32])
    )

    found = _line_of(lines, one.encode())

    assert found.startswith(one.encode()) == (one in ids)
    assert bool(found) == (one in ids)


def _delete(store: ObstoreBucket, key: str) -> None:
    obstore.delete(store.store(), key)
