"""Ctrl-C, `kill` and a terminal that closes: a command first ends what it has started."""

import os
import signal
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

ALL = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
OUTPUTS = (1, 2)  # the file descriptors of what a command prints


def listen() -> None:
    """Raise KeyboardInterrupt for each from here on, but not for what `nohup` has it ignore."""
    for number in ALL:
        if number == signal.SIGINT or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _raise)


def ignore() -> None:
    """Let nothing interrupt what is left to say."""
    for number in ALL:
        signal.signal(number, signal.SIG_IGN)


def leave_to_the_system() -> None:
    """Have each end the process at once, without a traceback."""
    for number in ALL:
        signal.signal(number, signal.SIG_DFL)


def _raise(number: int, _frame: FrameType | None) -> NoReturn:
    if number == signal.SIGHUP:
        # What is printed on a terminal that is gone fails, even where it is cleared of a progress
        # bar, and would hide why. A file gets what is printed until the end.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for output in OUTPUTS:
            if stat.S_ISCHR(os.fstat(output).st_mode):
                os.dup2(nowhere, output)
        os.close(nowhere)
    raise KeyboardInterrupt


@contextmanager
def held_back() -> Iterator[Callable[[], None]]:
    """Hold back what is listened for, until what this gives is called or the block ends.

    KeyboardInterrupt is raised then.

    What is interrupted while it starts a process never learns which: that process would stay. Only
    the main thread is interrupted, so in another this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    came: list[int] = []
    before = {
        number: handler
        for number in ALL
        if callable(handler := signal.getsignal(number))  # and not left to the system, or ignored
    }
    for number in before:
        signal.signal(number, lambda number, _: came.append(number))

    def let_through() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)
        if came:
            first = came[0]
            came.clear()
            before[signal.Signals(first)](first, None)

    try:
        yield let_through
    finally:
        let_through()
