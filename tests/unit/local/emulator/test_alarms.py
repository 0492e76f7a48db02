from typing import Any

import pytest

from local.emulator.alarms import judged


def alarm(**settings: Any) -> dict[str, Any]:
    return {
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": 0.01,
        "EvaluationPeriods": 3,
        "TreatMissingData": "notBreaching",
        "StateValue": "OK",
        **settings,
    }


@pytest.mark.parametrize(
    ("operator", "value", "state"),
    [
        ("GreaterThanThreshold", 1, "OK"),
        ("GreaterThanThreshold", 1.1, "ALARM"),
        ("GreaterThanOrEqualToThreshold", 1, "ALARM"),
        ("GreaterThanOrEqualToThreshold", 0.9, "OK"),
        ("LessThanThreshold", 1, "OK"),
        ("LessThanThreshold", 0, "ALARM"),
        ("LessThanOrEqualToThreshold", 1, "ALARM"),
        ("LessThanOrEqualToThreshold", 1.1, "OK"),
    ],
)
def test_a_value_is_compared_as_the_alarm_says(operator: str, value: float, state: str) -> None:
    one = alarm(ComparisonOperator=operator, Threshold=1, EvaluationPeriods=1)

    assert judged([value], one) == state


@pytest.mark.parametrize(
    ("values", "needed", "state"),
    [
        ([1, 1, 1], None, "ALARM"),
        ([1, 0, 1], None, "OK"),
        ([1, 0, 1], 2, "ALARM"),
        ([0, 0, 1], 2, "OK"),
    ],
)
def test_so_many_of_the_last_periods_must_breach(
    values: list[float], needed: int | None, state: str
) -> None:
    assert judged(values, alarm(DatapointsToAlarm=needed)) == state


@pytest.mark.parametrize(
    ("treatment", "values", "state"),
    [
        ("notBreaching", [None, None, None], "OK"),
        ("notBreaching", [1, 1, None], "OK"),
        ("breaching", [None, None, None], "ALARM"),
        ("breaching", [1, 1, None], "ALARM"),
        ("breaching", [0, None, None], "OK"),
        ("missing", [None, None, None], "INSUFFICIENT_DATA"),
        ("missing", [None, None, 0], "OK"),
        ("ignore", [None, None, None], "ALARM"),
        ("ignore", [0, None, None], "OK"),
    ],
)
def test_missing_data_are_taken_as_the_alarm_says(
    treatment: str, values: list[float | None], state: str
) -> None:
    one = alarm(TreatMissingData=treatment, StateValue="ALARM")

    assert judged(values, one) == state


def test_an_alarm_that_does_not_say_takes_silence_for_ignorance() -> None:
    one = alarm()
    del one["TreatMissingData"]

    assert judged([None], one) == "INSUFFICIENT_DATA"
