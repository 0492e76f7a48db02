import pytest

from bench.cost import Measured, measured, monthly, standing

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


def test_what_stands_costs_without_a_request() -> None:
    prices = {"metric": 0.3, "alarm": 0.1, "dashboard": 3.0, "kms_key": 1.0}

    assert standing(prices, metrics=10) - standing(prices, metrics=0) == pytest.approx(3.0)
