from datetime import UTC, datetime, timedelta

from clinical.upload import Upload, superseded
from hypothesis import given
from hypothesis import strategies as st

JANUARY = datetime(2026, 1, 31, 12, tzinfo=UTC)
FEBRUARY = JANUARY + timedelta(days=28)


def upload(
    at: datetime = JANUARY,
    sequencer: str = "",
    key: str = "raw/data.csv",
    version_id: str = "1",
    until: datetime | None = None,
) -> Upload:
    return Upload(
        key=key,
        version_id=version_id,
        uploaded_at=at,
        sequencer=sequencer,
        outcomes_until=until,
    )


def test_the_earlier_of_two_uploads_is_older() -> None:
    assert upload(JANUARY).is_older_than(upload(FEBRUARY))
    assert not upload(FEBRUARY).is_older_than(upload(JANUARY))


def test_within_a_second_sequencers_tell_and_without_them_neither_is_older() -> None:
    first, second = upload(sequencer="0A"), upload(sequencer="0B", key="raw/other.csv")

    assert first.is_older_than(second)
    assert not second.is_older_than(first)
    for one, other in ((upload(), second), (first, upload(key="raw/other.csv"))):
        assert not one.is_older_than(other)
        assert not other.is_older_than(one)


def test_of_one_object_the_sequencer_tells_whatever_the_clock_says() -> None:
    """The time of a version that was uploaded in parts is that of its first part."""
    large = upload(JANUARY, sequencer="0B", version_id="2")

    assert upload(FEBRUARY, sequencer="0A").is_older_than(large)


def test_of_two_objects_sequencers_say_nothing_but_within_a_second() -> None:
    assert upload(JANUARY, sequencer="0B").is_older_than(
        upload(FEBRUARY, sequencer="0A", key="raw/other.csv")
    )


def test_sequencers_of_other_lengths_and_cases_are_compared_padded_at_the_right() -> None:
    assert upload(sequencer="0a1").is_older_than(upload(sequencer="0A2000"))
    assert upload(sequencer="0A1fff").is_older_than(upload(sequencer="0A2"))
    assert not upload(sequencer="0A").is_older_than(upload(sequencer="0a00"))


uploads = st.builds(
    upload,
    at=st.sampled_from([JANUARY, FEBRUARY]),
    sequencer=st.text("0123456789ABCDEF", max_size=6),
    key=st.sampled_from(["raw/a.csv", "raw/b.csv"]),
    version_id=st.sampled_from(["1", "2"]),
    until=st.sampled_from([None, JANUARY, FEBRUARY]),
)


@given(one=uploads, other=uploads)
def test_of_two_uploads_one_at_most_is_older_and_none_than_itself(
    one: Upload, other: Upload
) -> None:
    assert not one.is_older_than(one)
    assert not (one.is_older_than(other) and other.is_older_than(one))


def test_of_one_upload_less_far_outcomes_are_older_and_none_are_the_oldest() -> None:
    alone, january, february = (upload(until=until) for until in (None, JANUARY, FEBRUARY))

    assert alone.is_older_than(january)
    assert january.is_older_than(february)
    assert not january.is_older_than(january)
    assert not february.is_older_than(alone)


def test_outcomes_make_no_older_upload_newer() -> None:
    newer = upload(FEBRUARY, version_id="2")

    assert upload(until=FEBRUARY).is_older_than(newer)
    assert not newer.is_older_than(upload(until=FEBRUARY))


def test_of_uploads_at_the_same_second_outcomes_say_nothing() -> None:
    assert not upload().is_older_than(upload(key="raw/other.csv", until=JANUARY))


def test_less_far_outcomes_are_told_as_such() -> None:
    by = upload(until=FEBRUARY)

    assert superseded(upload(), by=by) == (
        "The champion was trained on raw/data.csv and on outcomes observed up to 2026-02-28 "
        "12:00:00 UTC; this run would train on that upload alone; to train on it anyway, start "
        'an execution with "even_if_older": true.'
    )
    assert "would train on those up to 2026-01-31" in str(superseded(upload(until=JANUARY), by=by))


def test_what_is_superseded_is_told_with_both_times_and_the_way_out() -> None:
    reason = superseded(upload(JANUARY), by=upload(FEBRUARY, key="raw/february.csv"))

    assert reason is not None
    assert "raw/data.csv was uploaded at 2026-01-31 12:00:00 UTC" in reason
    assert "raw/february.csv, 2026-02-28 12:00:00 UTC" in reason
    assert '"even_if_older": true' in reason


def test_where_the_order_is_unknown_nothing_is_superseded() -> None:
    assert superseded(None, by=upload()) is None
    assert superseded(upload(), by=None) is None
    assert superseded(upload(), by=upload()) is None
