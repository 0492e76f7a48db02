"""What a function's process wrote before its answer is there with the answer."""

import os
import select
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import IO

import pytest

from local.emulator.lines import CHUNK, Lines
from tests.patience import PATIENCE_SECONDS, until

# Writes so many lines for each answer that it is asked for, as a worker of the cloud does.
WORKER = """
import sys
for number, asked in enumerate(sys.stdin):
    for line in range(int(asked)):
        print(f"{number} {line}", file=sys.stderr)
    print(number, flush=True)
"""


@pytest.fixture
def worker() -> Iterator[subprocess.Popen[str]]:
    """A process that writes lines, and ends with the test."""
    with subprocess.Popen(
        [sys.executable, "-c", WORKER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        bufsize=1,
    ) as process:
        yield process
        process.kill()


@pytest.fixture
def lines(worker: subprocess.Popen[str]) -> Iterator[Lines]:
    assert worker.stderr
    read = Lines(worker.stderr)
    yield read
    read.close()


def answer(worker: subprocess.Popen[str], lines: int) -> str:
    assert worker.stdin
    assert worker.stdout
    worker.stdin.write(f"{lines}\n")
    return worker.stdout.readline()


def pipe() -> tuple[IO[str], IO[bytes]]:
    read, write = os.pipe()
    return os.fdopen(read), os.fdopen(write, "wb", buffering=0)


def following(lines: Lines) -> threading.Thread:
    thread = threading.Thread(target=lines.follow, daemon=True)
    thread.start()
    return thread


def test_each_answer_comes_with_its_own_lines_even_if_no_thread_ever_reads(
    worker: subprocess.Popen[str], lines: Lines
) -> None:

    for number in range(50):
        answer(worker, 3)
        assert lines.taken() == "\n".join(f"{number} {line}" for line in range(3))


def test_more_lines_than_a_pipe_holds_do_not_stop_the_process(
    worker: subprocess.Popen[str], lines: Lines
) -> None:
    following(lines)
    many = CHUNK // 2

    answer(worker, many)

    assert lines.taken().splitlines() == [f"0 {line}" for line in range(many)]


def test_an_invocation_that_writes_nothing_has_no_line(
    worker: subprocess.Popen[str], lines: Lines
) -> None:
    following(lines)

    answer(worker, 1)
    lines.taken()
    answer(worker, 0)

    assert lines.taken() == ""


def test_what_a_killed_process_had_written_is_there_and_the_thread_ends(
    worker: subprocess.Popen[str], lines: Lines
) -> None:
    thread = following(lines)
    answer(worker, 2)

    worker.kill()
    thread.join(PATIENCE_SECONDS)

    assert not thread.is_alive()
    assert lines.taken() == "0 0\n0 1"
    assert lines.taken() == ""


def test_a_letter_that_comes_in_two_halves_is_one_letter() -> None:
    read, write = pipe()
    lines = Lines(read)
    thread = following(lines)
    with read, write:
        for byte in "Ä\n".encode():
            write.write(bytes([byte]))
            until(lambda: not unread(read), "the byte to be read")
        assert lines.taken() == "Ä"
    thread.join(PATIENCE_SECONDS)


def test_a_pipe_whose_number_was_given_away_is_still_its_own() -> None:
    read, write = pipe()
    lines = Lines(read)
    read.close()
    other_read, other_write = pipe()  # by the number that has just become free
    with write, other_read, other_write:
        write.write(b"mine\n")
        other_write.write(b"another's\n")
        assert lines.taken() == "mine"
        assert other_read.readline() == "another's\n"
    lines.close()


def unread(pipe: IO[str]) -> bool:
    """Tell whether bytes are left in a pipe that Lines reads, which made it non-blocking."""
    return bool(select.select([pipe], [], [], 0)[0])
