"""Values that appear after a promotion: measured once, or updated day by day."""

import time
from collections.abc import Callable


class Later[Found]:
    """Reads at most once per interval until there is a value, and then keeps it.

    read: returns None while there is no value. clock: monotonic seconds.
    """

    def __init__(
        self,
        read: Callable[[], Found | None],
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._seconds = seconds
        self._clock = clock
        self._found: Found | None = None
        self._next_look = float("-inf")

    def now(self) -> Found | None:
        if self._found is None and self._clock() >= self._next_look:
            try:
                self._found = self._read()
            finally:  # from its end: what is slow must not be waited for again at once
                self._next_look = self._clock() + self._seconds
        return self._found


class Latest[Found](Later[Found]):
    """Reads again at most once per interval; if nothing is read, the last value stays."""

    def now(self) -> Found | None:
        if self._clock() >= self._next_look:
            try:
                self._found = self._read() or self._found
            finally:
                self._next_look = self._clock() + self._seconds
        return self._found
