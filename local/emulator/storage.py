"""Object versions and times in S3 as on AWS: corrections before ministack starts.

- The event of a created or deleted object has its version and time. Without them, after two quick
  uploads of one key, both runs would train on the second.
- Times are in whole seconds. Ministack lists milliseconds, by which code could order objects that
  have the same time on AWS.
"""

from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

# Beside this file, which is where Python looks first; mypy knows it as local.emulator.*.
import object_events  # type: ignore[import-not-found]
from ministack.services import eventbridge, s3

_fire_s3_event = s3._fire_s3_event  # noqa: SLF001
_dispatch_event = eventbridge._dispatch_event  # noqa: SLF001
_told: ContextVar[tuple[str | None, str] | None] = ContextVar("told", default=None)


def fire_and_note(
    bucket: str, key: str, name: str, *args: object, version_id: str | None = None, **kwargs: object
) -> None:
    """Send the event of a version, and note the version; each event has a context of its own."""
    _told.set((version_id, written_at(bucket, key, version_id)))
    _fire_s3_event(bucket, key, name, *args, version_id=version_id, **kwargs)


def dispatch_with_version(event: dict[str, Any], *args: object) -> None:
    """Pass an event to its rules; an event of S3 gets the version that it is about.

    What the rules start sends events in the same context, which are not about a version.
    """
    noted = _told.get()
    _told.set(None)
    _dispatch_event(object_events.told(event, *noted) if noted else event, *args)


def written_at(bucket: str, key: str, version_id: str | None) -> str:
    """Return when a version was written; the current time if it does not exist."""
    for version in list(s3._object_versions.get((bucket, key), [])):  # noqa: SLF001
        if version["version_id"] == version_id:
            return str(version["last_modified"])
    return whole_seconds()


def whole_seconds() -> str:
    """Format a time as S3 does in XML, where the fraction is always zero."""
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}.000Z"


def install() -> None:
    """Install the corrections, unless ministack no longer needs them."""
    if "version-id" in s3._fire_s3_event.__code__.co_consts:  # noqa: SLF001
        raise SystemExit(
            "ministack has changed: its S3 events now have versions; remove this correction"
        )
    s3._fire_s3_event = fire_and_note  # noqa: SLF001
    eventbridge._dispatch_event = dispatch_with_version  # noqa: SLF001
    s3.now_iso = whole_seconds
