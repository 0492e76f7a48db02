"""Whose keys sign what the serving functions ask of S3, wherever those come from.

The credentials endpoint is one of the tests' own, which answers as Lambda's does for functions
with SnapStart. What no test here can show is Lambda's own endpoint, and a real snapshot.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from clinical.errors import StorageUnavailable
from clinical.obstore_bucket import ObstoreBucket, s3_bucket
from clinical.s3_client import CREDENTIALS_SECONDS, s3_store
from snapshot_restore_py import get_after_restore

from tests.faults import FaultyProxy, faulty_proxy
from tests.integration.conftest import Laptop
from tests.pipeline import ENVIRONMENT

AUTHORIZATION = "a token that Lambda gave"
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


class Endpoint(ThreadingHTTPServer):
    """Gives other keys each time it is asked, and only to who has the token."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Keys)
        self.lifetime = timedelta(hours=1)
        self.given = 0
        self.hangs: threading.Event | None = None


class _Keys(BaseHTTPRequestHandler):
    server: Endpoint

    def do_GET(self) -> None:
        if self.server.hangs:
            self.server.hangs.wait()
            return
        if self.headers["Authorization"] != AUTHORIZATION:
            self.send_error(401)
            return
        self.server.given += 1
        keys = {
            "AccessKeyId": f"KEY{self.server.given}",
            "SecretAccessKey": "secret",
            "Token": f"session {self.server.given}",
            "Expiration": f"{datetime.now(UTC) + self.server.lifetime:%Y-%m-%dT%H:%M:%SZ}",
        }
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(keys).encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as http.server has it
        """Say nothing."""


@pytest.fixture(scope="module")
def s3(start_laptop: Callable[[str], Laptop]) -> Iterator[FaultyProxy]:
    """S3 behind a proxy that notes who asks."""
    stack = start_laptop("credentials").start_cloud()
    stack.s3.create_bucket(Bucket="artifacts")
    stack.s3.put_object(Bucket="artifacts", Key="key", Body=b"body")
    with faulty_proxy(stack.cloud.endpoint_url) as proxy:
        yield proxy


@pytest.fixture
def bucket(s3: FaultyProxy, monkeypatch: pytest.MonkeyPatch) -> ObstoreBucket:
    """The bucket of an environment with no keys in it yet."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    for name in KEYS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.url)
    s3_store.cache_clear()
    s3.asked.clear()
    return s3_bucket("artifacts")


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    """Where a function with SnapStart finds its keys."""
    with Endpoint() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        url = f"http://127.0.0.1:{running.server_port}/2021-04-23/credentials"
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url)
        monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", AUTHORIZATION)
        yield running
        if running.hangs:
            running.hangs.set()
        running.shutdown()
        thread.join()


def signed_by(s3: FaultyProxy) -> list[tuple[str, str]]:
    """The access key and session token of each request, in order."""
    return [(one.signature.split("Credential=")[1].split("/")[0], one.token) for one in s3.asked]


@pytest.mark.parametrize("token", ["a session", ""])
def test_keys_in_the_environment_sign_with_their_session_token(
    s3: FaultyProxy, bucket: ObstoreBucket, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    for name, value in zip(KEYS, ("ASIAKEY", "secret", token), strict=True):
        monkeypatch.setenv(name, value)

    assert bucket.get("key").body == b"body"

    assert signed_by(s3) == [("ASIAKEY", token)]


def test_keys_of_the_endpoint_are_fetched_once_for_many_requests(
    s3: FaultyProxy, bucket: ObstoreBucket, endpoint: Endpoint
) -> None:
    for _ in range(3):
        assert bucket.get("key").body == b"body"

    assert signed_by(s3) == [("KEY1", "session 1")] * 3
    assert endpoint.given == 1


def test_the_token_may_be_in_a_file(
    s3: FaultyProxy,
    bucket: ObstoreBucket,
    endpoint: Endpoint,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = tmp_path / "token"
    file.write_text(f"{AUTHORIZATION}\n")
    monkeypatch.delenv("AWS_CONTAINER_AUTHORIZATION_TOKEN")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(file))

    assert bucket.get("key").body == b"body"

    assert endpoint.given == 1


def test_keys_that_expire_are_fetched_anew(
    s3: FaultyProxy, bucket: ObstoreBucket, endpoint: Endpoint
) -> None:
    endpoint.lifetime = timedelta(seconds=1)

    bucket.get("key")
    time.sleep(2)  # no condition to wait for: keys have no event that tells of their end
    bucket.get("key")

    assert signed_by(s3)[-1][0] == f"KEY{endpoint.given}" != "KEY1"


def test_a_restored_snapshot_fetches_keys_of_its_own(
    s3: FaultyProxy, bucket: ObstoreBucket, endpoint: Endpoint
) -> None:
    bucket.get("key")
    for hook, arguments, named in get_after_restore():
        if hook == s3_store.cache_clear:
            hook(*arguments, **named)

    bucket.get("key")

    assert [key for key, _ in signed_by(s3)] == ["KEY1", "KEY2"]


def test_an_endpoint_that_refuses_is_unavailable_storage(
    bucket: ObstoreBucket, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "another")

    with pytest.raises(StorageUnavailable, match="s3://artifacts/key") as told:
        bucket.get("key")

    assert "another" not in str(told.value)
    assert endpoint.given == 0


def test_an_endpoint_that_hangs_costs_no_more_than_the_deadline(
    bucket: ObstoreBucket, endpoint: Endpoint
) -> None:
    endpoint.hangs = threading.Event()
    began = time.monotonic()

    with pytest.raises(StorageUnavailable):
        bucket.within(CREDENTIALS_SECONDS / 2).get("key")

    assert time.monotonic() - began < CREDENTIALS_SECONDS / 2 + 5
