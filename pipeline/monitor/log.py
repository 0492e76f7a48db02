"""Read the API's log without losing a line.

A cloud, such as the local one, may end a page at the requested number of lines without indicating
that there are more. Therefore a period whose last page is full is halved.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, NotRequired, TypedDict

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from clinical.artefacts import what_to_start
from clinical.errors import LogUnavailable, LogUnreadable

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_logs.type_defs import FilterLogEventsResponseTypeDef

PAGE = 1000  # lines that are asked for at once: of a large batch, each may have 128 KB
MOST = 10_000  # lines that a cloud returns at once
MILLISECOND = timedelta(milliseconds=1)
NOT_ALLOWED = {"AccessDeniedException", "UnrecognizedClientException"}


@dataclass(frozen=True)
class Line:
    """A log line, and when the log received it, in UTC."""

    at: datetime
    message: str


@cache
def logs_client() -> "CloudWatchLogsClient":
    """Return the function's only client of CloudWatch Logs, which backs off when throttled."""
    return boto3.client(
        "logs",
        config=Config(
            connect_timeout=2,
            read_timeout=60,
            retries={"mode": "standard", "total_max_attempts": 8},
        ),
    )


@dataclass(frozen=True)
class Log:
    """A log group. Methods raise LogUnavailable, and LogUnreadable if retrying cannot help.

    page: the number of lines per request.
    """

    client: "CloudWatchLogsClient"
    group: str
    page: int = PAGE

    def first(self) -> datetime | None:
        """Return the time of the oldest line; None if there is none."""
        return self._first({"startTime": 0})

    def is_empty(self, start: datetime, end: datetime) -> bool:
        """Whether there is no line from `start` up to `end`."""
        return self._first(_within(_milliseconds(start), _milliseconds(end))) is None

    def lines(self, start: datetime, end: datetime) -> Iterator[Line]:
        """Yield every line from `start` up to `end`; some may be repeated."""
        yield from self._lines(_milliseconds(start), _milliseconds(end))

    def _lines(self, start: int, end: int) -> Iterator[Line]:
        """Yield every line from `start` up to `end`, in milliseconds."""
        if end <= start:
            return
        most = self.page if end - start > 1 else MOST
        for lines, is_last in self._pages(_within(start, end), most):
            if is_last and len(lines) >= most:
                break
            yield from lines
        else:
            return
        if end - start == 1:
            raise LogUnreadable(
                f"{self.group} has {MOST:,} lines or more in one millisecond, "
                f"{moment(start).isoformat(timespec='milliseconds')}, and returns no more; some of "
                "them cannot be read"
            )
        middle = (start + end) // 2
        yield from self._lines(start, middle)
        yield from self._lines(middle, end)

    def _first(self, within: "Within") -> datetime | None:
        found = (lines[0].at for lines, _ in self._pages(within, 1) if lines)
        return next(found, None)

    def _pages(self, within: "Within", most: int) -> Iterator[tuple[list[Line], bool]]:
        """Yield the lines of each page, and whether it is declared to be the last."""
        token: Token = {}
        while True:
            with _asking_for(self.group):
                answer = self.client.filter_log_events(
                    logGroupName=self.group, limit=most, **within, **token
                )
            lines = [Line(moment(one["timestamp"]), one["message"]) for one in answer["events"]]
            before, token = token, _token_of(answer)
            yield lines, not token
            if not token or token == before:
                return


class Within(TypedDict):
    """A range of milliseconds, inclusive, by its names in the API."""

    startTime: int
    endTime: NotRequired[int]


def _within(start: int, end: int) -> Within:
    return {"startTime": start, "endTime": end - 1}


class Token(TypedDict):
    """The token of the next page; empty for the first."""

    nextToken: NotRequired[str]


def _token_of(answer: "FilterLogEventsResponseTypeDef") -> Token:
    token = answer.get("nextToken")
    return {"nextToken": token} if token else {}


def moment(milliseconds: int) -> datetime:
    """Convert a time from CloudWatch."""
    return datetime.fromtimestamp(milliseconds // 1000, UTC) + (milliseconds % 1000) * MILLISECOND


def _milliseconds(at: datetime) -> int:
    """Convert a time for CloudWatch, rounded up, because the end of a range is exclusive."""
    return -((datetime.fromtimestamp(0, UTC) - at) // MILLISECOND)


@contextmanager
def _asking_for(group: str) -> Iterator[None]:
    """Translate CloudWatch's errors into ours."""
    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in NOT_ALLOWED:
            raise LogUnreadable(f"the role is not allowed to read the log group {group}") from error
        if code == "ResourceNotFoundException":
            raise LogUnreadable(f"there is no log group {group}") from error
        raise LogUnavailable(f"CloudWatch answered {code} for {group}") from error
    except BotoCoreError as error:
        raise LogUnavailable(
            f"CloudWatch could not be reached for {group}: {type(error).__name__}{what_to_start()}"
        ) from error
