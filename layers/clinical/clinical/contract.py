"""What the API takes and gives. The vocabularies and ranges are those of params.yaml.

Unlike the rest of the code this module reads params.yaml when it is imported: a request model's
schema is what a cold start must know before its first request.
"""

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    StrictFloat,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError, core_schema

from clinical.params import Identifier, params

_PARAMS = params()
_AGE = _PARAMS.whole_number("Age")
_DURATION = _PARAMS.whole_number("Treatment_Duration_days")
_LEVELS = _PARAMS.levels("Dosage_mg")
_ID = _PARAMS.columns[_PARAMS.features.id]
_ID_LENGTH = _ID.max_length if isinstance(_ID, Identifier) else None


class _OneOf:
    """Exactly one of a category column's values."""

    def __init__(self, column: str) -> None:
        self.values = _PARAMS.categories(column)

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.literal_schema(list(self.values))


def _level(dosage: float) -> int:
    if dosage not in _LEVELS:
        raise PydanticCustomError(
            "literal_error",
            "Input should be {expected}",
            {"expected": " or ".join([", ".join(map(str, _LEVELS[:-1])), str(_LEVELS[-1])])},
        )
    return int(dosage)


def _whole(number: object) -> object:
    return int(number) if isinstance(number, float) and number.is_integer() else number


# JSON has one kind of number: 56.0 is the integer 56, as in OpenAPI 3.1 and in the data's CSV.
WHOLE = BeforeValidator(_whole)

# A JSON number, not an integer: clients written for the predecessor send 50.0 as well as 50.
Dosage = Annotated[
    StrictFloat,
    AfterValidator(_level),
    WithJsonSchema({"type": "number", "enum": list(_LEVELS)}),
]


class Request(BaseModel):
    """Strict: nothing is coerced, no field is ignored, and no error repeats the input."""

    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, allow_inf_nan=False, hide_input_in_errors=True
    )


class Response(BaseModel):
    model_config = ConfigDict(frozen=True, protected_namespaces=())


class Patient(Request):
    """One patient and one treatment, under the names of the data."""

    Patient_ID: Annotated[
        str,
        Field(
            min_length=1,
            max_length=_ID_LENGTH,
            description="A pseudonym of yours; it comes back with the answer and is never stored.",
            examples=["P0001"],
        ),
    ]
    Age: Annotated[int, Field(ge=_AGE.min, le=_AGE.max, description="Years", examples=[56]), WHOLE]
    Gender: Annotated[str, _OneOf("Gender"), Field(examples=["Male"])]
    Condition: Annotated[str, _OneOf("Condition"), Field(examples=["Infection"])]
    Drug_Name: Annotated[str, _OneOf("Drug_Name"), Field(examples=["Ciprofloxacin"])]
    Dosage_mg: Annotated[Dosage, Field(description="Milligrams", examples=[50])]
    Treatment_Duration_days: Annotated[
        int, Field(ge=_DURATION.min, le=_DURATION.max, description="Days", examples=[9]), WHOLE
    ]
    Side_Effects: Annotated[str, _OneOf("Side_Effects"), Field(examples=["Nausea"])]


class Batch(Request):
    """Patients to score at once; each is held to the contract by itself."""

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


class PredictionInterval(Response):
    """Where the recorded score of such a patient is expected, so sure; 0 to 10, two decimals."""

    low: float
    high: float
    coverage: Annotated[float, Field(description="How often such intervals hold the score")]


class Skill(Response):
    """What the model is worth on held-out rows, against always answering the average."""

    r2: float
    beats_average: bool


class ScoredPatient(Response):
    Patient_ID: str
    Improvement_Score: Annotated[
        float, Field(ge=0, le=10, description="Expected improvement, 0 to 10, two decimals")
    ]
    interval: PredictionInterval
    support: Annotated[
        int,
        Field(description="Training rows with this condition, drug, dosage and side effect"),
    ]


class Prediction(ScoredPatient):
    model_version: str
    skill: Skill
    disclaimer: str


class ExplainedPrediction(Prediction):
    """With what each feature adds to the score, beginning at the mean of the background rows."""

    base_value: float
    contributions: dict[str, float]


class Health(Response):
    status: Literal["healthy", "unhealthy"]
    model_loaded: bool
    model_version: str


class Unhealthy(Health):
    """No model is loaded, and why."""

    reason: str


class Combination(Response):
    """Values that the data recorded together at least once."""

    Condition: str
    Drug_Name: str
    Dosage_mg: int
    Side_Effects: str


class DropdownValues(Response):
    """What a form can offer: the contract's values, and which of them were recorded together."""

    genders: tuple[str, ...]
    conditions: tuple[str, ...]
    drugs: tuple[str, ...]
    side_effects: tuple[str, ...]
    dosages: tuple[int, ...]
    age_range: Annotated[tuple[int, int], Field(description="Years, both included")]
    duration_range: Annotated[tuple[int, int], Field(description="Days, both included")]
    valid_combinations: tuple[Combination, ...]


class Violation(Response):
    """One thing wrong with a request: where, in words, and by pydantic's name for it."""

    loc: tuple[str | int, ...]
    msg: str
    type: str


class Problem(Response):
    """An error, as RFC 9457 has it."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: tuple[Violation, ...] = ()
    more_errors: Annotated[
        int,
        Field(
            description="How many more there are than `errors` lists; absent where there are none",
            exclude_if=lambda more: more == 0,
        ),
    ] = 0


class BatchPrediction(Response):
    """One entry for each patient, in their order: a score, or the problem with that patient."""

    predictions: tuple[ScoredPatient | Problem, ...]
    model_version: str
    skill: Skill
    disclaimer: str
