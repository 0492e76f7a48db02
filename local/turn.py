"""Turns that processes take, which end with whoever has one, however that ends."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def in_turn(file: Path, *, shared: bool = False) -> Iterator[None]:
    """Wait for a file's lock, and hold it until the block ends.

    shared: with others who share it too, and with nobody who wants it alone.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as opened:
        fcntl.flock(opened, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield
