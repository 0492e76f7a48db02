from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.console.widgets import (
    bars,
    lines,
    lines_over_time,
    log_group_and_query,
    queries,
    span,
)

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def widget(**properties: Any) -> dict[str, Any]:
    return {"type": "metric", "properties": properties}


def test_a_metric_asks_with_its_dimensions_statistic_and_period() -> None:
    metric = ["Ours", "Latency", "service", "api", "route", "GET /", {"stat": "p99", "label": "L"}]

    (query,) = queries(widget(metrics=[metric], period=60, stat="Sum"), timedelta(hours=3))

    asked = query["MetricStat"]
    assert (asked["Stat"], asked["Period"]) == ("p99", 60)
    assert asked["Metric"] == {
        "Namespace": "Ours",
        "MetricName": "Latency",
        "Dimensions": [{"Name": "service", "Value": "api"}, {"Name": "route", "Value": "GET /"}],
    }


def test_a_widget_over_its_whole_time_asks_for_one_value() -> None:
    one = widget(metrics=[["Ours", "Requests"]], period=60, setPeriodToTimeRange=True)

    (query,) = queries(one, timedelta(hours=24))

    assert query["MetricStat"]["Period"] == 24 * 3600
    assert query["MetricStat"]["Metric"]["Dimensions"] == []


def test_answers_come_under_their_labels_in_the_order_of_time() -> None:
    asked = widget(metrics=[["Ours", "A", {"label": "first"}], ["Ours", "B"]])
    results: list[dict[str, Any]] = [
        {"Id": "m1", "Timestamps": [], "Values": []},
        {"Id": "m0", "Timestamps": [NOON, NOON - timedelta(minutes=1)], "Values": [2.0, 1.0]},
    ]

    first, second = lines(asked, results)

    assert (first.label, first.latest) == ("first", 2.0)
    assert [value for _, value in first.points] == [1.0, 2.0]
    assert (second.label, second.latest) == ("B", None)


@pytest.mark.parametrize(
    ("own", "whole", "back"),
    [
        ({}, {}, timedelta(hours=3)),
        ({}, {"start": "-PT30M"}, timedelta(minutes=30)),
        ({"start": "-PT24H"}, {"start": "-PT3H"}, timedelta(hours=24)),
        ({"start": "-P7D"}, {}, timedelta(days=7)),
    ],
)
def test_a_widget_looks_back_as_it_says_or_as_the_dashboard_says(
    own: dict[str, str], whole: dict[str, str], back: timedelta
) -> None:
    assert span(widget(**own), whole) == back


def test_a_start_that_is_not_understood_is_said() -> None:
    with pytest.raises(ValueError, match="yesterday"):
        span(widget(start="yesterday"), {})


def test_a_log_query_is_taken_apart() -> None:
    log = {"type": "log", "properties": {"query": "SOURCE '/aws/x' | fields a\n| limit 2"}}

    assert log_group_and_query(log) == ("/aws/x", "fields a\n| limit 2")


def test_a_query_by_time_is_drawn_as_lines_in_the_order_of_time() -> None:
    first, second = lines_over_time(
        [
            ["bin(5m)", "predict", "batch"],
            ["2026-11-23 12:05:00.000", "2", ""],
            ["2026-11-23 12:00:00.000", "1.5", "3"],
        ]
    )

    assert (first.label, second.label) == ("predict", "batch")
    assert first.points == ((NOON, 1.5), (NOON + timedelta(minutes=5), 2.0))
    assert second.points == ((NOON, 3.0),)


def test_a_query_by_one_field_is_drawn_as_bars_in_its_order() -> None:
    found = bars([["route", "requests"], ["POST /predict", "5"], ["GET /model", "1"]])

    assert found == [("POST /predict", 5.0), ("GET /model", 1.0)]


def test_a_query_that_found_nothing_is_drawn_as_nothing() -> None:
    assert lines_over_time([[]]) == []
    assert bars([[]]) == []
