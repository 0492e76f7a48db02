"""A request to a method that IAM authorises is let in as it was signed, and no other."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from local.emulator.signatures import INCOMPLETE, UNKNOWN, UNSIGNED, Request, refusal

ROOT = Credentials("test", "test")
SESSION = Credentials("ASIA1", "of the session", "token")
SECRETS = {(one.access_key, one.token): one.secret_key for one in (ROOT, SESSION)}
PATH = "/_aws/execute-api/0a1b2c3d/v1/approvals/drift-2026-11-26"
BODY = b'{"decision": "approve", "reason": "It is fine."}'


def secret_of(key: str, token: str | None) -> str | None:
    return SECRETS.get((key, token))


def signed(
    path: str = PATH, by: Credentials = ROOT, service: str = "execute-api", digest: str = ""
) -> Request:
    """Sign as any client of AWS does."""
    headers = {"Content-Type": "application/json"}
    if digest:
        headers["X-Amz-Content-SHA256"] = digest
    request = AWSRequest("POST", f"http://localhost:4566{path}", headers, BODY)
    SigV4Auth(by, service, "us-east-1").add_auth(request)
    sent = {name.lower(): str(value) for name, value in request.headers.items()}
    return Request("POST", path, {"host": "localhost:4566", **sent}, BODY)


def refused(request: Request, later: timedelta = timedelta()) -> str | None:
    found = refusal(request, secret_of, datetime.now(UTC) + later)
    return found.response if found else None


def test_who_signs_with_the_secret_of_a_key_is_let_in() -> None:
    assert refused(signed()) is None
    assert refused(signed(), timedelta(minutes=4)) is None
    assert refused(signed(by=SESSION)) is None
    assert refused(signed(digest=sha256(BODY).hexdigest())) is None


@pytest.mark.parametrize(
    "path", [f"{PATH}?b=2&a=1", f"{PATH}?x=%2F%20", "/v1/approvals/a.b_c", "/v1/approvals/a%20b"]
)
def test_path_and_query_are_as_they_were_sent(path: str) -> None:
    assert refused(signed(path)) is None


def test_what_is_not_signed_is_told_as_the_gateway_tells_it() -> None:
    request = signed()
    unsigned = {name: value for name, value in request.headers.items() if name != "authorization"}

    assert refusal(replace(request, headers=unsigned), secret_of, datetime.now(UTC)) == UNSIGNED


@pytest.mark.parametrize(
    "authorization",
    [
        "Bearer token",
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=test/20261126/us-east-1/execute-api/aws4_request",
        "AWS4-HMAC-SHA256 Credential=test/us-east-1, SignedHeaders=host, Signature=0",
        (
            "AWS4-HMAC-SHA256 Credential=test/20261126/us-east-1/execute-api/aws4_request, "
            "SignedHeaders=x-amz-date, Signature=0"
        ),
    ],
)
def test_what_is_no_signature_is_refused(authorization: str) -> None:
    request = signed()
    headers = {**request.headers, "authorization": authorization}

    assert refusal(replace(request, headers=headers), secret_of, datetime.now(UTC)) == INCOMPLETE


def test_a_key_that_nobody_has_is_refused() -> None:
    for request in (signed(by=Credentials("AKIA1", "test")), signed(by=Credentials("ASIA1", "x"))):
        assert refusal(request, secret_of, datetime.now(UTC)) == UNKNOWN


def test_nothing_that_was_signed_may_be_changed() -> None:
    others = [
        signed(by=Credentials("test", "a guess")),
        signed(service="s3"),
        replace(signed(), method="GET"),
        replace(signed(), path=f"{PATH}-of-another"),
        replace(signed(), path=f"{PATH}?a=1"),
        replace(signed(), body=BODY.replace(b"approve", b"reject")),
        replace(signed(), headers={**signed().headers, "host": "elsewhere"}),
        replace(signed(), headers={**signed().headers, "x-amz-date": "20261126T000000Z"}),
        signed(digest="0" * 64),
    ]

    assert {refused(one) for one in others} == {"INVALID_SIGNATURE"}


@pytest.mark.parametrize("later", [timedelta(minutes=6), timedelta(minutes=-6)])
def test_a_signature_holds_for_five_minutes(later: timedelta) -> None:
    assert refused(signed(), later) == "INVALID_SIGNATURE"
