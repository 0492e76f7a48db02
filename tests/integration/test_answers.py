"""Whether a URL answers, whatever is listening there."""

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from local import background
from local.background import answers

SOON_SECONDS = 0.2


@contextmanager
def server(respond: Callable[[socket.socket], None]) -> Iterator[str]:
    """A program that responds to whoever connects, one after the other; gives its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    with connection, suppress(OSError):
                        connection.recv(1024)
                        respond(connection)

        serving = threading.Thread(target=serve)
        serving.start()
        try:
            yield f"http://localhost:{listening.getsockname()[1]}/health"
        finally:
            listening.shutdown(socket.SHUT_RDWR)  # which ends `accept`
            serving.join()


def sending(*parts: bytes) -> Callable[[socket.socket], None]:
    def send(connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for part in parts:
            connection.sendall(part)

    return send


def keep_silent(connection: socket.socket) -> None:
    connection.recv(1)  # until whoever asked gives up


def never_end(connection: socket.socket) -> None:
    """Send a status of zeros, so slowly that each is waited for, and all of them too long."""
    connection.settimeout(SOON_SECONDS / 2)
    connection.sendall(b"HTTP/1.1 ")
    while True:
        with suppress(TimeoutError):
            if not connection.recv(1):
                return
        connection.sendall(b"0")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ((b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",), True),
        ((b"HTTP/1.0 204 No Content\r\n\r\n",), True),
        ((*(b"%c" % byte for byte in b"HTTP/1.1 200"), b" OK\r\n\r\n"), True),
        ((b"HTTP/1.1 200",), True),
        ((b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\n\r\n",), False),
        ((b"HTTP/1.1 404 Not Found\r\n\r\n",), False),
        ((b"HTTP/1.1 503 Service Unavailable\r\n\r\n",), False),
        ((b"HTTP/1.1 20",), False),
        ((b"\x15\x03\x01\x00\x02\x02\x16 HTTP/1.1 200 OK\r\n",), False),
        ((), False),
    ],
)
def test_only_a_status_of_success_is_an_answer(said: tuple[bytes, ...], *, expected: bool) -> None:
    with server(sending(*said)) as url:
        assert answers(url) == expected


def test_where_nobody_listens_nothing_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]

    assert not answers(f"http://localhost:{port}/health")


@pytest.mark.parametrize("respond", [keep_silent, never_end])
def test_an_answer_that_does_not_come_is_given_up(
    respond: Callable[[socket.socket], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "ANSWER_SECONDS", SOON_SECONDS)

    with server(respond) as url:
        assert not answers(url)


@pytest.fixture
def _interrupted_by_ctrl_c() -> Iterator[None]:
    """Whoever runs the tests in the background may have them ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_interrupted_by_ctrl_c")
def test_an_interrupted_question_leaves_no_thread_behind() -> None:
    """A thread that still runs when Python ends can crash it, after all that is to be said."""

    def interrupt(connection: socket.socket) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        keep_silent(connection)

    with server(interrupt) as url:
        before = threading.enumerate()
        with pytest.raises(KeyboardInterrupt):
            answers(url)
        assert set(threading.enumerate()) <= set(before)
