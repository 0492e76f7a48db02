from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from clinical.monitored import Monitored, Monitoring
from monitor.reporting import card_with, chance, reasons, revised

from tests.monitored import LAST, MOVED, TOO_FEW, WORSE, a_life, drift, nothing, observed, troubled

PROMOTED = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
DAY = timedelta(days=1)


class Requests:
    """One request an hour, and how often somebody counted those of a day."""

    def __init__(self, since: datetime = PROMOTED) -> None:
        self.at = [since + timedelta(hours=n) for n in range(24 * 60)]
        self.counted: list[date] = []

    def __call__(self, since: datetime, until: datetime) -> int:
        found = [at for at in self.at if since <= at < until]
        self.counted += sorted({at.date() for at in found})
        return len(found)


@pytest.fixture
def requests() -> Requests:
    return Requests()


@pytest.fixture
def add(requests: Requests) -> Callable[..., Monitoring]:
    """Add runs, one after the other."""

    def add_all(*runs: Monitored, shown_days: int = 365) -> Monitoring:
        life: Monitoring | None = None
        for run in runs:
            life = revised(life, run, PROMOTED, requests, shown_days)
        assert life is not None
        return life

    return add_all


def test_a_first_run_begins_the_life_of_its_version(add: Callable[..., Monitoring]) -> None:
    life = add(troubled())

    assert life.last == troubled()
    assert [one.date for one in life.points] == [LAST]
    (point,) = life.points
    assert (point.requests, point.drifted, point.degraded) == (1412, True, True)
    assert (point.outcomes, point.rmse) == (140, observed().rmse)
    assert life.served_since == PROMOTED


def test_a_date_that_runs_twice_has_one_point(add: Callable[..., Monitoring]) -> None:
    life = add(nothing("one"), troubled("two"))

    assert life.last.execution == "two"
    assert [(one.date, one.drifted) for one in life.points] == [(LAST, True)]


def test_an_older_date_takes_its_place_and_the_last_run_stays(
    add: Callable[..., Monitoring],
) -> None:
    life = add(nothing("one", LAST - 3 * DAY), troubled("two"), nothing("three", LAST - 2 * DAY))

    assert life.last.execution == "two"
    assert [one.date for one in life.points] == [LAST - 3 * DAY, LAST - 2 * DAY, LAST]


def test_only_the_newest_points_are_kept(add: Callable[..., Monitoring]) -> None:
    runs = [nothing(f"{n}", LAST + n * DAY) for n in range(10)]

    life = add(*runs, shown_days=7)

    assert [one.date for one in life.points] == [LAST + n * DAY for n in range(3, 10)]


def test_requests_are_counted_since_it_serves_and_no_day_is_read_for_ever(
    add: Callable[..., Monitoring], requests: Requests
) -> None:
    runs = [nothing(f"{n}", LAST + n * DAY) for n in range(20)]

    life = add(*runs)

    until = runs[-1].window.until
    assert life.requests == sum(at < until for at in requests.at)
    assert max(Counter(requests.counted).values()) == 3


def test_what_is_captured_a_day_late_is_counted(
    add: Callable[..., Monitoring], requests: Requests
) -> None:
    late = [nothing().window.until - timedelta(hours=n) for n in range(1, 24)]
    life = revised(None, nothing(), PROMOTED, requests, 365)
    before = life.requests
    requests.at += late

    life = revised(life, nothing("two"), PROMOTED, requests, 365)

    assert life.requests == before + len(late)


def test_requests_from_before_the_promotion_are_of_the_first_window() -> None:
    """As where days are simulated, whose dates are given."""
    requests = Requests(since=PROMOTED - 20 * DAY)

    life = revised(None, nothing(), PROMOTED, requests, 365)

    assert life.requests == requests(PROMOTED - 20 * DAY, nothing().window.until)


def test_an_older_run_changes_no_count(add: Callable[..., Monitoring]) -> None:
    life, with_older = add(nothing()), add(nothing(), nothing("two", LAST - 9 * DAY))

    assert with_older.requests == life.requests
    assert with_older.counted_until == life.counted_until


def test_a_second_promotion_does_not_make_it_younger(requests: Requests) -> None:
    life = revised(None, nothing(), PROMOTED, requests, 365)

    again = revised(life, nothing("two", LAST + DAY), PROMOTED + 5 * DAY, requests, 365)

    assert again.served_since == PROMOTED


def test_a_card_tells_what_became_of_its_version() -> None:
    text = card_with("# The card\n\nAs published.\n", a_life())

    published, since = text.split("## Monitoring")
    assert published == "# The card\n\nAs published.\n\n"
    assert "has served since 2026-09-27, and has answered 2,380 captured requests" in since
    for sentence in (MOVED, WORSE, "3 rows of outcomes/november.csv", "12 lines of the log"):
        assert sentence in since
    assert (
        "| Drug_Name | 1,412 | Sertraline | 7.0% | 13.0% | < 0.0001 | 0.131 | moderate |" in since
    )
    assert "| Side_Effects | 12 | too few rows |  |  |  |  |  |" in since
    assert "| Improvement_Score, without Side_Effects | 1,400 |" in since
    assert "| 1.310 (1.170 to 1.450) | 1.520 (1.360 to 1.680) |" in since
    assert "| Gender | Female | 66 | 1.400 (1.200 to 1.600) | 0.520 (0.220 to 0.820) * |" in since
    assert "(p = 0.0003)" in since
    assert since.count("Drifted, Degraded |") == 2
    last_runs = since.split("### The last 14 runs\n\n")[1].splitlines()
    assert len(last_runs) == 2 + 14
    assert last_runs[2].startswith("| 2026-11-25 |")


def test_a_card_of_few_requests_says_so_and_draws_no_table_of_nothing() -> None:
    life = revised(None, nothing(), PROMOTED, Requests(), 365)

    text = card_with("# The card\n", life)

    assert TOO_FEW in text
    assert "No outcome was recorded yet." in text
    assert "| column |" not in text
    assert "bootstrap intervals" not in text


def test_a_group_whose_name_has_a_bar_ends_no_cell() -> None:
    group = observed().subgroups[1].model_copy(update={"group": "a|b"})
    run = troubled().model_copy(update={"outcomes": observed(subgroups=(group,))})

    text = card_with("# The card\n", revised(None, run, PROMOTED, Requests(), 365))

    assert "| Gender | a\\|b | 8 |" in text


@pytest.mark.parametrize(
    ("p_value", "written"), [(None, ""), (0.00004, "< 0.0001"), (0.0123, "0.012"), (1.0, "1")]
)
def test_a_probability_is_written_as_short_as_it_can_be_told(
    p_value: float | None, written: str
) -> None:
    assert chance(p_value) == written


def test_what_alarms_is_given_as_the_reason() -> None:
    assert reasons(drift(), observed(degraded=False)) == (MOVED,)
    assert reasons(drift(drifted=False), observed()) == (WORSE,)
    assert reasons(drift(), observed()) == (MOVED, WORSE)


def test_without_an_alarm_both_say_why_there_is_none() -> None:
    quiet = nothing()

    assert reasons(quiet.drift, quiet.outcomes) == (TOO_FEW, "No outcome was recorded yet.")
