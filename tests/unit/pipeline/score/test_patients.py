from collections.abc import Mapping
from typing import Any

import pytest
from clinical.kinds import Value
from clinical.params import params
from clinical.reference import example_request
from score.patients import Fault, Judged, as_json

from tests.unit.pipeline.score.conftest import Desk

EXAMPLE = {name: kind.example for name, kind in params().asked.items()}


def judged(name: str, *, decimal_commas: bool = False) -> Judged:
    return Judged(name, params(), decimal_commas=decimal_commas)


@pytest.mark.parametrize(
    ("name", "cell", "value"),
    [
        ("Age", "56", 56),
        ("Age", " 56.0\t", 56),
        ("Age", "\xa056", 56),
        ("Dosage_mg", "50.00", 50),
        ("Gender", " Male ", "Male"),
        ("Side_Effects", "Nausea", "Nausea"),
        ("Side_Effects", "", None),
        ("Side_Effects", "n/a", None),
        ("Side_Effects", " - ", None),
    ],
)
def test_a_cell_that_keeps_the_rules_is_the_value_of_a_request(
    name: str, cell: str, value: Any
) -> None:
    assert judged(name).judged(cell, EXAMPLE) == (value, None)


@pytest.mark.parametrize(
    ("name", "cell", "rule", "message"),
    [
        ("Age", "", "missing", "Field required"),
        ("Age", "NA", "missing", "Field required"),
        ("Age", "56.5", "whole_number", "Input should be a valid integer"),
        ("Age", "056", "whole_number", "Input should be a valid integer"),
        ("Age", "5e1", "whole_number", "Input should be a valid integer"),
        ("Age", "1,000", "whole_number", "Input should be a valid integer"),
        ("Age", "17", "out_of_range", "Input should be greater than or equal to 18"),
        ("Age", "-5", "out_of_range", "Input should be greater than or equal to 18"),
        ("Age", "80", "out_of_range", "Input should be less than or equal to 79"),
        ("Age", "9" * 299, "out_of_range", "Input should be less than or equal to 79"),
        ("Age", "9" * 400, "out_of_range", "Input should be a valid integer"),
        ("Age", "9" * 5000, "out_of_range", "Input should be a valid integer"),
        ("Gender", "male", "unknown_value", "Input should be 'Female' or 'Male'"),
        ("Dosage_mg", "51", "unknown_value", "Input should be 50, 100, 250, 500 or 850"),
        ("Dosage_mg", "x", "whole_number", "Input should be a valid number"),
        ("Patient_ID", "", "missing", "Field required"),
        ("Patient_ID", "x" * 65, "too_long", "String should have at most 64 characters"),
    ],
)
def test_a_cell_that_breaks_a_rule_is_described_in_the_apis_words(
    name: str, cell: str, rule: str, message: str
) -> None:
    value, fault = judged(name).judged(cell, EXAMPLE)

    assert (value, fault) == (None, Fault(rule, name, message))


@pytest.mark.parametrize("name", list(params().asked))
@pytest.mark.parametrize("cell", ["MARKED", "-1MARKED", "MARKED" * 100, "1" * 3 + ".77777", "⟪"])
def test_no_message_repeats_a_cell(name: str, cell: str) -> None:
    _, fault = judged(name).judged(cell, EXAMPLE)

    assert fault is None or cell not in str(fault)


def test_decimal_commas_are_points_in_numbers_alone() -> None:
    age, gender = (judged(name, decimal_commas=True) for name in ("Age", "Gender"))

    assert age.judged("56,0", EXAMPLE) == (56, None)
    assert age.judged("56.0", EXAMPLE)[1] is not None
    assert gender.judged("Male", EXAMPLE) == ("Male", None)


def test_each_distinct_cell_is_judged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    age, calls = judged("Age"), list[str]()
    judge = Judged.judged

    def judged_and_noted(self: Judged, cell: str, example: Mapping[str, Value]) -> Any:
        calls.append(cell)
        return judge(self, cell, example)

    monkeypatch.setattr(Judged, "judged", judged_and_noted)

    first = age.codes(["56", "x", "56"], EXAMPLE)
    second = age.codes(["57", "x", "56"], EXAMPLE)

    assert calls == ["56", "x", "57"]
    assert (first.tolist(), second.tolist()) == ([0, 1, 0], [2, 1, 0])
    assert list(age.faults_of(second)) == [1]
    assert age.features(second)[[0, 2]].tolist() == [57, 56]


def test_identifiers_are_judged_and_not_remembered() -> None:
    who = judged("Patient_ID")

    found = who.faults_in(["P1", " ", "x" * 65, "NA", "P1"], EXAMPLE)

    assert {row: fault.rule for row, fault in found.items()} == {
        1: "missing",
        2: "too_long",
        3: "missing",
    }
    assert who.faults_in(["P1", "P2"], EXAMPLE) == {}
    assert who.number == 0


def test_the_example_is_what_the_model_recorded(desk: Desk) -> None:
    example = example_request(desk.model.reference, params())

    assert all(
        judged(name).judged(str(value), example)[1] is None for name, value in example.items()
    )


@pytest.mark.parametrize(
    ("cell", "value"),
    [("56", 56), ("56.5", 56.5), (".5", 0.5), ("-1", -1), ("5e1", "5e1"), ("1" * 300, "1" * 300)],
)
def test_a_cell_is_taken_for_what_json_would_have(cell: str, value: object) -> None:
    assert as_json(cell, params().columns["Age"]) == value
    assert as_json(cell, params().columns["Gender"]) == cell
