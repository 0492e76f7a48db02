"""No line of a log is lost, whether a cloud says that there are more of them or not."""

from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from clinical.errors import LogUnavailable, LogUnreadable
from monitor.log import MOST, PAGE, Log

from tests.unit.pipeline.monitor.clouds import Logs, utc

NOON = utc(2026, 11, 23, 12)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize("pages", [True, False])
def test_every_line_is_read_once(*, pages: bool) -> None:
    logs = Logs(pages=pages)
    for number in range(5 * PAGE // 2):
        logs.put(NOON + timedelta(seconds=number // 2), str(number))

    lines = list(logs.log.lines(NOON, NOON + HOUR))

    assert sorted(int(line.message) for line in lines) == list(range(5 * PAGE // 2))
    assert lines[0].at == NOON


def test_a_line_at_the_end_of_a_time_belongs_to_what_follows() -> None:
    logs = Logs()
    for at in (NOON - timedelta(milliseconds=1), NOON, NOON + HOUR):
        logs.put(at, at.isoformat())

    assert [line.at for line in logs.log.lines(NOON, NOON + HOUR)] == [NOON]


def test_lines_of_one_millisecond_are_read_as_long_as_they_are_handed_out() -> None:
    logs = Logs(pages=False)
    for number in range(2 * PAGE):
        logs.put(NOON, str(number))

    assert len(list(logs.log.lines(NOON, NOON + HOUR))) == 2 * PAGE


def test_more_lines_of_one_millisecond_than_are_handed_out_are_refused() -> None:
    logs = Logs(pages=False)
    logs.events = [{"timestamp": round(NOON.timestamp() * 1000), "message": ""}] * (MOST + 1)

    with pytest.raises(LogUnreadable, match="10,000 lines or more in one millisecond, 2026-11-23"):
        list(logs.log.lines(NOON, NOON + HOUR))


def test_the_first_line_tells_where_the_log_begins() -> None:
    logs = Logs()

    assert logs.log.first() is None

    logs.put(NOON, "")
    assert logs.log.first() == NOON


def test_a_page_may_be_empty_though_there_are_more() -> None:
    class Scanning(Logs):
        def filter_log_events(self, **asked: Any) -> dict[str, Any]:
            answer = super().filter_log_events(**asked)
            return answer if "nextToken" in asked else {"events": [], "nextToken": "0"}

    logs = Scanning()
    logs.put(NOON, "")

    assert not logs.log.is_empty(NOON, NOON + HOUR)
    assert len(list(logs.log.lines(NOON, NOON + HOUR))) == 1


@pytest.mark.parametrize(
    ("code", "raised"),
    [
        ("ThrottlingException", LogUnavailable),
        ("ServiceUnavailableException", LogUnavailable),
        ("AccessDeniedException", LogUnreadable),
        ("ResourceNotFoundException", LogUnreadable),
    ],
)
def test_what_cloudwatch_refuses_is_said(code: str, raised: type[Exception]) -> None:
    class Refusing:
        def filter_log_events(self, **_: Any) -> dict[str, Any]:
            raise ClientError({"Error": {"Code": code}}, "FilterLogEvents")

    client: Any = Refusing()

    with pytest.raises(raised, match="api"):
        Log(client, "api").first()


def test_a_log_that_cannot_be_reached_can_be_asked_again() -> None:
    class Gone:
        def filter_log_events(self, **_: Any) -> dict[str, Any]:
            raise EndpointConnectionError(endpoint_url="http://127.0.0.1")

    client: Any = Gone()

    with pytest.raises(LogUnavailable, match="EndpointConnectionError"):
        Log(client, "api").first()
