"""boto3's clients of the local clouds, each created once in a process, which takes 0.1 s."""

import threading
from functools import cache
from typing import Any

import boto3
from botocore.config import Config

from local.cloud import REGION

_one_at_a_time = threading.Lock()  # boto3 creates a session's clients in one thread at a time


def client(service: str, endpoint_url: str) -> Any:  # noqa: ANN401 - boto3's type
    """Return the process's client of a cloud's service; any thread may use it."""
    with _one_at_a_time:
        return _kept(service, endpoint_url)


def new_client(service: str, endpoint_url: str) -> Any:  # noqa: ANN401 - boto3's type
    """Create a separate client, to listen to its responses."""
    with _one_at_a_time:
        return _created(service, endpoint_url)


@cache
def _kept(service: str, endpoint_url: str) -> Any:  # noqa: ANN401 - boto3's type
    return _created(service, endpoint_url)


def _created(service: str, endpoint_url: str) -> Any:  # noqa: ANN401 - boto3's type
    return _session().client(
        service,  # type: ignore[call-overload]
        endpoint_url=endpoint_url,
        # Report a cloud that has crashed, rather than wait for it.
        config=Config(
            s3={"addressing_style": "path"},
            connect_timeout=10,
            retries={"total_max_attempts": 2},
        ),
    )


@cache
def _session() -> boto3.Session:
    """Return the session of all clients: it reads the services' descriptions once."""
    return boto3.Session(
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106 - the local cloud accepts any
        region_name=REGION,
    )
