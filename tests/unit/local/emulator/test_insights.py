import json

import pytest

from local.emulator.insights import fields_of, is_summary, summarised

LINES = [
    *(
        json.dumps({"route": "GET /", "took": {"ms": ms}, "by": by})
        for ms, by in ((1, "a"), (2, "a"), (3, "a"), (10, "b"))
    ),
    json.dumps({"route": "GET /", "by": "b", "failed": "KeyError"}),
    json.dumps({"route": "POST /", "took": {"ms": 99}, "by": "a"}),
    "START RequestId",
]


def test_lines_are_summed_up_by_what_a_query_groups_by() -> None:
    query = (
        "filter route = 'GET /' | stats count(*) as all, count(failed) as bad, "
        "avg(took.ms) as mean, pct(took.ms, 50) as median, min(took.ms) as least, "
        "max(took.ms) as most by by"
    )

    first, second = summarised(query, LINES)

    assert first == {
        "by": "a",
        "all": "3",
        "bad": "0",
        "mean": "2.0",
        "median": "2.0",
        "least": "1.0",
        "most": "3.0",
    }
    assert (second["by"], second["all"], second["bad"], second["mean"]) == ("b", "2", "1", "10.0")


@pytest.mark.parametrize(
    ("condition", "number"),
    [
        ("ispresent(failed)", 1),
        ("route = 'POST /'", 1),
        ('@message like /"ms": 9+/', 1),
        ("@message like /Request/", 1),
        ("ispresent(took.ms)", 5),
    ],
)
def test_lines_are_filtered(condition: str, number: int) -> None:
    assert summarised(f"filter {condition} | stats count(*) as n", LINES) == [{"n": str(number)}]


def test_what_no_line_has_has_no_measure() -> None:
    (row,) = summarised("stats avg(nothing) as mean, count(*) as n", LINES[:1])

    assert row == {"mean": "", "n": "1"}
    assert summarised("filter route = 'PUT /' | stats count(*) as n", LINES) == []


@pytest.mark.parametrize(
    "query",
    ["stats sum(took.ms) as all", "filter took.ms > 1 | stats count(*) as n", "stats avg(a), b"],
)
def test_what_is_not_known_here_is_refused(query: str) -> None:
    with pytest.raises(ValueError, match="known here"):
        summarised(query, LINES)


def test_nested_fields_have_dots_and_places() -> None:
    assert fields_of('{"a": {"b": [1, {"c": 2}]}, "d": null}').keys() == {
        "@message",
        "a.b.0",
        "a.b.1.c",
    }


def test_a_query_that_lists_lines_is_no_summary() -> None:
    assert not is_summary("fields @timestamp | filter @message like /x/ | limit 20")
