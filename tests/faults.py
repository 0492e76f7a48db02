"""A proxy before S3, on loopback, that fails as services and networks do."""

import http.client
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import urlsplit

LATE_SECONDS = 1.5  # longer than a refresh has, and three times less than a first load
TRICKLE_SECONDS = 0.1  # between two bytes
ERROR = '<?xml version="1.0"?><Error><Code>{code}</Code><Message>no</Message></Error>'


class Fault(StrEnum):
    """How a request of S3 goes wrong. What is named by a status is answered by S3's own words."""

    UNAVAILABLE = "503"
    BROKEN = "500"
    DENIED = "403"
    MISSING = "404"
    RESET = "reset"
    CLOSED = "closed before it answers"
    LATE = "late"
    HANGING = "hanging"
    TRICKLING = "trickling"
    TRUNCATED = "truncated"
    NO_ETAG = "without an ETag"
    OTHER_BYTES = "other bytes"
    GARBAGE = "no HTTP"


@dataclass(frozen=True)
class Request:
    """What S3 was asked, and by whose keys it was signed."""

    method: str
    path: str
    signature: str = field(repr=False)
    token: str = field(repr=False)


class FaultyProxy(ThreadingHTTPServer):
    """Hands requests on to S3, and answers back, unless it is told to fail."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, upstream: str) -> None:
        super().__init__(("127.0.0.1", 0), _Relay)
        self.upstream = urlsplit(upstream).netloc
        self.fault: Fault | None = None
        self.only = ""
        self.over = threading.Event()  # which ends all waiting
        self.asked: list[Request] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @contextmanager
    def failing(self, fault: Fault, only: str = "") -> Iterator[Self]:
        """Fail for as long as it is needed; only: what a path and query contain that fail."""
        self.over.clear()
        self.only = only
        self.fault = fault
        try:
            yield self
        finally:
            self.fault = None
            self.over.set()

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that gave up are what is tested, and nothing to report."""


@contextmanager
def faulty_proxy(upstream: str) -> Iterator[FaultyProxy]:
    """Run a proxy before an S3 for as long as it is needed."""
    with FaultyProxy(upstream) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield proxy
        finally:
            proxy.over.set()
            proxy.shutdown()
            thread.join()


class _Relay(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FaultyProxy

    def relay(self) -> None:
        fault = self.server.fault if self.server.only in self.path else None
        signed = (self.headers.get(name, "") for name in ("Authorization", "X-Amz-Security-Token"))
        self.server.asked.append(Request(self.command, self.path, *signed))
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if len(body) < length:  # the client gave up, and S3 would wait for the rest
            self.close_connection = True
            return
        match fault:
            case Fault.UNAVAILABLE | Fault.BROKEN | Fault.DENIED | Fault.MISSING:
                self._answer_error(int(fault))
            case Fault.HANGING:
                self.server.over.wait()
                self.close_connection = True
            case Fault.CLOSED:
                self.close_connection = True
            case Fault.RESET:
                self._reset()
            case Fault.GARBAGE:
                self._send(b"\x16\x03\x01 what is this \xff\r\n\r\n", last=True)
            case _:
                self._hand_on(fault, body)

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = relay

    def _hand_on(self, fault: Fault | None, body: bytes) -> None:
        with closing(http.client.HTTPConnection(self.server.upstream, timeout=60)) as upstream:
            upstream.request(self.command, self.path, body, dict(self.headers.items()))
            answer = upstream.getresponse()
            payload, kept = answer.read(), dict(answer.getheaders())
        for name in list(kept):
            hop = {"connection", "keep-alive", "transfer-encoding", "content-length"}
            if name.lower() in hop or (fault is Fault.NO_ETAG and name.lower() == "etag"):
                del kept[name]
        if fault is Fault.OTHER_BYTES:
            payload = payload[::-1]
        length = answer.getheader("Content-Length") if self.command == "HEAD" else len(payload)
        kept["Content-Length"] = str(length)
        lines = [f"HTTP/1.1 {answer.status} {answer.reason}"]
        lines += [f"{name}: {value}" for name, value in kept.items()]
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        match fault:
            case Fault.LATE:
                self.server.over.wait(LATE_SECONDS)
                self._send(head + payload, last=True)
            case Fault.TRICKLING:
                for byte in head + payload:
                    self._send(bytes([byte]), last=True)
                    self.server.over.wait(TRICKLE_SECONDS)
            case Fault.TRUNCATED:
                half = payload[: len(payload) // 2] if payload else b""
                self._send(head[: None if payload else len(head) // 2] + half, last=True)
            case _:
                self._send(head + payload)

    def _answer_error(self, status: int) -> None:
        payload = ERROR.format(code={403: "AccessDenied", 404: "NoSuchKey"}.get(status, "SlowDown"))
        head = f"HTTP/1.1 {status} No\r\nContent-Type: application/xml\r\n"
        self._send(f"{head}Content-Length: {len(payload)}\r\n\r\n{payload}".encode())

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.rfile.close()
        self.connection.close()

    def _send(self, raw: bytes, *, last: bool = False) -> None:
        self.connection.sendall(raw)
        self.close_connection = self.close_connection or last

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as http.server has it
        """Say nothing."""
