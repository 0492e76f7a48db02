import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Lock

from local.turn import in_turn
from tests.patience import PATIENCE_SECONDS

RACERS, ROUNDS = 4, 25


def test_of_those_who_want_a_turn_one_has_it(tmp_path: Path) -> None:
    has_it = Lock()

    def race(_: int) -> None:
        for _ in range(ROUNDS):
            with in_turn(tmp_path / "lock"):
                assert has_it.acquire(blocking=False)
                has_it.release()

    with ThreadPoolExecutor(RACERS) as threads:
        assert list(threads.map(race, range(RACERS))) == [None] * RACERS


def test_those_who_share_a_turn_have_it_together(tmp_path: Path) -> None:
    together = Barrier(RACERS)

    def share(_: int) -> None:
        with in_turn(tmp_path / "lock", shared=True):
            together.wait(PATIENCE_SECONDS)

    with ThreadPoolExecutor(RACERS) as threads:
        assert list(threads.map(share, range(RACERS))) == [None] * RACERS


def test_a_turn_ends_with_the_process_that_has_it(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "lock"
    hold = (
        "import sys; from pathlib import Path; from local.turn import in_turn\n"
        "with in_turn(Path(sys.argv[1])): print('has it', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", hold, file], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"has it\n"

        process.kill()

        with in_turn(file):
            pass
