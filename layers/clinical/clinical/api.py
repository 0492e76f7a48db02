"""The HTTP border: what every function of the API does around its routes.

Bodies are checked before Powertools parses them, because four kinds crash its validation into a
502: an integer of 5,000 digits, an array nested 100,000 deep, base64 that is no UTF-8, and
multipart without a boundary. Errors leave as RFC 9457 problems, made in one place.
"""

import base64
import binascii
import json
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from types import MappingProxyType, UnionType
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, CORSConfig
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError
from aws_lambda_powertools.event_handler.openapi.types import OpenAPIResponse
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel, ValidationError

from clinical import telemetry
from clinical.contract import Problem, Violation
from clinical.environment import environment
from clinical.errors import (
    BodyTooLarge,
    BodyUnreadable,
    ClinicalError,
    MediaTypeUnsupported,
    ModelUnavailable,
    RequestInvalid,
    RouteUnknown,
)
from clinical.params import params

type Event = dict[str, Any]
type Location = tuple[str | int, ...]
type Handler = Callable[[Event, LambdaContext], dict[str, Any]]

PROBLEM_JSON = "application/problem+json"
REPORTED_IN_DETAIL = 5  # of the violations; all of them are in `errors`
LOGGED_VIOLATIONS = 20
SCHEDULED = "scheduled"  # a member of the event that API Gateway never sends: so no client can

_STATUS: dict[type[ClinicalError], HTTPStatus] = {
    BodyUnreadable: HTTPStatus.BAD_REQUEST,
    RouteUnknown: HTTPStatus.NOT_FOUND,
    BodyTooLarge: HTTPStatus.CONTENT_TOO_LARGE,
    MediaTypeUnsupported: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    RequestInvalid: HTTPStatus.UNPROCESSABLE_CONTENT,
    ModelUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}


def resolver() -> APIGatewayRestResolver:
    """Make a resolver that validates, and raises what this module makes problems of."""
    app = APIGatewayRestResolver(cors=cors(), enable_validation=True)

    @app.exception_handler(RequestValidationError)  # type: ignore[untyped-decorator]
    def invalid(error: RequestValidationError) -> None:
        raise RequestInvalid(violations(error))

    @app.exception_handler(Exception)  # type: ignore[untyped-decorator]
    def escape(error: Exception) -> None:
        # Powertools logs what no handler takes with its message, which may hold a request's words.
        raise error

    @app.not_found
    def unknown(_: NotFoundError) -> None:
        raise RouteUnknown("There is nothing at this path for this method; see /docs.")

    return app


def answers(model: type[BaseModel] | UnionType, *problems: int) -> dict[int, OpenAPIResponse]:
    """Document what a route answers: its model, and the problems that it may have."""
    documented: dict[int, OpenAPIResponse] = {
        HTTPStatus.OK: {
            "description": HTTPStatus.OK.phrase,
            "content": {"application/json": {"model": model}},
        }
    }
    for status in problems:
        documented[status] = {
            "description": HTTPStatus(status).phrase,
            "content": {PROBLEM_JSON: {"model": Problem}},
        }
    return documented


def cors() -> CORSConfig:
    """Browsers of the origins in ALLOWED_ORIGINS may call; `*` among them allows all."""
    origins = [origin for origin in environment().allowed_origins.split(",") if origin]
    if not origins or "*" in origins:
        return CORSConfig(allow_origin="*" if origins else "null", max_age=600)
    return CORSConfig(allow_origin=origins[0], extra_origins=origins[1:], max_age=600)


def violations(
    error: RequestValidationError | ValidationError, where: Location = ()
) -> tuple[Violation, ...]:
    """Take from a validation's error where and what, and leave the input behind.

    where: what the locations in the error are within.
    """
    return tuple(
        Violation(loc=(*where, *wrong["loc"]), msg=wrong["msg"], type=wrong["type"])
        for wrong in error.errors()
    )


def lambda_handler(
    app: APIGatewayRestResolver,
    predictions: frozenset[str] = frozenset(),
    body_limits: Mapping[str, int] = MappingProxyType({}),
) -> Handler:
    """Put the border around an app: body checks, problems, one line of telemetry a request.

    predictions: the routes, such as "POST /predict", whose faults count as prediction errors.
    body_limits: bytes by route, where they are not `serving.max_body_bytes`.
    """
    allowed = cors()
    routes = {f"{route.method} {route.path}" for route in app._static_routes}  # noqa: SLF001
    first = iter((True,))  # invocation of this environment

    @telemetry.logger().inject_lambda_context(clear_state=True)
    @telemetry.metrics().log_metrics
    def handle(event: Event, context: LambdaContext) -> dict[str, Any]:
        started, cold = time.perf_counter(), next(first, False)
        route = f"{event.get('httpMethod')} {event.get('resource')}"
        facts: dict[str, object] = {"request_id": context.aws_request_id}
        try:
            if event.get("httpMethod") == "POST":
                check_body(event, body_limits.get(route, params().serving.max_body_bytes))
            response = app.resolve(event, context)
        except tuple(_STATUS) as error:
            response = _answer(problem_of(error), event, allowed)
            response["multiValueHeaders"] |= retry_after(error)
            facts |= _described(error)
        except Exception as error:  # noqa: BLE001 - the outermost border
            telemetry.logger().error(
                "A request failed.",
                error=type(error).__name__,
                frames=telemetry.frames(error),
            )
            response = _answer(_fault(context), event, allowed)
            facts["error"] = type(error).__name__
        status = response["statusCode"]
        response["multiValueHeaders"]["X-Content-Type-Options"] = ["nosniff"]
        response["multiValueHeaders"].setdefault("Cache-Control", ["no-store"])
        if route in predictions:
            faulty = status >= HTTPStatus.INTERNAL_SERVER_ERROR
            telemetry.add(telemetry.Metric.PREDICTION_ERRORS, int(faulty))
        if event.get(SCHEDULED):  # then nobody asked, and it counts as no request
            telemetry.note(scheduled=True, status=status, **facts)
            return response
        telemetry.record_request(
            route if route in routes else "unmatched",
            status,
            time.perf_counter() - started,
            cold=cold,
            properties=facts,
        )
        return response

    handler: Handler = handle
    return handler


def check_body(event: Event, limit: int) -> None:
    """Refuse a body that is no JSON of a size worth reading.

    limit: in bytes. Raises MediaTypeUnsupported, BodyTooLarge, BodyUnreadable. Whether the JSON
    keeps to the contract is for validation to say.
    """
    media_type = _header(event, "content-type").split(";")[0].strip().lower()
    if media_type not in {"", "application/json"}:
        raise MediaTypeUnsupported("Send the body as application/json.")
    body = event.get("body") or ""
    if len(body) > limit * 4 / 3 + 4 if event.get("isBase64Encoded") else len(body) > limit:
        raise BodyTooLarge(f"The body is larger than {limit:,} bytes.")
    try:
        raw = base64.b64decode(body, validate=True) if event.get("isBase64Encoded") else None
        text = body if raw is None else raw.decode()
        if len(text.encode("utf-8", "surrogatepass")) > limit:
            raise BodyTooLarge(f"The body is larger than {limit:,} bytes.")
        json.loads(text)
    except (UnicodeDecodeError, binascii.Error) as error:
        raise BodyUnreadable("The body is no UTF-8 text.") from error
    except json.JSONDecodeError as error:
        raise BodyUnreadable(
            f"The body is no JSON: line {error.lineno}, column {error.colno}: {error.msg}."
        ) from error
    except RecursionError as error:
        raise BodyUnreadable("The body is nested too deeply to be read.") from error
    except ValueError as error:  # what json raises for more digits than int() reads
        raise BodyUnreadable("The body holds a number with too many digits.") from error


def problem_of(error: ClinicalError) -> Problem:
    """Say to the client what was wrong, where, and what to do."""
    status = _STATUS[type(error)]
    if isinstance(error, RequestInvalid):
        wrong = error.violations
        named = "; ".join(f"{_field(one)}: {one.msg}" for one in wrong[:REPORTED_IN_DETAIL])
        more = len(wrong) - REPORTED_IN_DETAIL
        detail = named + (f"; and {more} more." if more > 0 else ".")
        return Problem(title=status.phrase, status=status, detail=detail, errors=wrong)
    return Problem(title=status.phrase, status=status, detail=str(error))


def retry_after(error: ClinicalError) -> dict[str, list[str]]:
    """Say in a header when to ask again, where that can help."""
    if isinstance(error, ModelUnavailable):
        return {"Retry-After": [str(error.retry_after_seconds)]}
    return {}


def _fault(context: LambdaContext) -> Problem:
    return Problem(
        title=HTTPStatus.INTERNAL_SERVER_ERROR.phrase,
        status=HTTPStatus.INTERNAL_SERVER_ERROR,
        detail=f"Something broke here, not in the request. Its id is {context.aws_request_id}.",
    )


def _answer(problem: Problem, event: Event, allowed: CORSConfig) -> dict[str, Any]:
    headers: Mapping[str, str] = {
        "Content-Type": PROBLEM_JSON,
        **allowed.to_dict(_header(event, "origin") or None),
    }
    return {
        "statusCode": problem.status,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "body": problem.model_dump_json(),
        "isBase64Encoded": False,
    }


def _described(error: ClinicalError) -> dict[str, object]:
    """Describe a refusal for the log: kinds and known fields, never a client's words."""
    facts: dict[str, object] = {"error": type(error).__name__}
    if isinstance(error, RequestInvalid):
        known = set(params().columns)
        facts["violations"] = [
            {"field": field if (field := _field(one)) in known else "other", "type": one.type}
            for one in error.violations[:LOGGED_VIOLATIONS]
        ]
    return facts


def _field(violation: Violation) -> str:
    """Name the field itself: what follows `body` in a location."""
    return ".".join(map(str, violation.loc[1:])) or "body"


def _header(event: Event, name: str) -> str:
    """Read a header, whatever the case of its name."""
    for key, value in (event.get("headers") or {}).items():
        if key.lower() == name:
            return str(value)
    return ""
