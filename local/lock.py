"""Let one command at a time change a home; the kernel lets go of the lock of one that dies."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.cloud import CloudFailed

# What may run beside itself, though beside nothing that starts, deploys or stops.
SHARED = {"retrain", "score", "monitor", "outcomes", "rollback"}
ALONE = {"up", "down", "simulate"}  # a simulation forgets what another would be looking at


@contextmanager
def held(home: Path, command: str) -> Iterator[None]:
    """Hold a home's lock, if the command is one that needs it.

    Raises CloudFailed, which says who holds it, where another command does.
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
                f"{file.read() or 'another command'} is at work on {home}: wait until it has "
                "ended, or stop it with Ctrl-C"
            ) from None
        file.truncate(0)
        file.write(f"`make {command}` (process {os.getpid()})")
        file.flush()
        yield
