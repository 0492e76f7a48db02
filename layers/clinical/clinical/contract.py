"""The API's request and response models, built from the columns and roles in params.yaml.

Unlike the rest of the code, this module reads params.yaml at import: a cold start needs the request
model's schema before the first request.
"""

from collections.abc import Collection
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, override

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, create_model

from clinical.kinds import Value
from clinical.params import Params, params

_PARAMS = params()
_TARGET = _PARAMS.target.column
_LOWEST, _HIGHEST = _PARAMS.scale
_NUMBERS = ("no", "one", "two", "three", "four", "five", "six")
_DECIMALS = f"{_NUMBERS[_PARAMS.target.decimals]} decimal{'s' * (_PARAMS.target.decimals != 1)}"
_SCALE = f"{_LOWEST:g} to {_HIGHEST:g}, {_DECIMALS}"


def in_words(names: tuple[str, ...]) -> str:
    """List columns by their labels, as in "condition, drug and dosage"."""
    labels = (_PARAMS.label(name) for name in names)
    *rest, last = (  # "Side effect" begins small within a sentence, "CD4 count" does not
        label if label[1:2].isupper() else label[:1].lower() + label[1:] for label in labels
    )
    return f"{', '.join(rest)} and {last}" if rest else last


class Request(BaseModel):
    """Strict: nothing is coerced, unknown fields are refused, and no error repeats the input."""

    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, allow_inf_nan=False, hide_input_in_errors=True
    )

    @override
    def __repr__(self) -> str:
        """Leave out all values: Powertools formats requests for its debug log, on or off."""
        return f"{type(self).__name__}()"


class Response(BaseModel):
    model_config = ConfigDict(frozen=True, protected_namespaces=(), defer_build=True)


class Asked(Request):
    """A request about one patient; `patient_model` builds it from a study's columns."""

    columns: ClassVar[tuple[str, ...]] = ()

    @property
    def values(self) -> dict[str, Value]:
        """The request's values, by column."""
        return dict(zip(self.columns, self.__dict__.values(), strict=True))


class SeldomAsked(Asked):
    """Built by the first request that needs it, to keep cold starts short."""

    model_config = ConfigDict(defer_build=True)


def patient_model(params: Params) -> type[Asked]:
    """Build the request model of a study."""
    return asked_model(
        "Patient", "One patient and one treatment, by the data set's column names.", params, ()
    )


def asked_model(
    name: str, doc: str, params: Params, without: Collection[str] = (), base: type[Asked] = Asked
) -> type[Asked]:
    """Build a request model from columns, by alias, because a column may have any name.

    without: the columns to leave out. Columns known only after treatment are optional.
    """
    later = params.roles.known_after_treatment
    asked = {name: kind for name, kind in params.asked.items() if name not in without}
    fields: dict[str, Any] = {}
    for number, (column, kind) in enumerate(asked.items()):
        optional = kind.nullable or column in later
        field = kind.field | None if column in later else kind.field
        fields[f"asked_{number}"] = (field, Field(None if optional else ..., alias=column))
    return with_columns(create_model(name, __base__=base, __doc__=doc, **fields), tuple(asked))


def with_columns(model: type[Asked], columns: tuple[str, ...]) -> type[Asked]:
    model.columns = columns
    return model


if TYPE_CHECKING:

    class Patient(Asked):
        pass

else:
    Patient = patient_model(_PARAMS)


def patient_of(params: Params) -> type[Asked]:
    """Return the request model of a study; that of the deployed study is built already."""
    return Patient if params is _PARAMS else patient_model(params)


class Batch(Request):
    """Patients to score in one request; each is validated independently."""

    patients: Annotated[
        list[Any],
        Field(min_length=1, max_length=_PARAMS.serving.max_batch_rows),
        WithJsonSchema(
            {
                "type": "array",
                "items": {"$ref": "#/components/schemas/Patient"},
                "minItems": 1,
                "maxItems": _PARAMS.serving.max_batch_rows,
            }
        ),
    ]


# Treatments that can be chosen are compared; what is known only afterwards is averaged over.
COMPARES = bool(_PARAMS.compared)

if TYPE_CHECKING:

    class ComparedPatient(Asked):
        pass

    class Treatment(Asked):
        pass

else:
    ComparedPatient = asked_model(
        "ComparedPatient",
        "One patient, without the treatment and without what is known only after it.",
        _PARAMS,
        {*_PARAMS.compared, *_PARAMS.roles.known_after_treatment},
        SeldomAsked,
    )
    Treatment = asked_model(
        "Treatment",
        "One treatment that can be chosen for a patient.",
        _PARAMS,
        {name for name in _PARAMS.asked if name not in _PARAMS.compared},
        SeldomAsked,
    )


class Comparison(Request):
    """A patient, and the reference treatment to compare the others with."""

    model_config = ConfigDict(defer_build=True)

    patient: ComparedPatient
    reference: Annotated[
        Treatment | None,
        Field(
            description="The treatment to compare the others with, one of those recorded; by "
            "default the one with the most training rows"
        ),
    ] = None


class PredictionInterval(Response):
    __doc__ = f"The prediction interval for such a patient's recorded score; {_SCALE}."

    low: float
    high: float
    coverage: Annotated[
        float, Field(description="The fraction of such intervals that contain the recorded score")
    ]


class Skill(Response):
    """The model's performance on the held-out set, compared with always predicting the average."""

    r2: float
    beats_average: bool


# Named as in the study.
_Identifier = Annotated[
    str | None,
    Field(serialization_alias=_PARAMS.identifier, exclude=_PARAMS.identifier is None),
    WithJsonSchema({"type": "string"}),
]
_PredictionId = Annotated[
    str,
    Field(
        description="A random id for this prediction, new in every response. Keep it with your own "
        "record of the patient, so that you can report the outcome later",
        json_schema_extra={"pattern": "^[0-9a-f]{32}$"},  # shown, not checked: it is made here
    ),
]
_Score = Annotated[
    float,
    Field(
        serialization_alias=_TARGET,
        ge=_LOWEST,
        le=_HIGHEST,
        description=f"{_PARAMS.outcome.description or _PARAMS.label(_TARGET)}, {_SCALE}",
    ),
]


class ScoredPatient(Response):
    identifier: _Identifier
    prediction_id: _PredictionId
    score: _Score
    interval: PredictionInterval
    support: Annotated[
        int,
        Field(
            description="The number of training rows with this "
            f"{in_words(_PARAMS.roles.recorded_together)}"
            if _PARAMS.roles.recorded_together
            else "The number of training rows"
        ),
    ]
    missing: Annotated[
        tuple[str, ...],
        Field(
            description="The fields that were not given; the model treats them as missing",
            exclude=not _PARAMS.nullable,
        ),
    ] = ()
    averaged_over: Annotated[
        tuple[str, ...],
        Field(
            description="The fields that were left out because they are known only after "
            "treatment: the score is the mean over their recorded values. Absent if there are none",
            exclude_if=lambda columns: not columns,
        ),
    ] = ()


class Prediction(ScoredPatient):
    model_version: str
    skill: Skill
    disclaimer: str


class ExplainedPrediction(Prediction):
    """A prediction with each feature's contribution, relative to the mean of background rows."""

    base_value: float
    contributions: dict[str, float]
    explained_by: Annotated[
        Literal["exact", "permutations"],
        Field(description="Exact Shapley values, or estimates from random permutations"),
    ]
    standard_errors: Annotated[
        dict[str, float] | None,
        Field(
            description="The standard errors of estimated contributions; absent if they are exact",
            exclude_if=lambda errors: errors is None,
        ),
    ] = None


def values_model(name: str, doc: str, columns: tuple[str, ...]) -> type[Response]:
    """Build a response model with the values of some columns, by alias."""
    fields: dict[str, Any] = {}
    for number, column in enumerate(columns):
        kind = _PARAMS.columns[column]
        value = kind.answer_type | None if kind.nullable else kind.answer_type
        fields[f"value_{number}"] = (value, Field(alias=column))
    return create_model(name, __base__=Response, __doc__=doc, **fields)


if TYPE_CHECKING:

    class ChosenTreatment(Response):
        pass

else:
    ChosenTreatment = values_model("ChosenTreatment", "A recorded treatment.", _PARAMS.compared)


class ComparedTreatment(Response):
    """A treatment, its expected score, and how often it does better than the reference."""

    model_config = ConfigDict(defer_build=True)

    prediction_id: _PredictionId
    treatment: ChosenTreatment
    score: _Score
    interval: PredictionInterval
    support: Annotated[int, Field(description="The number of training rows with this treatment")]
    win_probability: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="The probability that, of two such patients, the one on this treatment has "
            "a better outcome than the one on the reference; ties count half",
        ),
    ]


class TreatmentComparison(Response):
    """The recorded treatments that fit a patient, in the contract's order, not ranked."""

    model_config = ConfigDict(defer_build=True)

    identifier: _Identifier
    reference: Annotated[
        ChosenTreatment, Field(description="The treatment that the others are compared with")
    ]
    treatments: tuple[ComparedTreatment, ...]
    averaged_over: Annotated[
        tuple[str, ...],
        Field(description="The columns known only after treatment, which are averaged over"),
    ]
    assignment: Annotated[
        Literal["observed", "randomised"],
        Field(description="How patients in the data were assigned to treatments"),
    ]
    model_version: str
    skill: Skill
    disclaimer: str


class Health(Response):
    status: Literal["healthy", "unhealthy"]
    model_loaded: bool
    model_version: str


class Unhealthy(Health):
    """No model is loaded; `reason` says why."""

    reason: str


class FormField(Response):
    """A column and how a form asks for it; the target comes last."""

    model_config = ConfigDict(extra="allow")

    name: str
    kind: str
    label: str
    unit: str
    hint: str
    nullable: bool
    example: str | int | float | bool | None
    roles: tuple[str, ...]
    widget: Annotated[str, Field(description="text, number, choice or date")]


def _listed(params: Params) -> dict[str, Any]:
    """Build the fields of /dropdown-values that existing clients read by name."""
    fields = dict[str, Any]()
    for key, name in params.serving.dropdown_keys.items():
        kind = params.columns[name]
        answer: Any = kind.answer_type
        if kind.listed:
            fields[key] = (tuple[answer, ...], Field())
        else:
            both = f"{kind.description or params.label(name)}, both included"
            fields[key] = (Annotated[tuple[answer, answer], Field(description=both)], Field())
    return fields


if TYPE_CHECKING:

    class Combination(Response):
        pass

    class DropdownValues(Response):
        pass

else:
    Combination = values_model(
        "Combination",
        "Values that were recorded together at least once in the data.",
        _PARAMS.roles.recorded_together,
    )
    DropdownValues = create_model(
        "DropdownValues",
        __base__=Response,
        __doc__="What a form can offer: the values that the contract allows, and which of them "
        "were recorded together.",
        **_listed(_PARAMS),
        valid_combinations=(tuple[Combination, ...], Field()),
        fields=(tuple[FormField, ...], Field()),
    )


def dropdown_values(params: Params, combinations: list[dict[str, Value]]) -> DropdownValues:
    """List what a form can offer, with the combinations recorded in the champion's data."""
    listed = {
        key: params.columns[name].listed or params.columns[name].widget["range"]
        for key, name in params.serving.dropdown_keys.items()
    }
    return DropdownValues.model_validate(
        {**listed, "valid_combinations": combinations, "fields": described_fields(params)}
    )


def described_fields(params: Params) -> list[dict[str, Any]]:
    """Describe the columns that a form asks for, in the contract's order, the target last."""
    roles = params.roles
    named: dict[str, set[str | None]] = {
        "identifier": {params.identifier},
        "target": {params.target.column},
        "treatment": set(roles.treatment),
        "recorded_together": set(roles.recorded_together),
        "known_after_treatment": set(roles.known_after_treatment),
    }
    return [
        {
            "name": name,
            "kind": kind.kind,
            "label": params.label(name),
            "unit": kind.unit,
            "hint": kind.hint,
            "nullable": kind.nullable,
            "example": kind.example,
            "roles": [role for role, names in named.items() if name in names],
            **kind.widget,
        }
        for name, kind in {**params.asked, params.target.column: params.outcome}.items()
    ]


class Violation(Response):
    """One error in a request: its location, a message, and pydantic's name for its type."""

    loc: tuple[str | int, ...]
    msg: str
    type: str


class Problem(Response):
    """An error in the form of RFC 9457."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: tuple[Violation, ...] = ()
    more_errors: Annotated[
        int,
        Field(
            description="How many errors are not listed in `errors`; absent if all are listed",
            exclude_if=lambda more: more == 0,
        ),
    ] = 0


class BatchPrediction(Response):
    """One entry per patient, in request order: a score, or what is wrong with that patient."""

    predictions: tuple[
        # Most entries are scores: trying that first takes two thirds of pydantic's smart mode.
        Annotated[ScoredPatient | Problem, Field(union_mode="left_to_right")], ...
    ]
    model_version: str
    skill: Skill
    disclaimer: str
