import json

import pytest

from local.emulator.insights import answered, fields_of

LINES = [
    *(
        json.dumps({"route": "GET /", "took": {"ms": ms}, "by": by})
        for ms, by in ((1, "a"), (2, "a"), (3, "a"), (10, "b"))
    ),
    json.dumps({"route": "GET /", "by": "b", "failed": "KeyError"}),
    json.dumps({"route": "POST /", "took": {"ms": 99}, "by": "a"}),
    "START RequestId",
]
TIMED = [
    {"@timestamp": f"2026-11-25 10:{minute:02}:30.500", "@message": json.dumps({"n": minute})}
    for minute in (3, 4, 5, 17)
]


def asked(query: str, lines: list[str] = LINES) -> list[dict[str, str]]:
    return answered(query, [{"@message": one} for one in lines])


def test_lines_are_summed_up_by_what_a_query_groups_by() -> None:
    query = (
        "filter route = 'GET /' | stats count(*) as all, count(failed) as bad, "
        "avg(took.ms) as mean, pct(took.ms, 50) as median, min(took.ms) as least, "
        "max(took.ms) as most, sum(took.ms) as total, earliest(took.ms) as first, "
        "latest(took.ms) as last by by"
    )

    first, second = asked(query)

    assert first == {
        "by": "a",
        "all": "3",
        "bad": "0",
        "mean": "2",
        "median": "2",
        "least": "1",
        "most": "3",
        "total": "6",
        "first": "1",
        "last": "3",
    }
    assert (second["by"], second["all"], second["bad"], second["mean"]) == ("b", "2", "1", "10")


@pytest.mark.parametrize(
    ("condition", "number"),
    [
        ("ispresent(failed)", 1),
        ("route = 'POST /'", 1),
        ("route = 'GET /' and by = 'b'", 2),
        ('@message like /"ms": 9+/', 1),
        ("@message like /START|KeyError/", 2),
        ("@message like /Request/", 1),
        ("ispresent(took.ms)", 5),
    ],
)
def test_lines_are_filtered(condition: str, number: int) -> None:
    assert asked(f"filter {condition} | stats count(*) as n") == [{"n": str(number)}]


def test_what_no_line_has_has_no_measure() -> None:
    (row,) = asked("stats avg(nothing) as mean, count(*) as n", LINES[:1])

    assert row == {"mean": "", "n": "1"}
    assert asked("filter route = 'PUT /' | stats count(*) as n") == []


def test_lines_are_summed_up_by_the_time_they_fall_into() -> None:
    rows = answered("stats count(*) as n, sum(n) as total by bin(5m) | sort bin(5m) desc", TIMED)

    assert rows == [
        {"bin(5m)": "2026-11-25 10:15:00.000", "n": "1", "total": "17"},
        {"bin(5m)": "2026-11-25 10:05:00.000", "n": "1", "total": "5"},
        {"bin(5m)": "2026-11-25 10:00:00.000", "n": "2", "total": "7"},
    ]


def test_a_group_has_the_name_that_it_is_given() -> None:
    rows = answered("stats max(n) as most by bin(1d) as day", TIMED)

    assert rows == [{"day": "2026-11-25 00:00:00.000", "most": "17"}]


def test_texts_are_counted_by_what_they_contain() -> None:
    query = (
        "stats sum(strcontains(route, 'T /')) as any, "
        "sum(strcontains(concat(route, '$'), 'GET /$')) as got"
    )

    assert asked(query) == [{"any": "6", "got": "5"}]


def test_lines_are_listed_in_an_order_up_to_a_limit() -> None:
    query = "fields by, took.ms | filter ispresent(by) | sort by desc, took.ms desc | limit 4"

    assert asked(query) == [
        {"by": "b", "took.ms": ""},
        {"by": "b", "took.ms": "10"},
        {"by": "a", "took.ms": "99"},
        {"by": "a", "took.ms": "3"},
    ]


def test_a_listed_line_can_be_pointed_at() -> None:
    assert answered("fields n", [TIMED[0] | {"@ptr": "p"}]) == [{"n": "3", "@ptr": "p"}]
    assert asked("limit 1", LINES[:1]) == [{"@timestamp": "", "@message": LINES[0]}]


@pytest.mark.parametrize(
    "query",
    [
        "stats stddev(took.ms) as all",
        "filter took.ms > 1 | stats count(*) as n",
        "stats avg(a), b",
        "stats count(*) as n by floor(a)",
        "parse @message '*' as a",
        "fields a + b",
        "limit few",
        "sort by upwards",
    ],
)
def test_what_is_not_known_here_is_refused(query: str) -> None:
    with pytest.raises(ValueError, match="known here"):
        asked(query)


def test_nested_fields_have_dots_and_places() -> None:
    assert fields_of('{"a": {"b": [1, {"c": 2}]}, "d": null}').keys() == {
        "@message",
        "a.b.0",
        "a.b.1.c",
    }
