"""Waiting for conditions, however busy this machine is with something else."""

import time
from collections.abc import Callable

PATIENCE_SECONDS = 600  # nothing is measured by it: a machine may be busy with much else
LOOK_AGAIN_SECONDS = 0.3
MOMENT_SECONDS = 0.02  # where what is waited for may soon be over


def until[Answer](
    ask: Callable[[], Answer | None], what: str, every: float = LOOK_AGAIN_SECONDS
) -> Answer:
    """Ask until there is an answer that says something.

    what: what is waited for, to say where it does not come. every: the seconds between.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (answer := ask()):
        assert time.monotonic() < deadline, f"{what}: not within {PATIENCE_SECONDS} s"
        time.sleep(every)
    return answer
