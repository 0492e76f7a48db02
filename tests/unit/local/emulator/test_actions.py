"""Which requests make the local cloud save its state."""

import pytest

from local.emulator.actions import only_reads


def scope(method: str, path: str = "/", target: str = "") -> dict[str, object]:
    headers = [(b"host", b"localhost")]
    if target:
        headers.append((b"x-amz-target", target.encode()))
    return {"type": "http", "method": method, "path": path, "headers": headers}


@pytest.mark.parametrize(
    "asked",
    [
        scope("GET", "/bucket/key"),
        scope("HEAD", "/bucket/key"),
        scope("OPTIONS", "/predict"),
        scope("POST", target="AWSStepFunctions.DescribeExecution"),
        scope("POST", target="AWSStepFunctions.GetExecutionHistory"),
        scope("POST", target="AWSStepFunctions.ListExecutions"),
        scope("POST", target="Logs_20140328.FilterLogEvents"),
        scope("POST", "/service/GraniteServiceVersion20100801/operation/GetMetricData"),
    ],
)
def test_what_only_reads_changes_nothing(asked: dict[str, object]) -> None:
    assert only_reads(asked)


@pytest.mark.parametrize(
    "asked",
    [
        scope("PUT", "/bucket/key"),
        scope("DELETE", "/bucket/key"),
        scope("POST"),  # of the query protocol, whose action is in the body
        scope("POST", "/_aws/execute-api/0a1b2c/v1/predict"),
        scope("POST", "/_aws/execute-api/0a1b2c/v1/GetWell"),
        scope("POST", "/2015-03-31/functions/Get/invocations"),
        scope("POST", target="AWSStepFunctions.StartExecution"),
        scope("POST", target="AWSStepFunctions.SendTaskSuccess"),
        scope("POST", target="Logs_20140328.StartQuery"),
        scope("POST", "/service/GraniteServiceVersion20100801/operation/PutMetricData"),
        scope("POST", "/operation/ListEverything", "AWSStepFunctions.StartExecution"),
    ],
)
def test_what_may_change_something_is_taken_to_do_so(asked: dict[str, object]) -> None:
    assert not only_reads(asked)
