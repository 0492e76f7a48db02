"""File locks between processes, which the kernel releases however their holder ends."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def in_turn(file: Path, *, shared: bool = False) -> Iterator[None]:
    """Wait for a file's lock, and hold it until the block ends.

    shared: hold a shared lock; otherwise an exclusive one.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as opened:
        fcntl.flock(opened, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield
