"""Each kind owns its cells, values, request field, feature and widget: a table for each."""

import json
import math
from typing import Annotated, Any

import pytest
from clinical.kinds import (
    Category,
    Column,
    Date,
    Identifier,
    Ignored,
    Kind,
    Level,
    Number,
    Value,
    WholeNumber,
    YesNo,
)
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, create_model

STRICT = ConfigDict(strict=True, allow_inf_nan=False)
ARABIC_DAY = "\u0662\u0660\u0662\u0661-\u0660\u0661-\u0660\u0661"
WORDS = ("Ärm-B", "No", "None", "1,5", "男")

KINDS: dict[str, Kind] = {
    "identifier": Identifier(kind="identifier", max_length=8),
    "whole_number": WholeNumber(kind="whole_number", min=-5, max=120),
    "whole_number, nullable": WholeNumber(kind="whole_number", min=-5, max=120, nullable=True),
    "number": Number(kind="number", min=-2.5, max=99.9, decimals=1),
    "number, nullable": Number(kind="number", min=-2.5, max=99.9, decimals=1, nullable=True),
    "number without decimals": Number(kind="number", min=0, max=1e6, decimals=0),
    "number of six decimals": Number(kind="number", min=-1, max=1, decimals=6),
    "yes_no": YesNo(kind="yes_no"),
    "yes_no, nullable": YesNo(kind="yes_no", nullable=True),
    "category": Category(kind="category", values=WORDS),
    "category, nullable": Category(kind="category", values=WORDS, nullable=True),
    "level": Level(kind="level", values=(50, 100, 850)),
    "level, nullable": Level(kind="level", values=(50, 100, 850), nullable=True),
    "level of decimals": Level(kind="level", values=(0.5, 1, 2.25)),
    "date": Date.model_validate(
        {"kind": "date", "since": "2020-01-01", "min": "2019-06-01", "max": "2024-12-31"}
    ),
    "date, nullable": Date.model_validate(
        {
            "kind": "date",
            "since": "2020-01-01",
            "min": "2019-06-01",
            "max": "2024-12-31",
            "nullable": True,
        }
    ),
}


def broken(kind: Kind, cell: str) -> str | None:
    """Name the first rule that a cell breaks."""
    return next((rule.name for rule in kind.rules() if not rule.keeps(cell)), None)


def request(kind: Kind) -> TypeAdapter[Any]:
    """The request field of a column, as a contract has it."""
    default = Field(None) if kind.nullable else Field()
    return TypeAdapter(create_model("Asked", __config__=STRICT, column=(kind.field, default)))


def received(kind: Kind, value: object) -> Value:
    """What a request comes to that says a value, by way of JSON."""
    found: Value = request(kind).validate_json(json.dumps({"column": value})).column
    return found


def same(one: object, other: object) -> bool:
    both_missing = one != one and other != other  # noqa: PLR0124 - NaN
    return type(one) is type(other) and (one == other or both_missing)


# ---- Cells ----


@pytest.mark.parametrize(
    ("kind", "cell", "rule"),
    [
        ("identifier", "", "missing"),
        ("identifier", "123456789", "too_long"),
        ("identifier", "Ä 1", None),
        *(
            ("whole_number", cell, "whole_number")
            for cell in ("1e2", "+5", "05", "5.5", "x", "\u0663")
        ),
        *(("whole_number", cell, "out_of_range") for cell in ("-6", "121", "9" * 400)),
        *(("whole_number", cell, None) for cell in ("-5", "120.0", "-0.0", "0")),
        ("whole_number", "", "missing"),
        ("whole_number, nullable", "", None),
        *(
            ("number", cell, "decimal_number")
            for cell in ("1e2", "nan", "inf", "1,5", "\u0663.\u0665", "5.")
        ),
        *(("number", cell, "out_of_range") for cell in ("-2.56", "99.96", "1" * 400)),
        *(("number", cell, None) for cell in (".5", "-.5", "99.94", "-2.54", "7")),
        ("number", "", "missing"),
        ("number, nullable", "", None),
        *(("yes_no", cell, None) for cell in ("Yes", "y", "TRUE", "1", "no", "N", "False", "0")),
        *(("yes_no", cell, "unknown_value") for cell in ("oui", "2", "yes!", "1.0")),
        ("yes_no", "", "missing"),
        ("yes_no, nullable", "", None),
        *(("category", cell, None) for cell in WORDS),
        *(("category", cell, "unknown_value") for cell in ("ärm-b", "no", "女")),
        ("category", "", "missing"),
        ("category, nullable", "", None),
        ("level", "50.0", None),
        ("level", "50.5", "whole_number"),
        ("level", "60", "unknown_value"),
        ("level", "", "missing"),
        ("level, nullable", "", None),
        *(("level of decimals", cell, None) for cell in ("0.5", ".5", "0.50", "1", "1.0", "2.25")),
        ("level of decimals", "2.2", "unknown_value"),
        ("level of decimals", "1e0", "decimal_number"),
        *(
            ("date", cell, "date")
            for cell in (
                "2021-02-30",
                "2021-2-3",
                "20210203",
                "03.02.2021",
                "2021-W05-3",
                ARABIC_DAY,
            )
        ),
        ("date", "2019-05-31", "out_of_range"),
        ("date", "2025-01-01", "out_of_range"),
        *(("date", cell, None) for cell in ("2019-06-01", "2020-02-29", "2024-12-31")),
        ("date", "", "missing"),
        ("date, nullable", "", None),
    ],
)
def test_a_cell_keeps_the_rules_of_its_kind_or_breaks_one(
    kind: str, cell: str, rule: str | None
) -> None:
    assert broken(KINDS[kind], cell) == rule


@pytest.mark.parametrize(
    ("kind", "cell", "written", "value"),
    [
        ("identifier", "Ä 1", "Ä 1", "Ä 1"),
        ("whole_number", "56.00", "56", 56),
        ("whole_number", "-0.0", "0", 0),
        ("whole_number, nullable", "", "", None),
        ("number", "23.456", "23.5", 23.5),
        ("number", ".5", "0.5", 0.5),
        ("number", "7", "7.0", 7.0),
        ("number", "-0.04", "0.0", 0.0),
        ("number", "0.25", "0.2", 0.2),  # as floats round: half to even
        ("number, nullable", "", "", None),
        ("number without decimals", "1000000", "1000000.0", 1e6),
        ("number of six decimals", "0.000001", "0.000001", 1e-6),
        ("yes_no", "Y", "yes", True),
        ("yes_no", "0", "no", False),
        ("yes_no, nullable", "", "", None),
        ("category", "1,5", "1,5", "1,5"),
        ("category, nullable", "", "", None),
        ("level", "50.0", "50", 50),
        ("level of decimals", "1", "1.0", 1),
        ("level of decimals", ".50", "0.5", 0.5),
        ("level, nullable", "", "", None),
        ("date", "2020-02-29", "2020-02-29", "2020-02-29"),
        ("date, nullable", "", "", None),
    ],
)
def test_a_value_has_one_form_in_a_csv_and_one_in_json(
    kind: str, cell: str, written: str, value: Value
) -> None:
    column = KINDS[kind]

    assert column.canonical(cell) == written
    assert same(column.value(written), value)
    assert math.copysign(1, value) > 0 or value < 0 if isinstance(value, float) else True


@pytest.mark.parametrize(
    ("kind", "cell", "finer"),
    [
        ("number", "23.456", True),
        ("number", "23.50", False),
        ("number", "x", False),
        ("whole_number", "56.0", False),
        ("category", "1,5", False),
    ],
)
def test_what_says_more_than_is_kept_is_told(kind: str, cell: str, finer: bool) -> None:
    assert KINDS[kind].is_finer(cell) is finer


@pytest.mark.parametrize(
    ("kind", "form"),
    [
        ("whole_number", "whole_number"),
        ("number", "number:1"),
        ("number of six decimals", "number:6"),
        ("category", "category"),
        ("date", "date"),
    ],
)
def test_rows_compare_where_cells_have_the_same_form(kind: str, form: str) -> None:
    assert KINDS[kind].form == form


# ---- Models ----


@pytest.mark.parametrize(
    ("kind", "tensor", "value", "feature"),
    [
        ("whole_number", "int64", 56, 56),
        ("whole_number, nullable", "float", None, math.nan),
        ("number", "float", 23.5, 23.5),
        ("number, nullable", "float", None, math.nan),
        ("yes_no", "int64", True, 1),
        ("yes_no", "int64", False, 0),
        ("yes_no, nullable", "float", None, math.nan),
        ("category", "string", "No", "No"),
        ("category, nullable", "string", None, ""),
        ("level", "int64", 50, 50),
        ("level, nullable", "float", None, math.nan),
        ("level of decimals", "float", 1, 1.0),
        ("date", "float", "2020-01-31", 30.0),
        ("date", "float", "2019-12-31", -1.0),
        ("date, nullable", "float", None, math.nan),
    ],
)
def test_a_model_takes_a_value_as_its_kind_has_it(
    kind: str, tensor: str, value: Value, feature: object
) -> None:
    column = KINDS[kind]

    assert column.tensor == tensor
    assert same(column.feature(value), feature)


def test_a_day_is_counted_from_another_column_where_both_are_there() -> None:
    treated = Date.model_validate(
        {"kind": "date", "since": "enrolled", "min": "2019-01-01", "max": "2025-12-31"}
    )

    assert treated.since_column == "enrolled"
    assert treated.feature("2020-03-01", "2020-02-28") == 2  # of a leap year
    assert treated.feature("2020-02-28", "2020-03-01") == -2
    assert math.isnan(float(treated.feature("2020-03-01", None)))
    assert math.isnan(float(treated.feature(None, "2020-03-01")))


def test_nothing_is_one_more_category_where_it_may_be() -> None:
    assert KINDS["category"].categories == WORDS
    assert KINDS["category, nullable"].categories == (*WORDS, "")
    assert KINDS["yes_no"].categories is None


# ---- Requests ----

IN_RANGE = {"minimum": -5, "maximum": 120, "type": "integer"}


@pytest.mark.parametrize(
    ("kind", "schema"),
    [
        ("identifier", {"type": "string", "minLength": 1, "maxLength": 8}),
        ("whole_number", IN_RANGE),
        ("whole_number, nullable", {"anyOf": [IN_RANGE, {"type": "null"}]}),
        ("number", {"type": "number", "minimum": -2.5, "maximum": 99.9}),
        ("yes_no", {"type": "boolean"}),
        ("category", {"type": "string", "enum": list(WORDS)}),
        ("level", {"type": "number", "enum": [50, 100, 850]}),
        ("date", {"type": "string", "format": "date"}),
        ("date, nullable", {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]}),
    ],
)
def test_a_request_field_is_documented_with_all_that_it_asks(kind: str, schema: Any) -> None:
    found = TypeAdapter(Annotated[KINDS[kind].field, Field()]).json_schema()

    assert {name: found[name] for name in schema} == schema
    assert set(found) - set(schema) <= {"description", "examples"}


@pytest.mark.parametrize(
    ("kind", "value", "read"),
    [
        ("whole_number", 56.0, 56),
        ("number", 23.456, 23.5),
        ("number", 7, 7.0),
        ("number", -0.04, 0.0),
        ("number", 99.94, 99.9),
        ("level", 50.0, 50),
        ("level of decimals", 1, 1),
        ("yes_no", False, False),
        ("category", "男", "男"),
        ("date", "2020-02-29", "2020-02-29"),
        ("whole_number, nullable", None, None),
        ("number, nullable", None, None),
        ("yes_no, nullable", None, None),
        ("category, nullable", None, None),
        ("level, nullable", None, None),
        ("date, nullable", None, None),
    ],
)
def test_a_request_says_a_value(kind: str, value: object, read: Value) -> None:
    assert same(received(KINDS[kind], value), read)
    assert math.copysign(1, read) > 0 if isinstance(read, float) else True


NEVER: tuple[object, ...] = ([], {}, 10**400, -(10**400), 1e300, math.nan, math.inf)


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        *((name, None) for name, kind in KINDS.items() if not kind.nullable),
        *((name, wrong) for name in KINDS for wrong in NEVER),
        *(
            (name, wrong)
            for name, kind in KINDS.items()
            if kind.is_number
            for wrong in (True, False, "50", "", "nan")
        ),
        *((name, wrong) for name in ("yes_no", "yes_no, nullable") for wrong in (0, 1, 1.0, "yes")),
        *(("date", wrong) for wrong in ("2021-02-30", "2019-05-31", "2021-01-01T00:00", 18262, "")),
        *(("date", wrong) for wrong in (ARABIC_DAY, "2021-1-1", "0000-01-01", "2021-01-01\n")),
        *(("category, nullable", wrong) for wrong in ("", "no", 1, True)),
        ("identifier", ""),
        ("identifier", "x" * 9),
        ("identifier", 7),
        ("whole_number", 5.5),
        ("whole_number", 121),
        ("number", 99.96),
        ("level", 60),
        ("level of decimals", 2.2),
    ],
)
def test_a_request_that_says_no_value_of_the_kind_is_refused(kind: str, wrong: object) -> None:
    with pytest.raises(ValidationError) as refused:
        received(KINDS[kind], wrong)

    assert {error["loc"][0] for error in refused.value.errors()} == {"column"}


@pytest.mark.parametrize("kind", [name for name, kind in KINDS.items() if kind.nullable])
def test_what_may_be_missing_may_be_left_out(kind: str) -> None:
    assert request(KINDS[kind]).validate_json("{}").column is None


def test_surrogates_that_json_can_write_are_no_identifier_that_crashes() -> None:
    """Half a character, which no UTF-8 has."""
    with pytest.raises(ValidationError):
        request(KINDS["identifier"]).validate_json('{"column": "\\ud800"}')


# ---- Forms ----


@pytest.mark.parametrize(
    ("kind", "widget"),
    [
        ("identifier", {"widget": "text", "max_length": 8}),
        ("whole_number", {"widget": "number", "range": (-5, 120), "step": 1}),
        ("number", {"widget": "number", "range": (-2.5, 99.9), "step": 0.1}),
        ("number without decimals", {"widget": "number", "range": (0, 1e6), "step": 1}),
        ("yes_no", {"widget": "choice", "values": (False, True)}),
        ("category", {"widget": "choice", "values": WORDS}),
        ("level", {"widget": "choice", "values": (50, 100, 850)}),
        ("date", {"widget": "date", "range": ("2019-06-01", "2024-12-31")}),
    ],
)
def test_a_form_knows_how_to_ask(kind: str, widget: dict[str, object]) -> None:
    assert dict(KINDS[kind].widget) == widget


def test_groups_are_named_as_people_say_them() -> None:
    assert [KINDS["yes_no"].group_of(one) for one in (True, False, None)] == [
        "yes",
        "no",
        "missing",
    ]
    assert KINDS["level"].group_of(50) == "50"
    assert KINDS["category, nullable"].group_of(None) == "missing"


@pytest.mark.parametrize(
    ("kind", "asked", "feature", "target"),
    [
        ("identifier", True, False, False),
        ("whole_number", True, True, True),
        ("number", True, True, True),
        ("yes_no", True, True, False),
        ("category", True, True, False),
        ("level", True, True, False),
        ("date", True, True, False),
    ],
)
def test_a_kind_says_what_its_columns_are_for(
    kind: str, asked: bool, feature: bool, target: bool
) -> None:
    column = KINDS[kind]

    assert (column.is_asked, column.is_feature, column.may_be_target) == (asked, feature, target)


def test_what_is_ignored_is_neither_asked_nor_learned_from() -> None:
    ignored = Ignored(kind="ignored")

    assert (ignored.is_asked, ignored.is_feature, ignored.may_be_target) == (False,) * 3


# ---- What params.yaml may say ----


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        ({"kind": "whole_number", "min": 5, "max": 5}, "max must be greater than min"),
        ({"kind": "number", "min": 1, "max": 0.5, "decimals": 1}, "max must be greater than min"),
        ({"kind": "number", "min": 0, "max": 1, "decimals": 7}, "less than or equal to 6"),
        ({"kind": "number", "min": 0, "max": 1e13, "decimals": 1}, "less than or equal to"),
        (
            {"kind": "date", "since": "2020-01-01", "min": "2020-02-01", "max": "2020-01-01"},
            "after",
        ),
        ({"kind": "category", "values": [False, "Yes"]}, "put it in quotes"),
        ({"kind": "category", "values": ["a", "a"]}, "is listed twice"),
        ({"kind": "category", "values": [" a"]}, "blanks around it"),
        ({"kind": "category", "values": [""]}, "is empty"),
        ({"kind": "category", "values": []}, "at least 1"),
        ({"kind": "level", "values": [True]}, "a level must be a number"),
        ({"kind": "level", "values": ["50"]}, "a level must be a number"),
        ({"kind": "level", "values": [1, 1.0]}, "is listed twice"),
        ({"kind": "identifier", "nullable": True}, "nullable"),
        ({"kind": "weekday"}, "weekday"),
    ],
)
def test_a_column_that_no_data_could_keep_is_refused(column: Any, reason: str) -> None:
    with pytest.raises(ValidationError) as refused:
        TypeAdapter(Column).validate_python(column)

    assert reason in str(refused.value)


# ---- What holds for every kind ----

PRESENT = {name: kind for name, kind in KINDS.items() if kind.is_feature}
DIGITS = st.from_regex(r"-?[0-9]{0,4}(\.[0-9]{0,9})?", fullmatch=True)


def cells_of(kind: Kind) -> st.SearchStrategy[str]:
    """Cells, of which many keep the rules of a kind."""
    listed = [str(value) for value in kind.listed]
    return st.one_of(
        st.text(max_size=12),
        DIGITS,
        st.integers(-999, 999).map(lambda digits: f"{digits / 1e6:.6f}"),
        st.floats(-3, 130).map(repr),
        st.integers(-6, 121).map(str),
        st.dates().map(str),
        st.sampled_from(["", "yes", "NO", "true", "2020-02-29", "2020-02-30", *listed]),
        st.sampled_from(listed) if listed else st.nothing(),
    )


@pytest.mark.parametrize("name", PRESENT)
@given(data=st.data())
def test_what_a_cell_says_can_be_asked_for_and_is_the_same_to_a_model(
    name: str, data: st.DataObject
) -> None:
    kind = KINDS[name]
    cell = data.draw(cells_of(kind))
    if broken(kind, cell) is not None:  # which it told without a crash
        assert kind.is_finer(cell) in {True, False}
        return

    written = kind.canonical(cell)

    assert broken(kind, written) is None
    assert kind.canonical(written) == written
    assert not kind.is_finer(written)
    value = kind.value(written)
    asked = received(kind, value)
    assert same(asked, value)
    assert same(kind.feature(asked), kind.feature(value))
    expected: dict[str, Any] = {"int64": int, "float": (int, float), "string": str}
    assert isinstance(kind.feature(value), expected[kind.tensor])
    if kind.categories is not None:
        assert kind.feature(value) in kind.categories


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.dates().map(str),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=3,
)


@pytest.mark.parametrize("name", PRESENT)
@given(value=JSON)
def test_a_request_is_refused_or_says_what_a_cell_could_say(name: str, value: object) -> None:
    kind = KINDS[name]
    try:
        asked = received(kind, value)
    except ValidationError:
        return

    said = {True: "yes", False: "no", None: ""}
    cell = said[asked] if asked is None or isinstance(asked, bool) else str(asked)
    if isinstance(asked, float):
        cell = f"{asked:.6f}"  # Python alone writes 1e-06
    assert broken(kind, cell) is None
    assert same(kind.value(kind.canonical(cell)), asked)


@pytest.mark.parametrize(
    "name", [name for name, kind in KINDS.items() if name.startswith("number")]
)
@given(number=st.floats(-3, 130))
def test_a_number_is_rounded_alike_from_a_csv_and_from_json(name: str, number: float) -> None:
    kind = KINDS[name]
    cell = f"{number:.12f}"
    if broken(kind, cell) is not None:
        with pytest.raises(ValidationError):
            received(kind, float(cell))
        return

    assert received(kind, float(cell)) == kind.value(kind.canonical(cell))
