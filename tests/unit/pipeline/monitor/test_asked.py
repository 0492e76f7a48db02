from datetime import datetime

import pytest
from clinical.errors import InputInvalid
from monitor.asked import until_asked
from pydantic import JsonValue

from tests.unit.pipeline.monitor.clouds import utc

NOW = utc(2026, 11, 23, 12)


@pytest.mark.parametrize(
    ("asked", "until"),
    [
        ({}, None),
        ({"until": "2026-10-31"}, utc(2026, 11, 1)),
        ({"until": "2026-10-31T00:00:00Z"}, utc(2026, 10, 31)),
        ({"until": "2026-10-31T12:30"}, utc(2026, 10, 31, 12, 30)),
        ({"until": "2026-10-31T02:00:00+02:00"}, utc(2026, 10, 31)),
        ({"until": "2026-11-23"}, NOW),
    ],
)
def test_a_run_looks_up_to_the_time_that_was_named(
    asked: JsonValue, until: datetime | None
) -> None:
    assert until_asked(asked, NOW) == until


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"until": "2026-11-24"}, "until is in the future."),
        ({"until": "2026-11-23T12:00:01Z"}, "until is in the future."),
        ({"until": "9999-12-31T23:59:59-12:00"}, "until is not a day"),
        ({"until": "0001-01-01"}, "until is before 2000."),
        ({"until": "0001-01-01T00:00:00+12:00"}, "until is not a day"),
        ({"until": "2026-02-30"}, "until is not a day or a time in ISO 8601 format."),
        ({"until": "yesterday"}, "until is not a day"),
        ({"until": ""}, "until is not a day"),
        ({"until": 20261031}, "until should be a valid string."),
        ({"until": None}, "until is null; leave it out"),
        ({"since": "2026-10-31"}, "since is unknown."),
        ([], "The input is not a JSON object."),
        ("2026-10-31", "The input is not a JSON object."),
    ],
)
def test_what_cannot_be_asked_for_is_said(asked: JsonValue, said: str) -> None:
    with pytest.raises(InputInvalid, match="Valid inputs are") as refused:
        until_asked(asked, NOW)

    assert said in str(refused.value)
