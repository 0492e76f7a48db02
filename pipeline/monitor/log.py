"""Read the API's log, a slice of time after another, and lose no line.

A cloud may end a page where it has as many lines as were asked for without saying that there are
more, as the local one does: so a slice whose last page is full is halved.
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
MOST = 10_000  # that a cloud hands out at once
SLICE = timedelta(hours=1)
MILLISECOND = timedelta(milliseconds=1)
NOT_ALLOWED = {"AccessDeniedException", "UnrecognizedClientException"}


@dataclass(frozen=True)
class Line:
    """What was logged, and when the log got it, in UTC."""

    at: datetime
    message: str


@cache
def logs_client() -> "CloudWatchLogsClient":
    """Make the function's one client of the logs, which waits where they are asked too often."""
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
    """A log group. Methods raise LogUnavailable, and LogUnreadable where retrying cannot help.

    page: lines that are asked for at once.
    """

    client: "CloudWatchLogsClient"
    group: str
    page: int = PAGE

    def first(self) -> datetime | None:
        """Tell when the first line came that is still there; None where there is none."""
        return self._first({"startTime": 0})

    def is_empty(self, start: datetime, end: datetime) -> bool:
        """Whether there is no line from `start` up to `end`."""
        return self._first(_within(_milliseconds(start), _milliseconds(end))) is None

    def lines(self, start: datetime, end: datetime) -> Iterator[Line]:
        """Give every line from `start` up to `end`, slice by slice; some may come twice."""
        while start < end:
            until = min(_hour(start) + SLICE, end)
            yield from self._slice(_milliseconds(start), _milliseconds(until))
            start = until

    def _slice(self, start: int, end: int) -> Iterator[Line]:
        """Give every line of some milliseconds, from `start` up to `end`."""
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
                f"{self.group} has {MOST:,} lines or more of one millisecond, "
                f"{moment(start).isoformat(timespec='milliseconds')}, and hands out no more: some "
                "of them cannot be read"
            )
        middle = (start + end) // 2
        yield from self._slice(start, middle)
        yield from self._slice(middle, end)

    def _first(self, within: "Within") -> datetime | None:
        found = (lines[0].at for lines, _ in self._pages(within, 1) if lines)
        return next(found, None)

    def _pages(self, within: "Within", most: int) -> Iterator[tuple[list[Line], bool]]:
        """Give the lines of each page, and whether it is said to be the last."""
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
    """Of which milliseconds lines are, both included, under the names of the API."""

    startTime: int
    endTime: NotRequired[int]


def _within(start: int, end: int) -> Within:
    return {"startTime": start, "endTime": end - 1}


class Token(TypedDict):
    """Where the next page begins; empty for the first."""

    nextToken: NotRequired[str]


def _token_of(answer: "FilterLogEventsResponseTypeDef") -> Token:
    token = answer.get("nextToken")
    return {"nextToken": token} if token else {}


def moment(milliseconds: int) -> datetime:
    """Read a time as CloudWatch has it."""
    return datetime.fromtimestamp(milliseconds // 1000, UTC) + (milliseconds % 1000) * MILLISECOND


def _milliseconds(at: datetime) -> int:
    """Write a time as CloudWatch has it, rounded up: what is up to it has less."""
    return -((datetime.fromtimestamp(0, UTC) - at) // MILLISECOND)


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


@contextmanager
def _asking_for(group: str) -> Iterator[None]:
    """Say in this system's words what CloudWatch refused."""
    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in NOT_ALLOWED:
            raise LogUnreadable(f"the role may not read the log group {group}") from error
        if code == "ResourceNotFoundException":
            raise LogUnreadable(f"there is no log group {group}") from error
        raise LogUnavailable(f"CloudWatch answered {code} for {group}") from error
    except BotoCoreError as error:
        raise LogUnavailable(
            f"CloudWatch could not be reached for {group}: {type(error).__name__}{what_to_start()}"
        ) from error
