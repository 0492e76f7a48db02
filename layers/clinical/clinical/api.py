"""The HTTP border: what every function of the API does around its routes.

Everything that Powertools would interpret is decided here first: the route, from the resource that
API Gateway matched; the path parameters; HEAD as GET; the body, parsed once. Headers and encodings
are not passed on, because a second parser might disagree with the first: Powertools takes the first
element of a list, or crashes.
Errors are returned as RFC 9457 problems, built in one place, and no response is larger than Lambda
allows.
"""

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from operator import attrgetter
from types import MappingProxyType, UnionType
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response, content_types
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError
from aws_lambda_powertools.event_handler.openapi.types import OpenAPIResponse
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel, ValidationError

from clinical import body, telemetry
from clinical.contract import Problem, Violation
from clinical.cors import Cors
from clinical.environment import environment
from clinical.errors import (
    ApprovalSettled,
    ArtefactCorrupted,
    BodyTooLarge,
    BodyUnreadable,
    CallerUnknown,
    ClinicalError,
    MediaTypeUnsupported,
    NotFound,
    RecordsUnavailable,
    RequestInvalid,
    RouteUnknown,
    StorageUnavailable,
    Unavailable,
)
from clinical.params import params
from clinical.sam_local import what_to_run

type Event = dict[str, Any]
type Headers = dict[str, list[str]]
type Location = tuple[str | int, ...]
type Handler = Callable[[Event, LambdaContext], dict[str, Any]]

PROBLEM_JSON = "application/problem+json"
REPORTED_IN_DETAIL = 5  # of the violations
LISTED_VIOLATIONS = 100  # in one problem
LISTED_BYTES = 2_500_000  # of violations in one answer, for Lambda allows it 6 MB in all
MESSAGE = 500  # characters of a violation's message
LOGGED_VIOLATIONS = 20
PARAMETER = re.compile("{([a-z_]+)}")  # of a path, as a resource has it
# What may stand for one: ids and names of executions do not say more.
IN_A_PATH = re.compile("[0-9A-Za-z._-]{1,80}")
SCHEDULED = "scheduled"  # a member of the event that API Gateway never sends: so no client can

_DECIDING = ("content-type", "content-encoding", "origin")

_STATUS: dict[type[ClinicalError], HTTPStatus] = {
    BodyUnreadable: HTTPStatus.BAD_REQUEST,
    CallerUnknown: HTTPStatus.FORBIDDEN,
    NotFound: HTTPStatus.NOT_FOUND,
    ApprovalSettled: HTTPStatus.CONFLICT,
    BodyTooLarge: HTTPStatus.CONTENT_TOO_LARGE,
    MediaTypeUnsupported: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    RequestInvalid: HTTPStatus.UNPROCESSABLE_CONTENT,
    Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}

# What API Gateway may answer on any route, before a function is asked or in its place.
_FROM_THE_GATEWAY: dict[int, str] = {
    HTTPStatus.FORBIDDEN: "The API key in x-api-key is missing or invalid (where one is required)",
    HTTPStatus.TOO_MANY_REQUESTS: "Rate limit or quota exceeded; try again later",
    HTTPStatus.BAD_GATEWAY: HTTPStatus.BAD_GATEWAY.phrase,
    HTTPStatus.GATEWAY_TIMEOUT: HTTPStatus.GATEWAY_TIMEOUT.phrase,
}


@dataclass(frozen=True)
class Body:
    """A parsed body, which Powertools takes as it is."""

    value: object


def resolver() -> APIGatewayRestResolver:
    """Make a resolver that validates requests, and raises the errors that this module answers."""
    app = APIGatewayRestResolver(enable_validation=True, json_body_deserializer=attrgetter("value"))

    @app.exception_handler(RequestValidationError)  # type: ignore[untyped-decorator]
    def invalid(error: RequestValidationError) -> None:
        raise RequestInvalid(violations(error))

    @app.exception_handler(Exception)  # type: ignore[untyped-decorator]
    def escape(error: Exception) -> None:
        # Powertools logs what no handler takes with its message, which may hold a request's words.
        raise error

    return app


def answers(model: type[BaseModel] | UnionType, *problems: int) -> dict[int, OpenAPIResponse]:
    """Document a route's responses: its model, and the problems it may answer with."""
    documented: dict[int, OpenAPIResponse] = {
        HTTPStatus.OK: {
            "description": HTTPStatus.OK.phrase,
            "content": {"application/json": {"model": model}},
        }
    }
    told: dict[int, str] = {status: HTTPStatus(status).phrase for status in problems}
    for status, description in (told | _FROM_THE_GATEWAY).items():
        documented[status] = {
            "description": description,
            "content": {PROBLEM_JSON: {"model": Problem}},
        }
    return documented


def forbidden(why: str) -> dict[int, OpenAPIResponse]:
    """Document a route's own reason for a 403, in place of the gateway's."""
    return {
        HTTPStatus.FORBIDDEN: {"description": why, "content": {PROBLEM_JSON: {"model": Problem}}}
    }


def written(answer: BaseModel) -> Response[str]:
    """Respond with a model that was validated when it was built; it is serialised once."""
    return Response(
        HTTPStatus.OK, content_types.APPLICATION_JSON, answer.model_dump_json(by_alias=True)
    )


@contextmanager
def needed(what: str, reasons: Mapping[type[ClinicalError], str]) -> Iterator[None]:
    """Turn a storage error into the reason that a client may see.

    what: the thing that could not be read or written. reasons: sentences by error, with a
    placeholder for `what`.
    """
    try:
        yield
    except tuple(reasons) as error:
        telemetry.logger().error(
            "A request could not be answered because something it needs is unavailable.",
            extra={"error": type(error).__name__, "reason": str(error), "needed": what},
        )
        if isinstance(error, ArtefactCorrupted):
            telemetry.count(telemetry.Metric.ARTEFACTS_REFUSED)
        (said,) = (said for kind, said in reasons.items() if isinstance(error, kind))
        reason = said.format(what=what)
        if isinstance(error, StorageUnavailable):
            reason += what_to_run()
        raise RecordsUnavailable(reason[0].upper() + reason[1:]) from error


def violations(
    error: RequestValidationError | ValidationError, where: Location = ()
) -> tuple[Violation, ...]:
    """Extract the location and message of each validation error, without the input.

    where: the prefix of every location.
    """
    return tuple(_violation(wrong, where) for wrong in error.errors())


def _violation(wrong: Mapping[str, Any], where: Location) -> Violation:
    # A location may contain the client's own words: the name of an unknown field.
    loc = (*where, *(body.shown(one) if isinstance(one, str) else one for one in wrong["loc"]))
    if wrong["type"] in _NO_OBJECT or (wrong["type"] == "missing" and loc == ("body",)):
        kind = _KINDS.get(type(wrong["input"]), "null")
        return Violation(
            loc=loc, msg=f"Input should be a single JSON object, not {kind}", type="model_type"
        )
    msg = wrong["msg"]
    return Violation(
        loc=loc,
        msg=msg if len(msg) <= MESSAGE else f"{msg[:MESSAGE]}…",
        type=wrong["type"],
    )


_NO_OBJECT = {"model_type", "model_attributes_type"}
_KINDS = {
    str: "a string",
    int: "a number",
    float: "a number",
    bool: "a boolean",
    list: "an array",
    tuple: "an array",
}


def lambda_handler(
    app: APIGatewayRestResolver,
    predictions: frozenset[str] = frozenset(),
    body_limits: Mapping[str, int] = MappingProxyType({}),
) -> Handler:
    """Wrap an app in the border: body checks, problems, one line of telemetry per request.

    predictions: the routes, such as "POST /predict", whose faults count as prediction errors.
    body_limits: bytes by route, where the limit is not `serving.max_body_bytes`.
    """
    cors = Cors.of(environment().allowed_origins)
    limits, methods = dict[str, int](), dict[str, set[str]]()
    for one in (*app._static_routes, *app._dynamic_routes):  # noqa: SLF001
        route = f"{one.method} {one.openapi_path}"
        limits[route] = body_limits.get(route, params().serving.max_body_bytes)
        methods.setdefault(one.openapi_path, set()).update(
            {"GET", "HEAD"} if one.method == "GET" else {one.method}
        )
    first = iter((True,))  # invocation of this environment

    @telemetry.logger().inject_lambda_context(clear_state=True)
    @telemetry.leaves_a_line
    def handle(event: Event, context: LambdaContext) -> dict[str, Any]:
        started, cold = time.perf_counter(), next(first, False)
        method, path = event.get("httpMethod"), path_of(event)
        headers = headers_of(event)
        route = f"{'GET' if method == 'HEAD' else method} {path}"
        allowed = cors.headers(headers["origin"])
        facts: dict[str, object] = {"request_id": context.aws_request_id}
        try:
            if method == "OPTIONS" and path in methods:
                allowed = cors.preflight(headers["origin"], methods[path])
                response = _answer(HTTPStatus.NO_CONTENT)
            else:
                response = app.resolve(decided(event, route, headers, limits), context)
        except tuple(_STATUS) as error:
            response = _answered(problem_of(error))
            response["multiValueHeaders"] |= retry_after(error)
            facts |= _described(error)
        except Exception as error:  # noqa: BLE001 - the outermost border
            telemetry.logger().error(
                "A request failed.",
                error=type(error).__name__,
                frames=telemetry.frames(error),
            )
            response = _answered(_fault(context))
            facts["error"] = type(error).__name__
        status = response["statusCode"]
        response["multiValueHeaders"] |= allowed
        response["multiValueHeaders"]["X-Content-Type-Options"] = ["nosniff"]
        response["multiValueHeaders"].setdefault("Cache-Control", ["no-store"])
        if method == "HEAD":
            response["body"] = ""
        if route in predictions:
            faulty = status >= HTTPStatus.INTERNAL_SERVER_ERROR
            telemetry.add(telemetry.Metric.PREDICTION_ERRORS, int(faulty))
        matched = route if route in limits else "unmatched"
        telemetry.write_further_lines(route=matched, status=status, **facts)
        if event.get(SCHEDULED):  # not a client's request, so it is not counted as one
            telemetry.note(scheduled=True, status=status, **facts)
            return response
        telemetry.record_request(
            matched,
            status,
            time.perf_counter() - started,
            cold=cold,
            properties=facts,
        )
        return response

    handler: Handler = handle
    return handler


def path_of(event: Event) -> str:
    """Return the requested path in the form of a route, such as /predictions/{prediction_id}.

    This is the resource that API Gateway matched, whatever a custom domain puts before it and
    however the path was encoded or ended.
    """
    path: str = event.get("resource") or event.get("path") or ""
    return path.rstrip("/") or "/"


def headers_of(event: Event) -> Headers:
    """Return all values of the headers that matter here, by lower-case name."""
    headers: Headers = {name: [] for name in _DECIDING}
    for name, values in (event.get("multiValueHeaders") or {}).items():
        if (known := headers.get(name.lower())) is not None:
            known += values or ()
    for name, value in (event.get("headers") or {}).items():
        known = headers.get(name.lower())
        if known is not None and value is not None and value not in known:
            known.append(value)
    return headers


def decided(event: Event, route: str, headers: Headers, limits: Mapping[str, int]) -> Event:
    """Return the event for Powertools, with nothing left to interpret.

    limits: of the request body in bytes, by route. Raises RouteUnknown, RequestInvalid,
    MediaTypeUnsupported, BodyTooLarge, BodyUnreadable.
    """
    if route not in limits:
        raise RouteUnknown("No route matches this method and path; see /docs.")
    method, path = route.split(" ")
    path = PARAMETER.sub(lambda named: _in_path(event, named[1]), path)
    asked_for = event.get("path") or ""
    slashes = asked_for[len(asked_for.rstrip("/")) :]  # where they end, the documentation must know
    query = {
        **{name: [value] for name, value in (event.get("queryStringParameters") or {}).items()},
        **(event.get("multiValueQueryStringParameters") or {}),
    }
    return {
        "httpMethod": method,
        "path": path + slashes,
        "headers": {},
        "queryStringParameters": {},
        "multiValueQueryStringParameters": query,
        "requestContext": event.get("requestContext") or {},
        "body": Body(_read(event, headers, limits[route])) if method == "POST" else None,
        "isBase64Encoded": False,
    }


def _in_path(event: Event, name: str) -> str:
    """Return the value of a path parameter, as API Gateway decoded it."""
    value = (event.get("pathParameters") or {}).get(name)
    if isinstance(value, str) and IN_A_PATH.fullmatch(value):
        return value
    wrong = "Input should be 1 to 80 letters, digits, dots, hyphens or underscores"
    raise RequestInvalid([Violation(loc=("path", name), msg=wrong, type="string_pattern_mismatch")])


def _read(event: Event, headers: Headers, limit: int) -> object:
    body.check_headers(headers["content-type"], headers["content-encoding"])
    text = body.text_of(
        event.get("body") or "", limit, in_base64=bool(event.get("isBase64Encoded"))
    )
    value = body.parse(text)
    # Of a list, Powertools would take the first element for the object that it should be.
    return tuple(value) if isinstance(value, list) else value


def problem_of(error: ClinicalError, room: int = LISTED_BYTES) -> Problem:
    """Describe an error to the client: what is wrong, where, and what to do.

    room: bytes of the response available for violations, of which at least one is listed.
    """
    status = next(status for kind, status in _STATUS.items() if isinstance(error, kind))
    if not isinstance(error, RequestInvalid):
        return Problem(title=status.phrase, status=status, detail=str(error))
    wrong = error.violations
    named, listed, left = list[str](), list[Violation](), room
    for one in wrong[:LISTED_VIOLATIONS]:
        name = f"{_field(one)}: {one.msg}" if len(named) < REPORTED_IN_DETAIL else ""
        left -= _size(name) + _size(one.model_dump_json())
        if listed and left < 0:
            break
        listed.append(one)
        named += [name] if name else []
    more = len(wrong) - len(named)
    return Problem(
        title=status.phrase,
        status=status,
        detail="; ".join(named) + (f"; and {more} more." if more else "."),
        errors=tuple(listed),
        more_errors=len(wrong) - len(listed),
    )


def problems_of(errors: Sequence[RequestInvalid]) -> list[Problem]:
    """Describe the error of each row of a batch, with equal room for each."""
    return [problem_of(one, LISTED_BYTES // len(errors)) for one in errors]


def _size(text: str) -> int:
    """Return an upper bound, in bytes, of a text's size in Lambda's response: JSON within JSON."""
    return len(json.dumps(json.dumps(text)))


def retry_after(error: ClinicalError) -> dict[str, list[str]]:
    """Return a Retry-After header, for errors where a retry can help."""
    if isinstance(error, Unavailable):
        return {"Retry-After": [str(error.retry_after_seconds)]}
    return {}


def _fault(context: LambdaContext) -> Problem:
    return Problem(
        title=HTTPStatus.INTERNAL_SERVER_ERROR.phrase,
        status=HTTPStatus.INTERNAL_SERVER_ERROR,
        detail="An internal error occurred; the request is not at fault. If you report it, "
        f"quote the request ID {context.aws_request_id}.",
    )


def _answered(problem: Problem) -> dict[str, Any]:
    return _answer(problem.status, problem.model_dump_json(), {"Content-Type": [PROBLEM_JSON]})


def _answer(status: int, text: str = "", headers: Headers | None = None) -> dict[str, Any]:
    return {
        "statusCode": status,
        "multiValueHeaders": headers or {},
        "body": text,
        "isBase64Encoded": False,
    }


def _described(error: ClinicalError) -> dict[str, object]:
    """Describe a refusal for the log: error types and known fields, never the client's words."""
    facts: dict[str, object] = {"error": type(error).__name__}
    if isinstance(error, RequestInvalid):
        known = set(params().columns)
        facts["violations"] = [
            {
                "field": next((part for part in reversed(one.loc) if part in known), "other"),
                "type": one.type,
            }
            for one in error.violations[:LOGGED_VIOLATIONS]
        ]
        if (more := len(error.violations) - LOGGED_VIOLATIONS) > 0:
            facts["more_violations"] = more
    return facts


def _field(violation: Violation) -> str:
    """Name the field: the part of the location after `body`."""
    return ".".join(map(str, violation.loc[1:])) or "body"
