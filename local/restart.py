"""That the cloud was started again, kept until what its end interrupted was started again too."""

import json
from collections.abc import Iterable
from pathlib import Path

from local.cloud import Start


class Restart:
    """A note in a file, so that an `up` which is interrupted leaves it to the next."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def note(self, start: Start, before: float) -> None:
        """Note how a cloud came up, if it was started.

        before: the time in seconds just before that.
        """
        if start.fresh:
            noted = {
                "since": min(before, self.since),
                "crashed": start.crashed or self.crashed,
            }
            self._file.write_text(json.dumps(noted))

    def close(self) -> None:
        """Forget it: all is done."""
        self._file.unlink(missing_ok=True)

    def note_for_others(self, folders: Iterable[Path]) -> None:
        """Leave what is noted to the other stacks of the same cloud too."""
        for folder in folders:
            file = folder / self._file.name
            if file != self._file and self.is_open:
                file.write_text(self._file.read_text())

    @property
    def is_open(self) -> bool:
        return self._file.exists()

    @property
    def since(self) -> float:
        """Tell when the cloud was started first of the times that are noted."""
        return float(self._noted().get("since", "inf"))

    @property
    def crashed(self) -> bool:
        """Whether it had been killed before one of them."""
        return bool(self._noted().get("crashed"))

    def _noted(self) -> dict[str, float | bool]:
        try:
            noted: dict[str, float | bool] = json.loads(self._file.read_text())
        except (FileNotFoundError, ValueError):
            return {}
        return noted
