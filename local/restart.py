"""A note that the cloud was restarted, kept until the interrupted executions are restarted, too."""

import json
from collections.abc import Iterable
from pathlib import Path

from local.cloud import Start


class Restart:
    """A note in a file, so that an interrupted `up` leaves it to the next."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def note(self, start: Start, before: float) -> None:
        """Note how a cloud started, unless it was already running.

        before: the time in seconds just before the start.
        """
        if start.fresh:
            noted = {
                "since": min(before, self.since),
                "crashed": start.crashed or self.crashed,
            }
            self._file.write_text(json.dumps(noted))

    def close(self) -> None:
        """Delete the note when everything is done."""
        self._file.unlink(missing_ok=True)

    def note_for_others(self, folders: Iterable[Path]) -> None:
        """Copy the note to the other stacks of the same cloud."""
        for folder in folders:
            file = folder / self._file.name
            if file != self._file and self.is_open:
                file.write_text(self._file.read_text())

    @property
    def is_open(self) -> bool:
        return self._file.exists()

    @property
    def since(self) -> float:
        """The earliest of the noted times at which the cloud was started."""
        return float(self._noted().get("since", "inf"))

    @property
    def crashed(self) -> bool:
        """Whether the cloud had been killed before one of these starts."""
        return bool(self._noted().get("crashed"))

    def _noted(self) -> dict[str, float | bool]:
        try:
            noted: dict[str, float | bool] = json.loads(self._file.read_text())
        except (FileNotFoundError, ValueError):
            return {}
        return noted
