"""Allow one command at a time to change a home; the kernel releases the lock of one that dies."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.cloud import CloudFailed

# Commands that may run concurrently, but not with one that starts, deploys or stops.
SHARED = {"retrain", "score", "monitor", "outcomes", "rollback"}
ALONE = {"up", "down", "simulate"}  # a simulation removes data that another command may be reading


@contextmanager
def held(home: Path, command: str) -> Iterator[None]:
    """Hold a home's lock, if the command needs it.

    Raises CloudFailed, which names the holder, if another command holds it.
    """
    if command not in SHARED | ALONE or not home.exists():
        yield
        return
    with (home / "lock").open("a+") as file:
        try:
            kind = fcntl.LOCK_SH if command in SHARED else fcntl.LOCK_EX
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise CloudFailed(
                f"{file.read() or 'another command'} is already running on {home}: wait for it to "
                "finish, or stop it with Ctrl-C"
            ) from None
        file.truncate(0)
        file.write(f"`make {command}` (process {os.getpid()})")
        file.flush()
        yield
