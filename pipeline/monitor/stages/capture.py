"""Capture the predictions since the last run, and find the champion and the window."""

from datetime import UTC, datetime, timedelta

from asking import Given
from clinical import telemetry
from clinical.artefacts import Artefacts
from clinical.captures import Captures
from clinical.environment import environment
from clinical.monitored import Window
from clinical.params import Params
from clinical.registry import Registry
from stage import Run, stage

from monitor import capturing
from monitor.asked import until_asked
from monitor.log import Log, logs_client
from monitor.state import Begun

NOTHING_SERVES = (
    "No model serves, so there is nothing to monitor; predictions of earlier models are captured."
)
MICROSECOND = timedelta(microseconds=1)


@stage(cached=False)
def capture(
    given: Given, artefacts: Artefacts, registry: Registry, run: Run, params: Params
) -> Begun:
    """Capture requests and scored files, and find the champion and the window.

    Raises InputInvalid, LogUnreadable, LogUnavailable.
    """
    asked = until_asked(given.root, run.now)
    until = asked or run.now
    taken = capturing.capture(
        Captures(artefacts.bucket),
        Log(logs_client(), environment().api_log_group),
        until,
        params,
        by_hand=asked is not None,
    )
    telemetry.note(captured=taken.captured, unreadable_lines=taken.unreadable)
    pointer = registry.champion()
    if pointer is None:
        telemetry.add(telemetry.Metric.MONITOR_RUNS)
    return Begun(
        decision="monitor" if pointer else "nothing_serves",
        reason="" if pointer else NOTHING_SERVES,
        window=window(until, params),
        champion=pointer and pointer.champion,
        captured=taken.captured,
        notes=tuple(taken.notes()),
    )


def window(until: datetime, params: Params) -> Window:
    """Return the window of a run, with the day that contains its end."""
    until = until.astimezone(UTC)
    return Window(
        date=(until - MICROSECOND).date(),
        since=until - timedelta(days=params.monitoring.window_days),
        until=until,
    )
