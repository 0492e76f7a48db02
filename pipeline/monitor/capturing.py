"""Capture predictions: those of requests from the API's log, and those of scored files."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from clinical.artefacts import read_verified
from clinical.captures import FOLDER, Captures
from clinical.errors import ArtefactMissing
from clinical.params import Params
from score.captured import Marker, captured_in, marker_in
from wording import counted

from monitor import lines
from monitor.entering import Found, enter_requests, write_file
from monitor.lines import LineUnreadable
from monitor.log import Log

LATE = timedelta(hours=24)  # after which no line of a day comes any more
AGAIN = timedelta(hours=48)  # that are read again if the end of the window was given explicitly
DAY = timedelta(days=1)


@dataclass
class Taken:
    """What a run captured: new predictions, and what it could not capture.

    unreadable: lines that mention a prediction but cannot be read. gone: scored files whose
    predictions were deleted before they were captured.
    """

    captured: int = 0
    unreadable: int = 0
    gone: int = 0

    def notes(self) -> Iterator[str]:
        if self.unreadable:
            yield (
                f"{counted(self.unreadable, 'line')} of the API's log with predictions could not "
                "be read: these predictions are not captured."
            )
        if self.gone:
            yield (
                f"{counted(self.gone, 'scored file')} not captured, because the predictions had "
                "already been deleted."
            )


def capture(
    captures: Captures, log: Log, until: datetime, params: Params, *, by_hand: bool
) -> Taken:
    """Capture the predictions in the log and in scored files, up to a time, and index them.

    by_hand: whether the time was given explicitly, so that its last two days are read again.
    """
    taken = Taken()
    since = begin(captures, log, until, by_hand=by_hand)
    for start, end in days(since, until) if since else ():
        take_day(captures, log, start, end, params, taken)
    take_scored(captures, taken)
    captures.index()
    captures.move_watermark(until)
    return taken


def begin(captures: Captures, log: Log, until: datetime, *, by_hand: bool) -> datetime | None:
    """Return the time from which to read the log; None if it is empty."""
    read = captures.captured_until()
    since = read - LATE if read else log.first()
    again = until - AGAIN if by_hand else until
    return min(since, again) if since else None


def days(since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Divide a period into days (UTC)."""
    start = datetime.combine(since.astimezone(UTC).date(), time.min, UTC)
    while start < until:
        yield max(start, since), min(start + DAY, until)
        start += DAY


def take_day(  # noqa: PLR0913, PLR0917 - what is read, and where it goes
    captures: Captures, log: Log, start: datetime, end: datetime, params: Params, taken: Taken
) -> None:
    """Capture the requests of a day, or of a part of it."""
    if log.is_empty(start, end):
        return
    with Found() as found:
        for line in log.lines(start, end):
            try:
                for one in lines.captured_in(line.message, line.at, params):
                    found.add(one)
            except LineUnreadable:
                taken.unreadable += 1
        taken.captured += enter_requests(captures, start.date(), found)


def take_scored(captures: Captures, taken: Taken) -> None:
    """Capture the predictions of newly scored files, each file as a whole."""
    for key in captures.bucket.keys(f"{FOLDER}/scored/", ".json"):
        marker = marker_in(key, captures.bucket.get(key).body)
        day = marker.scored_at.astimezone(UTC).date()
        there = captures.manifest(day).entries
        names = {name_of(marker, part.number): part for part in marker.parts}
        if names.keys() <= there.keys():
            continue
        try:
            entries = {
                name: write_file(
                    captures, day, name, captured_in(read_verified(captures.bucket, part), marker)
                )
                for name, part in names.items()
            }
        except ArtefactMissing:
            taken.gone += 1
            continue
        taken.captured += captures.enter(day, entries)


def name_of(marker: Marker, part: int) -> str:
    return f"score-{marker.execution}-{part:05}"
