import json
from typing import Any

import pytest

from local.emulator.emf import FUTURE_SECONDS, PAST_SECONDS, Datum, data_in

NOW = 1_574_109_732.004

# The example of the specification, its names and values.
EXAMPLE: dict[str, Any] = {
    "_aws": {
        "Timestamp": 1574109732004,
        "CloudWatchMetrics": [
            {
                "Namespace": "lambda-function-metrics",
                "Dimensions": [["functionVersion"]],
                "Metrics": [{"Name": "time", "Unit": "Milliseconds", "StorageResolution": 60}],
            }
        ],
    },
    "functionVersion": "$LATEST",
    "time": 100,
    "requestId": "989ffbf8-9ace-4817-a57c-e4dd734019ee",
}


def read(document: object) -> list[Datum]:
    return list(data_in(json.dumps(document), NOW))


def directed(**directive: object) -> dict[str, Any]:
    """The example with another directive."""
    whole = {**EXAMPLE["_aws"]["CloudWatchMetrics"][0], **directive}
    return {**EXAMPLE, "_aws": {"Timestamp": 1574109732004, "CloudWatchMetrics": [whole]}}


def test_the_example_of_the_specification_is_read() -> None:
    assert read(EXAMPLE) == [
        Datum(
            namespace="lambda-function-metrics",
            name="time",
            unit="Milliseconds",
            dimensions={"functionVersion": "$LATEST"},
            timestamp=NOW,
            values=(100.0,),
        )
    ]


def test_each_value_of_a_list_counts() -> None:
    (datum,) = read({**EXAMPLE, "time": [100, 2.5, 0]})

    assert datum.values == (100.0, 2.5, 0.0)


def test_each_set_of_dimensions_is_a_series_and_the_empty_one_too() -> None:
    document = directed(Dimensions=[[], ["functionVersion"], ["functionVersion", "region"]])

    assert [datum.dimensions for datum in read({**document, "region": "eu"})] == [
        {},
        {"functionVersion": "$LATEST"},
        {"functionVersion": "$LATEST", "region": "eu"},
    ]


def test_each_directive_has_its_own_metrics() -> None:
    both = [
        *directed(Metrics=[{"Name": "time"}])["_aws"]["CloudWatchMetrics"],
        *directed(Namespace="other", Metrics=[{"Name": "size"}])["_aws"]["CloudWatchMetrics"],
    ]
    document = {**EXAMPLE, "_aws": {"Timestamp": 1574109732004, "CloudWatchMetrics": both}}

    found = [(one.namespace, one.name, one.unit) for one in read({**document, "size": 7})]
    assert found == [("lambda-function-metrics", "time", "None"), ("other", "size", "None")]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "START RequestId: 989ffbf8-9ace-4817-a57c-e4dd734019ee Version: $LATEST",
        '{"level": "INFO", "message": "no metric"}',
        '{"_aws": ',
        "[" * 100_000,
        "7",
        "[]",
        '"_aws"',
        f"{json.dumps(EXAMPLE)} and more",
    ],
)
def test_a_line_in_no_such_format_stays_a_log_line(line: str) -> None:
    assert list(data_in(line, NOW)) == []


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        [],
        {},
        {"Timestamp": 1574109732004},
        {"Timestamp": "now", "CloudWatchMetrics": []},
        {"Timestamp": True, "CloudWatchMetrics": []},
        {"CloudWatchMetrics": EXAMPLE["_aws"]["CloudWatchMetrics"]},
        {"Timestamp": 1574109732004, "CloudWatchMetrics": {}},
        {"Timestamp": 1574109732004, "CloudWatchMetrics": [7, None, []]},
    ],
)
def test_metadata_that_the_specification_does_not_allow_are_none(metadata: object) -> None:
    assert read({**EXAMPLE, "_aws": metadata}) == []


@pytest.mark.parametrize(
    "directive",
    [
        {"Namespace": " "},
        {"Namespace": 7},
        {"Dimensions": "functionVersion"},
        {"Dimensions": ["functionVersion"]},
        {"Dimensions": [["nowhere"]]},
        {"Dimensions": [["time"]]},
        {"Dimensions": [[7]]},
        {"Metrics": {}},
        {"Metrics": [{"Unit": "Count"}]},
        {"Metrics": [{"Name": "nowhere"}]},
        {"Metrics": [{"Name": "requestId"}]},
        {"Metrics": ["time"]},
    ],
)
def test_a_directive_that_the_specification_does_not_allow_is_none(
    directive: dict[str, object],
) -> None:
    assert read(directed(**directive)) == []


@pytest.mark.parametrize(
    "value", ["100", None, True, {}, [], [1, "2"], [1] * 101, float("nan"), float("inf")]
)
def test_what_is_no_number_is_no_value(value: object) -> None:
    assert read({**EXAMPLE, "time": value}) == []


def test_a_hundred_values_are_allowed() -> None:
    (datum,) = read({**EXAMPLE, "time": [1] * 100})

    assert len(datum.values) == 100


def test_a_wrong_metric_leaves_the_others() -> None:
    document = directed(Metrics=[{"Name": "requestId"}, {"Name": "time"}])

    assert [datum.name for datum in read(document)] == ["time"]


@pytest.mark.parametrize(
    ("seconds", "taken"),
    [
        (-PAST_SECONDS - 60, False),
        (-PAST_SECONDS + 60, True),
        (FUTURE_SECONDS - 60, True),
        (FUTURE_SECONDS + 60, False),
    ],
)
def test_metrics_of_long_ago_and_of_the_future_are_not_taken(seconds: int, taken: bool) -> None:
    assert bool(list(data_in(json.dumps(EXAMPLE), NOW - seconds))) is taken
