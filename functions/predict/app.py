"""POST /predict, GET /health, and the documentation of the whole API."""

from functools import cache
from http import HTTPStatus
from importlib.resources import files
from pathlib import Path

from aws_lambda_powertools.event_handler import Response, content_types
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError
from aws_lambda_powertools.event_handler.openapi.swagger_ui import generate_swagger_html
from clinical import api, telemetry
from clinical.artefacts import Bucket, s3_client
from clinical.champion import ChampionFollower
from clinical.contract import Health, Patient, Prediction, Violation
from clinical.environment import environment
from clinical.errors import ModelUnavailable, RequestInvalid
from clinical.params import params
from clinical.registry import Champion, Registry
from model.loader import Model, load
from model.scorer import as_improvement_score

OPENAPI = Path(__file__).with_name("openapi.json")  # written by `make openapi`

app = api.resolver()


@cache
def bucket() -> Bucket:
    return Bucket(s3_client(), environment().artifacts_bucket)


def model_of(champion: Champion) -> Model:
    return load(bucket(), champion)


follower = ChampionFollower(lambda: Registry(bucket()), model_of)


@app.post(
    "/predict",
    tags=["Prediction"],
    summary="Predict how well a patient will respond to a treatment",
    responses=api.answers(Prediction, 400, 413, 415, 422, 500, 503),
)
def predict(patient: Patient) -> Prediction:
    model = follower.current()
    features = patient.model_dump(include=set(params().features.names))
    if wrong := model.unrecorded(features):
        raise RequestInvalid([wrong])
    score = as_improvement_score(model.scorer.predict([features])[0])
    telemetry.add(
        telemetry.Metric.PREDICTIONS,
        model_version=model.version,
        Improvement_Score=score,
        **features,
    )
    return Prediction(
        Patient_ID=patient.Patient_ID,
        Improvement_Score=score,
        model_version=model.version,
        disclaimer=params().serving.disclaimer,
    )


@app.exception_handler(RequestValidationError)  # type: ignore[untyped-decorator]
def invalid(error: RequestValidationError) -> None:
    """Report the fields that are wrong and, where its own fields are right, the combination."""
    wrong = api.violations(error)
    named = {one.loc[1] for one in wrong if len(one.loc) > 1}
    body = app.current_event.json_body
    combination = set(params().features.combination)
    if isinstance(body, dict) and not combination & named and combination <= set(body):
        wrong += _unrecorded(body)
    raise RequestInvalid(wrong)


def _unrecorded(body: dict[str, object]) -> tuple[Violation, ...]:
    try:
        wrong = follower.current().unrecorded(body)
    except ModelUnavailable:  # then the fields are all that can be judged
        return ()
    return (wrong,) if wrong else ()


@app.get("/health", tags=["System"], summary="Whether a model is loaded, and which")
def health() -> Response[Health]:
    try:
        model = follower.current()
    except ModelUnavailable:
        return Response(
            HTTPStatus.SERVICE_UNAVAILABLE,
            content_types.APPLICATION_JSON,
            Health(status="unhealthy", model_loaded=False, model_version="unknown"),
        )
    return Response(
        HTTPStatus.OK,
        content_types.APPLICATION_JSON,
        Health(status="healthy", model_loaded=True, model_version=model.version),
    )


@app.get("/openapi.json", include_in_schema=False)
def openapi() -> Response[str]:
    return Response(HTTPStatus.OK, content_types.APPLICATION_JSON, OPENAPI.read_text())


@app.get("/docs", include_in_schema=False)
def docs() -> Response[str]:
    """Serve Swagger UI whole, from the copy in Powertools: the page asks no third party."""
    if app.current_event.query_string_parameters.get("format") == "json":  # its own link
        return openapi()
    swagger = files("aws_lambda_powertools.event_handler.openapi.swagger_ui")
    page = generate_swagger_html(
        spec=OPENAPI.read_text().replace("</", "<\\/"),
        swagger_js=(swagger / "swagger-ui-bundle.min.js").read_text(encoding="utf-8"),
        swagger_css=(swagger / "swagger-ui.min.css").read_text(encoding="utf-8"),
        swagger_base_url="",
        oauth2_config=None,
    )
    return Response(HTTPStatus.OK, content_types.TEXT_HTML, page)


handler = api.lambda_handler(app, predictions=frozenset({"POST /predict"}))
follower.warm()
