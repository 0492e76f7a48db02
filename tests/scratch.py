"""Where a run of many tests writes: in memory, where there is plenty of it.

All tests write 6 GB, most of it in small files that are soon deleted. On a disk, to find places for
them takes a twentieth of all processor time.
"""

import os
import shutil
from pathlib import Path

import psutil

MEMORY = Path("/dev/shm")  # noqa: S108 - each run has a folder of its own there
RUN_BYTES = 8 * 2**30  # and some more than all tests need
OTHERS_BYTES = 10 * 2**30  # for clouds, browsers and models


def make_folder() -> Path | None:
    """Make a folder in memory for this process; None where this machine has too little of it.

    What earlier runs left there is removed: runs that failed, for whoever looks, or were killed.
    """
    if not MEMORY.is_dir():
        return None
    folders = MEMORY / f"clinical-outcomes-tests-{os.getuid()}"
    folders.mkdir(mode=0o700, exist_ok=True)
    if folders.lstat().st_uid != os.getuid():  # anybody may write there
        return None
    for left in folders.glob("[0-9]*"):
        if int(left.name) == os.getpid() or not psutil.pid_exists(int(left.name)):
            shutil.rmtree(left, ignore_errors=True)
    free, available = shutil.disk_usage(MEMORY).free, psutil.virtual_memory().available
    if free < RUN_BYTES or available < RUN_BYTES + OTHERS_BYTES:
        return None
    folder = folders / str(os.getpid())
    folder.mkdir(mode=0o700)
    return folder
