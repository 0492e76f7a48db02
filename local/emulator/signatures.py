"""Verify signatures of methods with IAM authorization: a correction before ministack starts.

On AWS a request to such a method must be signed (Signature Version 4) with a key that IAM knows,
within the last minutes. Ministack only checks that there is an Authorization header. Here the
signature is computed again with the key's secret and must match: over the path and query as sent,
the signed headers, and the body.

The region of its scope is not checked, nor, unless ministack enforces IAM, whether a policy lets
the caller invoke the method. Signatures in the query, which AWS accepts, are not supported.
"""

import contextvars
import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

ALGORITHM = "AWS4-HMAC-SHA256"
SERVICE = "execute-api"
SKEW = timedelta(minutes=5)  # by which the clock of who signs may be off
STAMP = "%Y%m%dT%H%M%SZ"

type SecretOf = Callable[[str, str | None], str | None]


@dataclass(frozen=True)
class Refused:
    """Why a request is refused: the gateway's response, and its message.

    error: as the header x-amzn-ErrorType names it.
    """

    response: str
    error: str
    message: str


@dataclass(frozen=True)
class Request:
    """A request as it was sent. headers: by their names in lower case. path: with its query."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Signature:
    """A parsed Authorization header. headers: those that are signed."""

    key: str
    day: str
    region: str
    service: str
    headers: tuple[str, ...]
    signature: str


UNSIGNED = Refused(
    "MISSING_AUTHENTICATION_TOKEN",
    "MissingAuthenticationTokenException",
    "Missing Authentication Token",
)
INCOMPLETE = Refused(
    "DEFAULT_4XX",
    "IncompleteSignatureException",
    f"Authorization header requires {ALGORITHM} with 'Credential', 'SignedHeaders' (host among "
    "them) and 'Signature', and a header 'X-Amz-Date'.",
)
UNKNOWN = Refused(
    "DEFAULT_4XX",
    "UnrecognizedClientException",
    "The security token included in the request is invalid.",
)


def read(authorization: str) -> Signature | None:
    """Parse an Authorization header; None if it is not a signature of this kind."""
    algorithm, _, rest = authorization.partition(" ")
    said = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    scope = said.get("Credential", "").split("/")
    headers = tuple(said.get("SignedHeaders", "").split(";"))
    if algorithm != ALGORITHM or "host" not in headers or not said.get("Signature"):
        return None
    match scope:
        case [key, day, region, service, "aws4_request"] if key:
            return Signature(key, day, region, service, headers, said["Signature"])
    return None


def refusal(request: Request, secret_of: SecretOf, now: datetime) -> Refused | None:
    """Return why a request is refused; None if it is accepted.

    secret_of: returns the secret of a key, with or without a session token; None if unknown.
    """
    if not (authorization := request.headers.get("authorization")):
        return UNSIGNED
    claimed, stamp = read(authorization), request.headers.get("x-amz-date", "")
    if claimed is None or not stamp:
        return INCOMPLETE
    secret = secret_of(claimed.key, request.headers.get("x-amz-security-token"))
    if secret is None:
        return UNKNOWN
    wrong = _wrong(request, claimed, stamp, secret, now)
    return Refused("INVALID_SIGNATURE", "InvalidSignatureException", wrong) if wrong else None


def _wrong(
    request: Request, claimed: Signature, stamp: str, secret: str, now: datetime
) -> str | None:
    if when := _late_or_early(stamp, now):
        return when
    if stamp[:8] != claimed.day:
        return "Date in Credential scope is not that of 'X-Amz-Date'."
    if claimed.service != SERVICE:
        return f"Credential should be scoped to correct service: '{SERVICE}'."
    of_the_body = hashlib.sha256(request.body).hexdigest()
    again = signature_of(request, claimed, stamp, secret)
    if request.headers.get(
        "x-amz-content-sha256", of_the_body
    ) == of_the_body and hmac.compare_digest(again, claimed.signature):
        return None
    return (
        "The request signature we calculated does not match the signature you provided. Check your "
        "AWS Secret Access Key and signing method."
    )


def signature_of(request: Request, claimed: Signature, stamp: str, secret: str) -> str:
    """Sign a request with a secret, in the way that its header states."""
    signed = {name: request.headers.get(name, "") for name in claimed.headers}
    again = AWSRequest(
        request.method, f"http://{request.headers['host']}{request.path}", signed, request.body
    )
    again.context["timestamp"] = stamp
    signer = SigV4Auth(Credentials(claimed.key, secret), claimed.service, claimed.region)
    said = signer.string_to_sign(again, signer.canonical_request(again))
    signature: str = signer.signature(said, again)
    return signature


def _late_or_early(stamp: str, now: datetime) -> str | None:
    try:
        signed_at = datetime.strptime(stamp, STAMP).replace(tzinfo=UTC)
    except ValueError:
        return f"Date must be in ISO-8601 'basic format'. Got '{stamp}'."
    if abs(now - signed_at) <= SKEW:
        return None
    when = "expired" if signed_at < now else "not yet current"
    return f"Signature {when}: {stamp}, and it is {now:{STAMP}}."


def install() -> None:
    # Here alone, so that what is above can be tested where there is no ministack.
    from ministack import app  # noqa: PLC0415
    from ministack.core import iam_evaluator  # noqa: PLC0415
    from ministack.services import apigateway_v1  # noqa: PLC0415

    sent: contextvars.ContextVar[str] = contextvars.ContextVar("sent")
    answer: Callable[..., Awaitable[None]] = app.app
    authorize: Callable[..., Awaitable[Any]] = apigateway_v1._authorize_request_v1  # noqa: SLF001

    def secret_of(key: str, token: str | None) -> str | None:
        found = iam_evaluator.resolve_credential(key, session_token=token)
        secret: str | None = getattr(found, "secret_access_key", None)
        return secret

    async def answer_and_note(scope: dict[str, Any], *others: object) -> None:
        if scope["type"] == "http":
            path, query = scope.get("raw_path") or scope["path"].encode(), scope["query_string"]
            sent.set(b"?".join((path, query) if query else (path,)).decode("latin-1"))
        await answer(scope, *others)

    async def authorize_signed(  # noqa: PLR0913, PLR0917 - as ministack calls it
        api_id: str,
        stage: str,
        method: dict[str, Any],
        verb: str,
        path: str,
        resource: dict[str, Any],
        headers: dict[str, str],
        body: bytes,
        *others: object,
    ) -> Any:  # noqa: ANN401 - likewise
        if method.get("authorizationType") == "AWS_IAM":
            asked = Request(verb, sent.get(), headers, body or b"")
            refused = refusal(asked, secret_of, datetime.now(UTC))
            if refused:
                error = (refused.response, refused.message, refused.error)
                return apigateway_v1._GatewayError(*error), None  # noqa: SLF001
        return await authorize(api_id, stage, method, verb, path, resource, headers, body, *others)

    app.app = answer_and_note
    apigateway_v1._authorize_request_v1 = authorize_signed  # noqa: SLF001
