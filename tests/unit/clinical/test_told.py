"""What clients tell of outcomes is read in one way only."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from clinical.captured import new_ids
from clinical.outcomes import Outcome
from clinical.params import params, read_params
from clinical.told import became, id_of, in_the_future, moment_of, target_field, too_early
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from tests.unit.conftest import ROOT, with_column

NOW = datetime(2026, 12, 24, 12, tzinfo=UTC)
(ONE,) = new_ids(1)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-12-24", NOW.replace(hour=0)),
        ("2026-12-24T12:00", NOW),
        ("2026-12-24 12:00:00", NOW),
        ("2026-12-24T12:00:00Z", NOW),
        ("2026-12-24T14:00:00+02:00", NOW),
        ("2026-12-24T06:30:00-0530", NOW),
        ("2026-12-24T12:00:00.000000000Z", NOW),
        ("2024-02-29", datetime(2024, 2, 29, tzinfo=UTC)),
    ],
)
def test_a_day_is_its_beginning_and_a_time_without_a_zone_is_utc(
    text: str, moment: datetime
) -> None:
    assert moment_of(text) == moment


@pytest.mark.parametrize(
    "text",
    [
        *("", "2026", "2026-12", "2026-12-24T", "2026-12-24T12", "24.12.2026", "12/24/2026"),
        *("2026-02-29", "2026-12-24T24:30", "2026-12-24T12:00+25:00", "2026-W52-4", "2026-358"),
        *("20261224", "2026-12-24\n", " 2026-12-24", "2026-12-24T12:00:00,5", "0000-01-01"),
        "\N{ARABIC-INDIC DIGIT TWO}026-12-24",
        "2026\N{NON-BREAKING HYPHEN}12\N{NON-BREAKING HYPHEN}24",
    ],
)
def test_what_could_be_read_otherwise_is_not_read(text: str) -> None:
    assert moment_of(text) is None


@given(st.text(max_size=40))
def test_any_text_is_an_id_a_moment_or_neither(text: str) -> None:
    one, moment = id_of(text), moment_of(text)

    assert one is None or (one == text.lower() and len(one) == 32)
    assert moment is None or moment.tzinfo is UTC


@given(st.datetimes(timezones=st.timezones()))
def test_a_time_that_is_written_in_its_zone_is_read(moment: datetime) -> None:
    offset = moment.utcoffset()
    assert offset is not None
    whole = moment.replace(microsecond=0)

    if offset % timedelta(minutes=1) == timedelta(0) and 2 < moment.year < 9998:
        assert moment_of(whole.isoformat()) == whole.astimezone(UTC)


def test_today_may_be_tomorrow_elsewhere() -> None:
    assert not in_the_future(NOW + timedelta(hours=23), NOW)
    assert in_the_future(NOW + timedelta(hours=25), NOW)


def test_an_outcome_is_not_older_than_the_day_of_its_prediction() -> None:
    assert too_early(NOW - timedelta(days=1), NOW.date())
    assert not too_early(NOW.replace(hour=0), NOW.date())
    assert not too_early(NOW - timedelta(days=99), None)


@pytest.mark.parametrize(
    ("value", "kept"), [(350, 350.0), (350.0, 350.0), (350.4, None), ("350", None), (True, None)]
)
def test_a_target_of_whole_numbers_takes_no_other(value: Any, kept: float | None) -> None:
    decisions = read_params(ROOT / "studies/actg175/params.yaml")
    reads: TypeAdapter[Any] = TypeAdapter(target_field(decisions))

    if kept is None:
        with pytest.raises(ValidationError):
            reads.validate_python(value, strict=True)
    else:
        assert reads.validate_python(value, strict=True) == kept


def test_an_outcome_is_never_missing_even_where_the_column_may_be() -> None:
    decisions = with_column(params(), params().target.column, nullable=True)
    reads: TypeAdapter[Any] = TypeAdapter(target_field(decisions))

    with pytest.raises(ValidationError):
        reads.validate_python(None)


def test_of_as_late_outcomes_told_at_once_one_is_kept() -> None:
    told = [
        Outcome(prediction_id=ONE, value=value, observed_at=NOW, received_at=NOW, told_by="api")
        for value in (9.0, 1.0, 5.0)
    ]

    came = became(told, {}, {ONE})

    assert [(one.status, one.is_new) for one in came] == [
        ("superseded", False),
        ("superseded", False),
        ("recorded", True),
    ]
