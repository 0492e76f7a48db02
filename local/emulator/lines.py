"""Read all lines that a function's process writes, in time.

The process writes its lines to one pipe and then its answer to another, so they are complete when
the answer arrives. Ministack reads the lines in a thread and gives it a few milliseconds after the
answer: on a busy machine the thread is later, and a line is logged with the process's next
invocation, or lost if there is none. Here the reader of the answer reads the rest of the pipe,
without waiting.
"""

import os
import select
import threading
from typing import IO

CHUNK = 64 * 1024  # bytes, as much as a pipe holds


class Lines:
    """The lines of a pipe, read as they come, because a full pipe stops the process that writes."""

    def __init__(self, pipe: IO[str]) -> None:
        # A descriptor of its own: the process's may be closed, and its number given away.
        self._pipe = os.fdopen(os.dup(pipe.fileno()), "rb", buffering=0)
        os.set_blocking(self._pipe.fileno(), False)
        self._lock = threading.Lock()
        self._not_taken = b""

    def follow(self) -> None:
        """Read until no process can write any more."""
        while self._read() != b"":
            select.select([self._pipe], [], [])
        self.close()

    def close(self) -> None:
        """Stop reading; lines that were read can still be taken."""
        with self._lock:
            self._pipe.close()

    def taken(self) -> str:
        """Return everything written since the last call, without the last newline."""
        while self._read():
            pass
        with self._lock:
            text, self._not_taken = self._not_taken, b""
        return text.decode(errors="replace").removesuffix("\n")

    def _read(self) -> bytes | None:
        """Read a chunk: empty at the end of the pipe, None if there is nothing in it now."""
        with self._lock:
            chunk: bytes | None = b"" if self._pipe.closed else self._pipe.read(CHUNK)
            self._not_taken += chunk or b""
            return chunk
