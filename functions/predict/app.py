"""Predictions, the model card, health, and the documentation of the whole API."""

from clinical import ahead, places

# Before all other imports, so that S3 responds while they run.
AHEAD = ahead.champion(places.MODEL, places.REFERENCE)

import json
from functools import cache
from http import HTTPStatus
from importlib.resources import files
from itertools import repeat
from pathlib import Path
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response, content_types
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError
from aws_lambda_powertools.event_handler.openapi.params import Query
from clinical import api, telemetry
from clinical.card import ServedCard
from clinical.champion import ChampionFollower, needed
from clinical.contract import (
    COMPARES,
    Batch,
    BatchPrediction,
    ChosenTreatment,
    ComparedTreatment,
    Comparison,
    ExplainedPrediction,
    Health,
    Patient,
    Prediction,
    PredictionInterval,
    TreatmentComparison,
    Unhealthy,
    Violation,
)
from clinical.environment import environment
from clinical.errors import ModelUnavailable, RequestInvalid
from clinical.ids import new_ids
from clinical.kinds import Value
from clinical.obstore_bucket import ObstoreBucket, s3_bucket
from clinical.params import params
from clinical.reference import example_request
from model.comparing import Fitting, compare, fitting, most_recorded
from model.loader import Model, Score, load
from model.shadow import Shadow
from pydantic import TypeAdapter, ValidationError

type Asked = dict[str, Value]

OPENAPI = Path(__file__).with_name("openapi.json")  # written by `make openapi`

EXPLAIN = (
    "Whether to include `base_value` and `contributions` in the response: `true` or `false`, in "
    "upper or lower case (`1`, `yes`, `on`, `t`, `y` and their opposites are accepted too), given "
    "once. Other query parameters are ignored."
)
DECIMALS = 6  # of contributions: they still add up to the score
PROBABILITY_DECIMALS = 4
# The report has a style of its own, and nothing else that a browser would load or run.
REPORT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)

app = api.resolver()


@cache
def bucket() -> ObstoreBucket:
    return s3_bucket(environment().artifacts_bucket, AHEAD)


shadow = Shadow(params().serving.shadow)
follower = ChampionFollower(bucket, load, beside=shadow.look)


@app.post(
    "/predict",
    tags=["Prediction"],
    summary="Predict how well a patient will respond to a treatment",
    responses=api.answers(ExplainedPrediction | Prediction, 400, 413, 415, 422, 500, 503),
)
def predict(
    patient: Patient,
    explain: Annotated[bool, Query(description=EXPLAIN)] = False,  # noqa: FBT002
) -> Response[str]:
    model = follower.current()
    asked = patient.values
    if wrong := model.unrecorded(asked):
        raise RequestInvalid([wrong])
    (score,) = model.predict([asked])
    (prediction_id,) = new_ids(1)
    telemetry.add(
        telemetry.Metric.PREDICTIONS,
        prediction_id=prediction_id,
        model_version=model.version,
        prediction={params().target.column: score.score},
        interval=interval_of(score, model),
        features=features_of(asked),
        **({"explained": True} if explain else {}),
    )
    if shadowed := shadow.beside([asked], [score.score]):
        telemetry.note(shadow=shadowed.fact())
    prediction = Prediction(
        **scored(asked, score, prediction_id, model),
        model_version=model.version,
        skill=model.skill,
        disclaimer=params().study.disclaimer,
    )
    if not explain:
        return api.written(prediction)
    explanation = model.explain(asked)
    errors = explanation.standard_errors
    return api.written(
        ExplainedPrediction(
            **dict(prediction),
            base_value=round(explanation.base_value, DECIMALS),
            contributions=rounded(explanation.contributions),
            explained_by="exact" if errors is None else "permutations",
            standard_errors=None if errors is None else rounded(errors),
        )
    )


@app.post(
    "/predict/batch",
    tags=["Prediction"],
    summary="Predict for many patients at once; an invalid one does not fail the others",
    responses=api.answers(BatchPrediction, 400, 413, 415, 422, 500, 503),
)
def predict_batch(batch: Batch) -> Response[str]:
    model = follower.current()
    judged = validated(batch.patients, model)
    rows = [one for one in judged if isinstance(one, dict)]
    scores = model.predict(rows) if rows else []
    ids = new_ids(len(rows))
    shadowed = shadow.beside(rows, [one.score for one in scores]) if rows else None
    answers = iter(map(scored, rows, scores, ids, repeat(model)))
    problems = iter(api.problems_of([one for one in judged if isinstance(one, RequestInvalid)]))
    predictions = tuple(
        next(answers) if isinstance(one, dict) else next(problems) for one in judged
    )

    def facts_of(some: slice) -> dict[str, object]:
        return {
            "prediction_id": ids[some],
            "model_version": model.version,
            "prediction": {params().target.column: [one.score for one in scores[some]]},
            "interval": {
                "low": [one.low for one in scores[some]],
                "high": [one.high for one in scores[some]],
                "coverage": model.reference.interval.coverage,
            },
            "features": {name: [row[name] for row in rows[some]] for name in params().features},
            **({"shadow": shadowed.facts(some)} if shadowed else {}),
        }

    telemetry.add(telemetry.Metric.PREDICTIONS, len(rows), patients_refused=len(judged) - len(rows))
    telemetry.note_rows(len(rows), facts_of)
    return api.written(
        BatchPrediction.model_validate(
            {
                "predictions": predictions,
                "model_version": model.version,
                "skill": model.skill,
                "disclaimer": params().study.disclaimer,
            }
        )
    )


def compare_treatments(comparison: Comparison) -> Response[str]:
    model = follower.current()
    patient = comparison.patient.values
    treatments = fitting(model, patient)
    if not treatments:
        raise RequestInvalid([nothing_fits()])
    reference = named(comparison, treatments) or most_recorded(treatments)
    compared = compare(model, patient, treatments, reference)
    target, identifier = params().target.column, params().identifier
    ids = new_ids(len(compared))

    def facts_of(some: slice) -> dict[str, object]:
        return {
            "model_version": model.version,
            "features": {name: patient[name] for name in params().features if name in patient},
            "compared": [
                {
                    "prediction_id": prediction_id,
                    **one.fitting.treatment,
                    target: one.score.score,
                    "interval": {"low": one.score.low, "high": one.score.high},
                }
                for prediction_id, one in zip(ids[some], compared[some], strict=True)
            ],
            "coverage": model.reference.interval.coverage,
            "reference": reference.treatment,
        }

    telemetry.note_rows(len(compared), facts_of)
    return api.written(
        TreatmentComparison(
            identifier=str(patient[identifier]) if identifier else None,
            reference=ChosenTreatment.model_validate(reference.treatment),
            treatments=tuple(
                ComparedTreatment(
                    prediction_id=prediction_id,
                    treatment=ChosenTreatment.model_validate(one.fitting.treatment),
                    score=one.score.score,
                    interval=PredictionInterval(**interval_of(one.score, model)),
                    support=one.fitting.training_rows,
                    win_probability=round(one.win_probability, PROBABILITY_DECIMALS),
                )
                for prediction_id, one in zip(ids, compared, strict=True)
            ),
            averaged_over=params().roles.known_after_treatment,
            assignment=params().study.assignment,
            model_version=model.version,
            skill=model.skill,
            disclaimer=params().study.disclaimer,
        )
    )


if COMPARES:  # a study may have recorded no treatments
    app.post(
        "/compare",
        tags=["Prediction"],
        summary="Compare the recorded treatments that fit a patient, without recommending any",
        responses=api.answers(TreatmentComparison, 400, 413, 415, 422, 500, 503),
    )(compare_treatments)


def named(comparison: Comparison, treatments: list[Fitting]) -> Fitting | None:
    """Find the reference treatment that a request names; None if it names none.

    Raises RequestInvalid if it does not fit the patient.
    """
    if comparison.reference is None:
        return None
    reference = comparison.reference.values
    for one in treatments:
        if one.treatment == reference:
            return one
    columns = ", ".join(params().compared)
    raise RequestInvalid(
        [
            Violation(
                loc=("body", "reference"),
                msg=f"This {columns} was never recorded for such a patient; see valid_combinations "
                "in GET /dropdown-values",
                type="unrecorded_combination",
            )
        ]
    )


def nothing_fits() -> Violation:
    return Violation(
        loc=("body", "patient"),
        msg="No treatment was ever recorded for such a patient; see valid_combinations in "
        "GET /dropdown-values",
        type="unrecorded_combination",
    )


def features_of(asked: Asked) -> Asked:
    """Return a patient's features, without the identifier."""
    return {name: asked[name] for name in params().features}


def rounded(points: dict[str, float]) -> dict[str, float]:
    return {name: round(value, DECIMALS) for name, value in points.items()}


def scored(asked: Asked, score: Score, prediction_id: str, model: Model) -> dict[str, Any]:
    """Return the fields of a `ScoredPatient`; the answer validates them all at once."""
    identifier = params().identifier
    return {
        "identifier": str(asked[identifier]) if identifier else None,
        "prediction_id": prediction_id,
        "score": score.score,
        "interval": interval_of(score, model),
        "support": score.support,
        "missing": tuple([name for name in params().nullable if asked[name] is None]),
        "averaged_over": score.averaged_over,
    }


def interval_of(score: Score, model: Model) -> dict[str, float]:
    return {"low": score.low, "high": score.high, "coverage": model.reference.interval.coverage}


def validated(rows: list[Any], model: Model) -> list[Asked | RequestInvalid]:
    """Validate the rows of a batch: return the values of each, or what is wrong with it."""
    places: list[api.Location] = [("body", "patients", number) for number in range(len(rows))]
    try:
        patients = many().validate_python(rows)
    except ValidationError:  # find out row by row which ones are invalid
        return [checked(row, where, model) for row, where in zip(rows, places, strict=True)]
    return [recorded(one.values, where, model) for one, where in zip(patients, places, strict=True)]


@cache
def many() -> TypeAdapter[list[Patient]]:
    return TypeAdapter(list[Patient])


def checked(row: object, where: api.Location, model: Model) -> Asked | RequestInvalid:
    try:
        asked = Patient.model_validate(row).values
    except ValidationError as error:
        wrong = api.violations(error, where)
        return RequestInvalid(wrong + combination_violations(row, wrong, where, model))
    return recorded(asked, where, model)


def recorded(asked: Asked, where: api.Location, model: Model) -> Asked | RequestInvalid:
    unrecorded = model.unrecorded(asked)
    return RequestInvalid([at(where, unrecorded)]) if unrecorded else asked


@app.exception_handler(RequestValidationError)  # type: ignore[untyped-decorator]
def invalid(error: RequestValidationError) -> None:
    wrong = api.violations(error)
    body = app.current_event.json_body
    if app.context["_route"].path != "/predict":
        raise RequestInvalid(wrong) from error
    if isinstance(body, tuple):
        # Only the body as a whole is wrong then; the client probably meant the other route.
        raise RequestInvalid(
            [
                one.model_copy(
                    update={"msg": f"{one.msg}; for several patients, use POST /predict/batch"}
                )
                if one.loc == ("body",)
                else one
                for one in wrong
            ]
        ) from error
    try:
        model = follower.current()
    except ModelUnavailable:  # then the fields are all that can be judged
        raise RequestInvalid(wrong) from error
    raise RequestInvalid(wrong + combination_violations(body, wrong, ("body",), model))


def combination_violations(
    row: object, wrong: tuple[Violation, ...], where: api.Location, model: Model
) -> tuple[Violation, ...]:
    """Check the combination of a row with other invalid fields, if its own fields are valid."""
    combination = set(params().roles.recorded_together)
    named = {one.loc[len(where)] for one in wrong if len(one.loc) > len(where)}
    required = combination - set(params().nullable) - set(params().roles.known_after_treatment)
    if not isinstance(row, dict) or combination & named or not required <= set(row):
        return ()
    # As in a request: rounded, and None for what is left out.
    others = example_request(model.reference, params())
    asked = Patient.model_validate({**others, **{name: row.get(name) for name in combination}})
    unrecorded = model.unrecorded(asked.values)
    return (at(where, unrecorded),) if unrecorded else ()


def at(where: api.Location, of_body: Violation) -> Violation:
    """Prefix a violation with the patient's place in the batch."""
    return of_body.model_copy(update={"loc": (*where, *of_body.loc[1:])})


@app.get(
    "/model",
    tags=["Model"],
    summary="The model card: training data, performance, and promotions",
    responses=api.answers(ServedCard, 500, 503),
)
def model_card() -> Response[str]:
    model = follower.current()
    with needed("the model card"):
        card = model.card
    return api.written(card)


@app.get("/report", include_in_schema=False)
def report() -> Response[str]:
    """Return the TRIPOD+AI report, with the study's current texts."""
    # Imported here because neither start-up nor predictions need it.
    from clinical.report import render  # noqa: PLC0415

    model = follower.current()
    with needed("the model card"):
        card = model.card
    return Response(
        HTTPStatus.OK,
        f"{content_types.TEXT_HTML}; charset=utf-8",
        render(card, params()),
        headers={"Content-Security-Policy": REPORT_POLICY},
    )


@app.get(
    "/health",
    tags=["System"],
    summary="Whether a model is loaded, and which version",
    responses={
        **api.answers(Health, 500),
        HTTPStatus.SERVICE_UNAVAILABLE: {
            "description": "No model is loaded",
            "content": {content_types.APPLICATION_JSON: {"model": Unhealthy}},
        },
    },
)
def health() -> Response[Health | Unhealthy]:
    try:
        model = follower.current()
    except ModelUnavailable as error:
        telemetry.add(telemetry.Metric.HEALTH, 0)
        return Response(
            HTTPStatus.SERVICE_UNAVAILABLE,
            content_types.APPLICATION_JSON,
            Unhealthy(
                status="unhealthy",
                model_loaded=False,
                model_version="unknown",
                reason=str(error),
            ),
            headers=dict(api.retry_after(error)),
        )
    telemetry.add(telemetry.Metric.HEALTH, 1)
    telemetry.record_model(model.champion)
    return Response(
        HTTPStatus.OK,
        content_types.APPLICATION_JSON,
        Health(status="healthy", model_loaded=True, model_version=model.version),
    )


@app.get("/openapi.json", include_in_schema=False)
def openapi() -> Response[str]:
    return Response(HTTPStatus.OK, content_types.APPLICATION_JSON, documentation())


@app.get("/docs", include_in_schema=False)
def docs() -> Response[str]:
    """Serve Swagger UI from the copy in Powertools, so that the page loads nothing elsewhere."""
    # Imported here because it would add 80 ms to every start, and no prediction needs it.
    from aws_lambda_powertools.event_handler.openapi import swagger_ui  # noqa: PLC0415

    asked = app.current_event.multi_value_query_string_parameters
    if asked.get("format") == ["json"]:  # its own link
        return openapi()
    swagger = files("aws_lambda_powertools.event_handler.openapi.swagger_ui")
    page = swagger_ui.generate_swagger_html(
        spec=documentation().replace("</", "<\\/"),
        swagger_js=(swagger / "swagger-ui-bundle.min.js").read_text(encoding="utf-8"),
        swagger_css=(swagger / "swagger-ui.min.css").read_text(encoding="utf-8"),
        swagger_base_url="",
        oauth2_config=None,
    )
    return Response(HTTPStatus.OK, content_types.TEXT_HTML, page)


def documentation() -> str:
    """Return the document, with the server URL relative to the address it was requested at.

    Each trailing slash, as in `/docs/`, is one step up, whatever stage and base path come before.
    """
    text, path = OPENAPI.read_text(encoding="utf-8"), app.current_event.path
    steps = len(path) - len(path.rstrip("/"))
    if not steps:
        return text
    described = json.loads(text)
    described["servers"] = [{"url": "/".join([".."] * steps)}]
    return json.dumps(described)


handler = api.lambda_handler(
    app,
    predictions=frozenset({"POST /predict", "POST /predict/batch", "POST /compare"}),
    body_limits={"POST /predict/batch": params().serving.max_batch_bytes},
)
follower.warm()
