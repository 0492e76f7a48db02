"""A note that the cloud was restarted, kept until the interrupted executions are restarted, too."""

import json
from pathlib import Path

from local.cloud import Start
from local.files import replace_text


class Restart:
    """A note in a stack's folder, so that an interrupted `up` leaves it to the next."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "restarted.json"

    def note(self, start: Start, before: float) -> None:
        """Note how a cloud starts, and forget nothing of an earlier start.

        before: the time in seconds just before the start.
        """
        noted = {
            "since": min(before, self.since),
            "crashed": start.crashed or self.crashed,
        }
        replace_text(self._file, json.dumps(noted))

    def close(self) -> None:
        """Delete the note when everything is done."""
        self._file.unlink(missing_ok=True)

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
