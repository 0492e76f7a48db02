import http.client
import json
import urllib.error
from pathlib import Path

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    ReadTimeoutError,
)
from botocore.parsers import ResponseParserError

from local.failures import UNREACHABLE, told

HOME = Path("/home/somebody/.local")
URL = "http://localhost:4566"


@pytest.mark.parametrize(
    "error",
    [
        EndpointConnectionError(endpoint_url=URL),
        ConnectionClosedError(endpoint_url=URL),
        ReadTimeoutError(endpoint_url=URL),
        ResponseParserError("Unable to parse response\n(no element found), invalid XML"),
        urllib.error.URLError("refused"),
        ConnectionResetError(104, "Connection reset by peer"),
        TimeoutError(),
        http.client.RemoteDisconnected("Remote end closed connection without response"),
        http.client.IncompleteRead(b"{"),
        json.JSONDecodeError("Expecting value", "<html>", 0),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_cloud_that_died_is_told_in_a_sentence_with_what_to_do(error: Exception) -> None:
    assert isinstance(error, UNREACHABLE)

    sentence = told(error, HOME)

    assert sentence.startswith("the local cloud did not answer properly (")
    assert "()" not in sentence
    assert str(HOME / "cloud.log") in sentence
    assert "`make up` starts it again" in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize(
    ("number", "why"),
    [(28, "the disk is full"), (13, "permission denied"), (30, "the disk is read-only")],
)
def test_a_disk_that_takes_no_more_is_told_as_that(number: int, why: str) -> None:
    error = OSError(number, "whatever the system calls it", str(HOME / "outputs.tmp"))

    assert told(error, HOME) == f"{HOME / 'outputs.tmp'} cannot be written: {why}"


def test_a_disk_that_is_full_is_told_where_the_system_names_no_file() -> None:
    assert told(OSError(28, "No space left"), HOME) == f"{HOME} cannot be written: the disk is full"


def test_a_request_that_was_refused_is_told_as_that() -> None:
    error = ClientError({"Error": {"Code": "NoSuchBucket", "Message": "It is not there"}}, "Get")

    assert told(error, HOME).startswith("the local cloud rejected a request: ")
    assert "NoSuchBucket" in told(error, HOME)
