"""The kinds of column that a study may have; each kind is a class that owns all its behaviour.

That is: which cells are valid in a CSV and the canonical form of each, the JSON value, the request
field with its schema, the number or word that the model receives, its ONNX tensor, and the form
widget. Code asks the column for these, and never asks what kind it is. A new kind is a class here,
its name in `Column`, and its test.

Three forms of a value are distinguished throughout:

- a *cell* is the text in a CSV, without surrounding blanks, and "" if it is empty;
- a *value* is what JSON has in requests, responses and `reference.json`: None if missing;
- a *feature* is what the model receives: a string, an int, or a float that is NaN if missing.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal, Self, override

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictStr,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from clinical.frozen import Frozen

WHOLE = re.compile(r"-?(0|[1-9][0-9]*)(\.0+)?")  # 56.0 too: pandas writes it beside empty cells
DECIMAL = re.compile(r"-?((0|[1-9][0-9]*)(\.[0-9]+)?|\.[0-9]+)")  # .5 too: SPSS writes it
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
YES, NO = frozenset({"yes", "y", "true", "1"}), frozenset({"no", "n", "false", "0"})
MOST_DECIMALS = 6  # float32, which trees split, holds about seven digits
LARGEST = 1e12  # beyond it a number is no measurement, and float64 no longer holds its decimals
A_PSEUDONYM = "Your own pseudonym for the patient; the response repeats it, and it is never stored."

type Value = str | int | float | bool | None
type Feature = str | int | float
type Tensor = Literal["int64", "float", "string"]


def as_whole(number: object) -> object:
    """Accept 56.0 as 56: JSON has one number type, and OpenAPI 3.1 and the CSV contract agree."""
    return int(number) if isinstance(number, float) and number.is_integer() else number


def as_word(value: object) -> object:
    """Refuse what YAML reads as something other than text."""
    if isinstance(value, str):
        return value
    meant = {True: "Yes, On or True", False: "No, Off or False", None: "nothing"}
    said = meant[value] if value is None or isinstance(value, bool) else str(value)
    raise ValueError(f"YAML reads this as {type(value).__name__} ({said}); put it in quotes")


def as_level(value: object) -> object:
    """Refuse anything but a number; pydantic would read true as 1, and "50" as 50."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("a level must be a number, without quotes")  # noqa: TRY004 - for pydantic
    return value


@dataclass(frozen=True)
class Rule:
    """A rule for cells, with the name that reports use for its violation."""

    name: str
    keeps: Callable[[str], bool]


def broken_rule(cell: str, rules: tuple[Rule, ...]) -> str | None:
    """Return the name of the first rule that a cell breaks; None if it breaks none."""
    return next((rule.name for rule in rules if not rule.keeps(cell)), None)


class Kind(Frozen):
    """What every column has: its name and description for people. None of it changes a model.

    label: the name shown to people, by default the column's own. description: for developers of
    clients. hint: shown beside the form's field. example: a value as in JSON.
    nullable: whether cells and request fields may be empty; the model treats them as missing.
    """

    model_config = ConfigDict(defer_build=False)  # each is also dumped by itself, for a digest

    kind: str
    label: str = ""
    unit: str = ""
    description: str = ""
    hint: str = ""
    example: str | int | float | bool | None = None
    nullable: bool = False

    # Text about a column, which no computation depends on.
    PRESENTATION: ClassVar[frozenset[str]] = frozenset(
        {"label", "unit", "description", "hint", "example", "range_in_words"}
    )
    is_feature: ClassVar[bool] = True  # whether a model may look at it
    is_asked: ClassVar[bool] = True  # whether files and requests have it
    is_number: ClassVar[bool] = False  # whether a comma in its cells may be a decimal point
    is_unique: ClassVar[bool] = False  # whether no two rows may say the same
    may_be_target: ClassVar[bool] = False

    # ---- Cells ----

    def rules(self) -> tuple[Rule, ...]:
        """Return the rules for cells; only the first broken rule of a cell is reported."""
        present = () if self.nullable else (Rule("missing", bool),)
        return (*present, *(Rule(one.name, _or_empty(one.keeps)) for one in self._rules()))

    def _rules(self) -> tuple[Rule, ...]:
        """Return the rules for cells that are not empty."""
        raise NotImplementedError

    @property
    def listed(self) -> tuple[Value, ...]:
        """The allowed values, if the contract lists them."""
        return ()

    def canonical(self, cell: str) -> str:
        """Return the canonical form of a valid cell."""
        return cell

    def is_finer(self, cell: str) -> bool:  # noqa: ARG002
        """Whether a cell has more digits than are kept."""
        return False

    def value(self, cell: str) -> Value:
        """Return the JSON value of a cell in canonical form; None for an empty one."""
        return cell or None

    @property
    def form(self) -> str:
        """The name of the canonical form: cells of the same form can be compared as text."""
        return self.kind

    # ---- Requests ----

    @property
    def field(self) -> Any:  # noqa: ANN401 - what pydantic takes for the type of a field
        """The type of the request field, with its constraints, schema and examples."""
        return Annotated[self._field, Field(description=self.description or None, **self._examples)]

    @property
    def _field(self) -> Any:  # noqa: ANN401
        raise NotImplementedError

    @property
    def _examples(self) -> dict[str, Any]:
        return {} if self.example is None else {"examples": [self.example]}

    @property
    def answer_type(self) -> Any:  # noqa: ANN401
        """The type of the value in a response."""
        return str

    # ---- Models ----

    @property
    def categories(self) -> tuple[str, ...] | None:
        """The categories that the model distinguishes; None for a number."""
        return None

    @property
    def tensor(self) -> Tensor:
        """The type of the graph's input for this column, of shape (n, 1)."""
        raise NotImplementedError

    @property
    def since_column(self) -> str | None:
        """The other column that the feature is counted from, if any."""
        return None

    def feature(self, value: Value, since: Value = None) -> Feature:
        """Return the feature for a value.

        since: the value of `since_column`.
        """
        raise NotImplementedError

    # ---- Forms ----

    @property
    def widget(self) -> Mapping[str, Any]:
        """The form's widget for this column, with its settings."""
        raise NotImplementedError

    def group_of(self, value: Value) -> str:
        """Return the name of the group that a value belongs to."""
        return "missing" if value is None else str(value)

    def told_range(self, name: str) -> str:  # noqa: ARG002
        """Describe the range of values that a model knows; "" if they are not a range."""
        return ""


class _Ranged(Kind):
    """A column of values from `min` to `max`, inclusive."""

    is_number: ClassVar[bool] = True
    range_in_words: str = ""  # such as "ages {min} to {max}"

    @model_validator(mode="after")
    def _its_range_is_one(self) -> Self:
        low, high = self.range
        if low >= high:
            raise ValueError(f"min is {low:g} and max is {high:g}; max must be greater than min")
        return self

    @property
    def range(self) -> tuple[float, float]:
        raise NotImplementedError

    @override
    def told_range(self, name: str) -> str:
        low, high = self.range
        if self.range_in_words:
            return self.range_in_words.format(min=low, max=high)
        return f"{self.label or name} from {low} to {high}{f' {self.unit}' if self.unit else ''}"


class Identifier(Kind):
    """A column of unique, non-empty strings of at most `max_length` characters."""

    kind: Literal["identifier"]
    max_length: int = Field(default=64, ge=1, le=1024)
    example: Annotated[StrictStr, Field(min_length=1)] = "P0001"
    nullable: Literal[False] = False

    is_feature: ClassVar[bool] = False
    is_unique: ClassVar[bool] = True

    @override
    def _rules(self) -> tuple[Rule, ...]:
        return (Rule("too_long", lambda cell: len(cell) <= self.max_length),)

    @property
    def field(self) -> Any:  # noqa: ANN401
        return Annotated[
            str,
            Field(
                min_length=1,
                max_length=self.max_length,
                description=self.description or A_PSEUDONYM,
                **self._examples,
            ),
        ]

    @property
    def widget(self) -> Mapping[str, Any]:
        return {"widget": "text", "max_length": self.max_length}


class WholeNumber(_Ranged):
    """A column of whole numbers from `min` to `max`, inclusive."""

    kind: Literal["whole_number"]
    min: int = Field(ge=-LARGEST, le=LARGEST)
    max: int = Field(ge=-LARGEST, le=LARGEST)
    example: int | None = None

    may_be_target: ClassVar[bool] = True

    @property
    def range(self) -> tuple[int, int]:
        return self.min, self.max

    @override
    def _rules(self) -> tuple[Rule, ...]:
        return (
            Rule("whole_number", _is_written(WHOLE)),
            Rule("out_of_range", lambda cell: self.min <= float(cell) <= self.max),
        )

    @override
    def canonical(self, cell: str) -> str:
        return _whole_digits(cell)

    @override
    def value(self, cell: str) -> Value:
        return int(cell) if cell else None

    @property
    def _field(self) -> Any:  # noqa: ANN401
        whole = Annotated[int, Field(ge=self.min, le=self.max), BeforeValidator(as_whole)]
        return _optional(whole, self.nullable)

    @property
    def answer_type(self) -> Any:  # noqa: ANN401
        return int

    @property
    def tensor(self) -> Tensor:
        return "float" if self.nullable else "int64"

    @override
    def feature(self, value: Value, since: Value = None) -> Feature:
        return math.nan if value is None else value

    @property
    def widget(self) -> Mapping[str, Any]:
        return {"widget": "number", "range": self.range, "step": 1}


class Number(_Ranged):
    """A column of numbers from `min` to `max`, inclusive, rounded to `decimals` places."""

    kind: Literal["number"]
    min: float = Field(ge=-LARGEST, le=LARGEST)
    max: float = Field(ge=-LARGEST, le=LARGEST)
    decimals: int = Field(ge=0, le=MOST_DECIMALS)
    example: float | None = None

    may_be_target: ClassVar[bool] = True

    @property
    def range(self) -> tuple[float, float]:
        return self.min, self.max

    @property
    def form(self) -> str:
        return f"{self.kind}:{self.decimals}"

    def rounded(self, number: float) -> float:
        """Round to the column's decimals, as is done to cells and requests first of all."""
        return round(number, self.decimals) + 0.0  # -0.0 is 0.0

    @override
    def _rules(self) -> tuple[Rule, ...]:
        return (
            Rule("decimal_number", _is_written(DECIMAL)),
            Rule("out_of_range", lambda cell: self.min <= self.rounded(float(cell)) <= self.max),
        )

    @override
    def canonical(self, cell: str) -> str:
        return _decimal_digits(self.rounded(float(cell))) if cell else ""

    @override
    def is_finer(self, cell: str) -> bool:
        is_number = DECIMAL.fullmatch(cell) is not None
        return is_number and self.rounded(float(cell)) != float(cell)

    @override
    def value(self, cell: str) -> Value:
        return float(cell) if cell else None

    @property
    def _field(self) -> Any:  # noqa: ANN401
        def rounded(number: object) -> object:
            if isinstance(number, bool) or not isinstance(number, (int, float)):
                return number
            # The range refuses numbers that are far outside it.
            return self.rounded(number) if abs(number) <= LARGEST else number

        number = Annotated[float, Field(ge=self.min, le=self.max), BeforeValidator(rounded)]
        return _optional(number, self.nullable)

    @property
    def answer_type(self) -> Any:  # noqa: ANN401
        return float

    @property
    def tensor(self) -> Tensor:
        return "float"

    @override
    def feature(self, value: Value, since: Value = None) -> Feature:
        return _number(value, float)

    @property
    def widget(self) -> Mapping[str, Any]:
        step = 10.0**-self.decimals if self.decimals else 1
        return {"widget": "number", "range": self.range, "step": step}


class YesNo(Kind):
    """A column of yes or no: in a CSV yes, no, true, false, 1, 0, y or n, in any case."""

    kind: Literal["yes_no"]
    example: StrictBool | None = None

    @override
    def _rules(self) -> tuple[Rule, ...]:
        return (Rule("unknown_value", lambda cell: cell.casefold() in YES | NO),)

    @property
    def listed(self) -> tuple[Value, ...]:
        return (False, True)

    @override
    def canonical(self, cell: str) -> str:
        return ("yes" if cell.casefold() in YES else "no") if cell else ""

    @override
    def value(self, cell: str) -> Value:
        return cell == "yes" if cell else None

    @property
    def _field(self) -> Any:  # noqa: ANN401
        return _optional(bool, self.nullable)

    @property
    def answer_type(self) -> Any:  # noqa: ANN401
        return bool

    @property
    def tensor(self) -> Tensor:
        return "float" if self.nullable else "int64"

    @override
    def feature(self, value: Value, since: Value = None) -> Feature:
        return _number(value, int)

    @property
    def widget(self) -> Mapping[str, Any]:
        return {"widget": "choice", "values": self.listed}

    @override
    def group_of(self, value: Value) -> str:
        return {None: "missing", True: "yes", False: "no"}[value]  # type: ignore[index]


class Category(Kind):
    """A column of strings, each one of `values`."""

    kind: Literal["category"]
    values: tuple[Annotated[str, BeforeValidator(as_word)], ...] = Field(min_length=1)
    example: str | None = None

    @field_validator("values")
    @classmethod
    def _are_different_words(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        for value in values:
            if value != value.strip() or not value:
                raise ValueError(
                    f"{value!r} is empty or has blanks around it; no cell can match it"
                )
        return _all_different(values)

    @override
    def _rules(self) -> tuple[Rule, ...]:
        return (Rule("unknown_value", frozenset(self.values).__contains__),)

    @property
    def listed(self) -> tuple[Value, ...]:
        return self.values

    @property
    def _field(self) -> Any:  # noqa: ANN401
        return _optional(Literal[self.values], self.nullable)

    @property
    def categories(self) -> tuple[str, ...] | None:
        return (*self.values, *([""] if self.nullable else []))

    @property
    def tensor(self) -> Tensor:
        return "string"

    @override
    def feature(self, value: Value, since: Value = None) -> Feature:
        return "" if value is None else str(value)

    @property
    def widget(self) -> Mapping[str, Any]:
        return {"widget": "choice", "values": self.values}


class Level(Kind):
    """A column of numbers, each one of `values`, such as dosages; the model gets the number."""

    kind: Literal["level"]
    values: tuple[Annotated[int | float, BeforeValidator(as_level)], ...] = Field(min_length=1)
    example: int | float | None = None

    is_number: ClassVar[bool] = True

    @field_validator("values")
    @classmethod
    def _are_different(cls, values: tuple[float, ...]) -> tuple[float, ...]:
        return _all_different(values)

    @cached_property
    def _is_whole(self) -> bool:
        return all(isinstance(value, int) for value in self.values)

    @override
    def _rules(self) -> tuple[Rule, ...]:
        written = ("whole_number", WHOLE) if self._is_whole else ("decimal_number", DECIMAL)
        return (
            Rule(written[0], _is_written(written[1])),
            Rule("unknown_value", lambda cell: float(cell) in self.values),
        )

    @property
    def listed(self) -> tuple[Value, ...]:
        return self.values

    @override
    def canonical(self, cell: str) -> str:
        if self._is_whole:
            return _whole_digits(cell)
        return _decimal_digits(float(cell) + 0.0) if cell else ""

    @override
    def value(self, cell: str) -> Value:
        return next(value for value in self.values if value == float(cell)) if cell else None

    @property
    def _field(self) -> Any:  # noqa: ANN401
        def known(number: float) -> float:
            if number not in self.values:
                raise PydanticCustomError(
                    "literal_error", "Input should be {expected}", {"expected": _or(self.values)}
                )
            return next(value for value in self.values if value == number)

        # A JSON number, not an integer: clients send 50.0 as well as 50.
        level = Annotated[
            float,
            AfterValidator(known),
            WithJsonSchema({"type": "number", "enum": list(self.values)}),
        ]
        return _optional(level, self.nullable)

    @property
    def answer_type(self) -> Any:  # noqa: ANN401
        return int if self._is_whole else float

    @property
    def tensor(self) -> Tensor:
        return "int64" if self._is_whole and not self.nullable else "float"

    @override
    def feature(self, value: Value, since: Value = None) -> Feature:
        return _number(value, int if self._is_whole else float)

    @property
    def widget(self) -> Mapping[str, Any]:
        return {"widget": "choice", "values": self.values}


class Date(_Ranged):
    """A column of days, such as 2026-11-25; the model gets the number of days since another day.

    since: a fixed day, or the name of another date column. min, max: the first and last day.
    """

    kind: Literal["date"]
    since: date | str
    min: date
    max: date
    example: Annotated[StrictStr, Field(pattern=DAY.pattern)] | None = None

    is_number: ClassVar[bool] = False

    @field_validator("since", mode="before")
    @classmethod
    def _a_day_is_a_day(cls, since: object) -> object:
        return (
            date.fromisoformat(since) if isinstance(since, str) and DAY.fullmatch(since) else since
        )

    @model_validator(mode="after")
    def _its_range_is_one(self) -> Self:
        if self.min >= self.max:
            raise ValueError(f"min is {self.min} and max is {self.max}; max must be after min")
        return self

    @property
    def range(self) -> tuple[Any, Any]:
        return self.min.isoformat(), self.max.isoformat()

    @override
    def _rules(self) -> tuple[Rule, ...]:
        return (
            Rule("date", lambda cell: _day(cell) is not None),
            Rule("out_of_range", self._is_within),
        )

    def _is_within(self, cell: str) -> bool:
        day = _day(cell)
        return day is None or self.min <= day <= self.max

    @property
    def _field(self) -> Any:  # noqa: ANN401
        def known(text: str) -> str:
            if _day(text) is None:
                raise PydanticCustomError("date", "Input should be a day, such as 2026-11-25", {})
            if not self._is_within(text):
                raise PydanticCustomError(
                    "out_of_range",
                    "Input should be a day from {min} to {max}",
                    {"min": self.range[0], "max": self.range[1]},
                )
            return text

        day = Annotated[
            str, AfterValidator(known), WithJsonSchema({"type": "string", "format": "date"})
        ]
        return _optional(day, self.nullable)

    @property
    def tensor(self) -> Tensor:
        return "float"

    @property
    def since_column(self) -> str | None:
        return self.since if isinstance(self.since, str) else None

    @override
    def feature(self, value: Value, since: Value = None) -> Feature:
        day = _day(str(value)) if value is not None else None
        origin = self.since if isinstance(self.since, date) else _day(str(since)) if since else None
        return float((day - origin).days) if day and origin else math.nan

    @property
    def widget(self) -> Mapping[str, Any]:
        return {"widget": "date", "range": self.range}


class Ignored(Kind):
    """A column that files may have and that the system does not read."""

    kind: Literal["ignored"]

    is_feature: ClassVar[bool] = False
    is_asked: ClassVar[bool] = False


Column = Annotated[
    Identifier | WholeNumber | Number | YesNo | Category | Level | Date | Ignored,
    Field(discriminator="kind"),
]


def _all_different[Listed: (str, float)](values: tuple[Listed, ...]) -> tuple[Listed, ...]:
    seen = set[Listed]()
    for value in values:
        if value in seen:
            raise ValueError(f"{value} is listed twice")
        seen.add(value)
    return values


def _or_empty(keeps: Callable[[str], bool]) -> Callable[[str], bool]:
    return lambda cell: not cell or keeps(cell)


def _is_written(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda cell: pattern.fullmatch(cell) is not None


def _whole_digits(cell: str) -> str:
    digits = cell.partition(".")[0]
    return "0" if digits == "-0" else digits


def _decimal_digits(number: float) -> str:
    return format(Decimal(repr(number)), "f")  # never 1e-06, which is no cell


def _day(cell: str) -> date | None:
    try:
        return date.fromisoformat(cell) if DAY.fullmatch(cell) else None
    except ValueError:  # such as 2026-02-30
        return None


def _number(value: Value, make: Callable[[Any], int | float]) -> int | float:
    return math.nan if value is None else make(value)


def _optional(kind: Any, nullable: bool) -> Any:  # noqa: ANN401, FBT001
    return kind | None if nullable else kind


def _or(values: tuple[Any, ...]) -> str:
    *rest, last = map(str, values)
    return f"{', '.join(rest)} or {last}" if rest else last
