"""Outcomes are kept as they were told, and the one that counts of each prediction is found."""

import gzip
from datetime import UTC, datetime, timedelta

import pytest
from clinical.artefacts import Bucket
from clinical.captured import new_ids
from clinical.errors import ArtefactCorrupted, PreconditionFailed, StorageDenied
from clinical.obstore_bucket import ObstoreBucket
from clinical.outcomes import GATHERED, UNGATHERED, Outcome, Outcomes

NOW = datetime(2026, 12, 24, 12, tzinfo=UTC)
ONE, TWO = new_ids(2)


def told(one: str, value: float, days: int = 0, received: int = 0) -> Outcome:
    return Outcome(
        prediction_id=one,
        value=value,
        observed_at=NOW + timedelta(days=days),
        received_at=NOW + timedelta(days=received),
        told_by="api",
    )


def test_the_outcome_that_was_observed_last_counts_whenever_it_was_told(bucket: Bucket) -> None:
    outcomes = Outcomes(bucket)
    last = told(ONE, 7.0, days=2, received=2)

    for one in (last, told(ONE, 3.0, days=1, received=3), told(TWO, 1.0)):
        outcomes.receive([one], one.received_at)

    assert outcomes.all() == {ONE: last, TWO: told(TWO, 1.0)}
    assert outcomes.find([ONE, new_ids(1)[0]]) == {ONE: last}


def test_of_two_observed_at_the_same_time_the_one_told_last_counts(bucket: Bucket) -> None:
    outcomes = Outcomes(bucket)

    outcomes.receive([told(ONE, 3.0, received=1), told(ONE, 7.0)], NOW)

    assert outcomes.all()[ONE].value == 3.0


def test_what_is_told_again_is_kept_once(bucket: Bucket) -> None:
    outcomes = Outcomes(bucket)

    outcomes.receive([told(ONE, 3.0)], NOW)
    outcomes.receive([told(ONE, 3.0)], NOW)

    assert len(bucket.keys("outcomes/", "")) == 1


def test_many_small_files_are_gathered_and_nothing_is_lost_of_them(bucket: Bucket) -> None:
    outcomes, ids = Outcomes(bucket), new_ids(2 * UNGATHERED)
    for place, one in enumerate(ids):
        outcomes.receive([told(one, place / 10)], NOW)
        outcomes.receive([told(ids[0], 9.0, days=place)], NOW)
        if place == UNGATHERED:
            outcomes.all()

    found = outcomes.all()

    assert bucket.keys(GATHERED, "")
    assert set(found) == set(ids)
    assert found[ids[0]] == told(ids[0], 9.0, days=len(ids) - 1)
    assert Outcomes(bucket).find(ids[:3]) == {one: found[one] for one in ids[:3]}


@pytest.mark.parametrize("error", [StorageDenied, PreconditionFailed])
def test_whoever_may_only_read_reads_them_all(
    store: ObstoreBucket, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def refused(*_: object) -> str:
        raise error

    outcomes, ids = Outcomes(store), new_ids(UNGATHERED)
    for one in ids:
        outcomes.receive([told(one, 1.0)], NOW)
    monkeypatch.setattr(ObstoreBucket, "put_new", refused)

    assert set(outcomes.all()) == set(ids)


def test_what_was_altered_is_refused(store: ObstoreBucket) -> None:
    outcomes = Outcomes(store)
    outcomes.receive([told(ONE, 1.0)], NOW)
    (key,) = store.keys("outcomes/received/", "")
    store.put(key, store.get(key).body.replace(b"1.0", b"9.0"))

    with pytest.raises(ArtefactCorrupted, match="altered"):
        outcomes.all()


@pytest.mark.parametrize(
    "body", [b"", b"x", gzip.compress(b"{}\n", mtime=0), gzip.compress(b"", mtime=0)]
)
def test_what_was_gathered_and_altered_is_refused(store: ObstoreBucket, body: bytes) -> None:
    store.put(GATHERED, body)

    with pytest.raises(ArtefactCorrupted):
        Outcomes(store).all()


def test_many_outcomes_told_at_once_are_kept(
    store: ObstoreBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clinical.outcomes.AT_ONCE", 4)
    ids = new_ids(10)

    Outcomes(store).receive([told(one, 1.0) for one in ids], NOW)

    assert len(store.keys("outcomes/received/", ".jsonl")) == 3
    assert set(Outcomes(store).all()) == set(ids)
