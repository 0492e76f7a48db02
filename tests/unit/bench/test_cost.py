import json

import pytest
from clinical.telemetry import Metric

from bench.cost import (
    KEPT,
    PAGE,
    Measured,
    checks,
    look,
    measured,
    monthly,
    of_today,
    standing,
    written_into,
)
from bench.prices import prices

LOG = """\
START RequestId: a Version: 1
{"_aws": {}}
END RequestId: a
REPORT RequestId: a\tInit Duration: 0.08 ms\tDuration: 900.01 ms\tBilled Duration: 901 ms\t\
Memory Size: 1024 MB\tMax Memory Used: 200 MB\t
a line of nobody's
START RequestId: b Version: 1
END RequestId: b
REPORT RequestId: b\tDuration: 1.20 ms\tBilled Duration: 2 ms\tMemory Size: 1024 MB\t\
Max Memory Used: 200 MB\t
START RequestId: c Version: 1
END RequestId: c
REPORT RequestId: c\tDuration: 3.90 ms\tBilled Duration: 4 ms\tMemory Size: 1024 MB\t\
Max Memory Used: 200 MB\t
"""
PRICES = {
    "api_request": 1.0,
    "lambda_request": 2.0,
    "lambda_gb_second": 0.0,
    "log_gb": 0.0,
    "trace": 0.0,
    "cloudfront_request": 0.5,
}


def test_cold_and_warm_requests_are_told_apart() -> None:
    of = measured(LOG)

    assert (of.requests, of.warm, of.cold, of.memory) == (3, 3.0, 901.0, 1024)
    assert 150 < of.logged < 250  # START to REPORT, and not what is between requests


def test_a_log_without_both_is_refused() -> None:
    with pytest.raises(SystemExit, match="0 cold and 0 warm"):
        measured("nothing of Lambda's")


def test_each_service_is_priced_by_request_and_billed_time() -> None:
    of = Measured(requests=2, warm=1000.0, cold=1000.0, memory=2048, logged=700.0)

    free = monthly(1_000, of, PRICES)
    billed = monthly(1_000, of, PRICES | {"lambda_gb_second": 1.0, "log_gb": 1e9})

    assert free["API Gateway"] == 1_000
    assert free["Lambda"] == 2_000
    assert billed["Lambda"] == 2_000 + 1_000 * 1.0 * 2  # seconds by GB
    assert billed["logs"] == pytest.approx(1_000 * 1_000)  # 700 bytes and those of the access log


def kept() -> Measured:
    return Measured(**json.loads(KEPT.read_text()))


def test_what_stands_costs_without_a_request() -> None:
    assert standing({"metric": 1.0, "alarm": 0.0, "dashboard": 0.0}) == len(Metric)
    assert standing({"metric": 0.0, "alarm": 1.0, "dashboard": 0.0}) == 18
    assert standing({"metric": 0.0, "alarm": 0.0, "dashboard": 1.0}) == 1


def test_an_idle_stack_costs_10_usd_a_month_at_most_even_with_a_key_of_its_own() -> None:
    own_key = 1.00

    assert standing(prices()) + checks(kept(), prices()) + own_key <= 10


def test_the_health_check_is_a_warm_request_every_minute() -> None:
    of = Measured(requests=2, warm=1000.0, cold=9999.0, memory=1024, logged=1000.0)
    free = dict.fromkeys(prices(), 0.0)

    assert checks(of, free | {"lambda_request": 1.0}) == 43_200
    assert checks(of, free | {"lambda_gb_second": 1.0}) == 43_200
    assert checks(of, free | {"log_gb": 1e9}) == 43_200_000


def test_a_look_at_the_dashboard_costs_what_its_queries_scan() -> None:
    of = Measured(requests=2, warm=1.0, cold=1.0, memory=1024, logged=1000.0)
    byte = {"insights_gb": 1e9}

    hours = 4 * 3 + 24 + 7 * 24  # of the widgets that ask the API's log
    assert look(0, of, byte) == pytest.approx(43_200_000 * hours / (30 * 24))
    assert look(43_200, of, byte) == pytest.approx(2 * look(0, of, byte))


def test_the_documentation_has_the_table_of_today() -> None:
    made = of_today()
    page = PAGE.read_text()

    assert made in page, "run `make cost`"
    assert written_into(page, made) == page
    assert written_into(page, "none\n").count("USD a month") == page.count("USD a month") - 1
