"""What comes to be only later: what is measured beside a promotion, and what is day by day."""

import time
from collections.abc import Callable


class Later[Found]:
    """Reads until something is there, at most once in so many seconds, and then keeps it.

    read: gives None where there is nothing yet. clock: seconds that only grow.
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
    """Reads anew, at most once in so many seconds; where nothing is read, what was there stays."""

    def now(self) -> Found | None:
        if self._clock() >= self._next_look:
            try:
                self._found = self._read() or self._found
            finally:
                self._next_look = self._clock() + self._seconds
        return self._found
