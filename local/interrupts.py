"""Ctrl-C while a process is being started: it waits until somebody can end that process."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def held_back() -> Iterator[Callable[[], None]]:
    """Hold Ctrl-C back, until what this gives is called or the block ends; it is raised then.

    What is interrupted while it starts a process never learns which: that process would stay. Only
    the main thread is interrupted, so in another this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    came: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: came.append(number))

    def let_through() -> None:
        signal.signal(signal.SIGINT, before)
        if came:
            came.clear()
            raise KeyboardInterrupt

    try:
        yield let_through
    finally:
        let_through()
