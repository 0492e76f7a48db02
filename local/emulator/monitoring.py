"""Metrics and alarms that AWS provides and ministack does not: corrections before it starts.

- CloudWatch Logs extracts metrics from lines in the embedded metric format.
- Step Functions counts executions, and API Gateway counts responses and errors.
- Alarms use the metric of their own dimensions, treat missing data as configured, need M of N
  periods, and are evaluated as time passes. Ministack evaluates them only on PutMetricData, on all
  dimensions at once, and never on missing data.
- Logs Insights finds the fields of JSON lines, lists and aggregates them, and rejects what it does
  not support.

Dashboards, percentiles and notifications of alarms through SNS are ministack's own. It has no
metric math.
"""

import json
import threading
import time
from http import HTTPStatus
from typing import Any

# Beside this file, which is where Python looks first; mypy knows them as local.emulator.*.
import alarms  # type: ignore[import-not-found]
import emf  # type: ignore[import-not-found]
import insights  # type: ignore[import-not-found]
from ministack.core.responses import error_response_json
from ministack.services import apigateway_v1, cloudwatch, cloudwatch_logs, stepfunctions

JUDGE_SECONDS = 10
MOST_ROWS = 10_000  # that a query of Logs Insights finds
COUNTED = {
    "RUNNING": "ExecutionsStarted",
    "SUCCEEDED": "ExecutionsSucceeded",
    "FAILED": "ExecutionsFailed",
    "TIMED_OUT": "ExecutionsTimedOut",
    "ABORTED": "ExecutionsAborted",
}

type Record = dict[str, Any]

_append_log_events = cloudwatch_logs._append_log_events  # noqa: SLF001
_start_query = cloudwatch_logs._start_query  # noqa: SLF001
_handle_execute_in_scope = apigateway_v1._handle_execute_in_scope  # noqa: SLF001
_emit_execution_status_event = stepfunctions._emit_execution_status_event  # noqa: SLF001


def append_and_extract(stream: Record, events: list[Record]) -> None:
    """Keep log events, and the metrics in them."""
    _append_log_events(stream, events)
    now = time.time()
    for event in events:
        for datum in emf.data_in(event["message"], now):
            cloudwatch._store_datum(  # noqa: SLF001
                datum.namespace,
                datum.name,
                datum.dimensions,
                datum.timestamp,
                datum.unit,
                None,
                datum.values,
                None,
                None,
            )


async def answer_and_count(
    api_id: str, stage_name: str, *args: object
) -> tuple[int, dict[str, str], bytes]:
    """Answer a request to an API, and count it: each metric is 0 or 1, as on AWS."""
    answer: tuple[int, dict[str, str], bytes] = await _handle_execute_in_scope(
        api_id, stage_name, *args
    )
    name, kind = apigateway_v1._rest_apis[api_id]["name"], f"{answer[0] // 100}XXError"  # noqa: SLF001
    for metric in ("Count", "4XXError", "5XXError"):
        cloudwatch.record_metric(
            "AWS/ApiGateway",
            metric,
            int(metric in {"Count", kind}),
            "Count",
            {"ApiName": name, "Stage": stage_name},
        )
    return answer


def emit_and_count(execution: Record) -> None:
    """Send the event of an execution's new status, and count it."""
    _emit_execution_status_event(execution)
    dimensions = {"StateMachineArn": execution["stateMachineArn"]}
    cloudwatch.record_metric("AWS/States", COUNTED[execution["status"]], 1, "Count", dimensions)


def judge(alarm: Record) -> None:
    """Evaluate an alarm on the last periods of its metric, and act if its state changes."""
    before, state = alarm["StateValue"], alarms.judged(values_of(alarm, time.time()), alarm)
    if state == before:
        return
    reason = f"{before} before; judged by the last {alarm['EvaluationPeriods']} periods"
    alarm |= {"StateValue": state, "StateReason": reason, "StateUpdatedTimestamp": int(time.time())}
    cloudwatch._record_history(alarm["AlarmName"], before, state, reason)  # noqa: SLF001
    cloudwatch._dispatch_alarm_actions(alarm, before, state, reason)  # noqa: SLF001
    cloudwatch._evaluate_parent_alarms(alarm)  # noqa: SLF001


def values_of(alarm: Record, now: float) -> list[float | None]:
    """Return the statistic of each of an alarm's periods up to now, None without data."""
    dimensions = cloudwatch._dims_from_list(alarm.get("Dimensions") or [])  # noqa: SLF001
    key = (alarm["Namespace"], alarm["MetricName"], cloudwatch._dims_key(dimensions))  # noqa: SLF001
    statistic = alarm.get("ExtendedStatistic") or alarm["Statistic"]
    points, values = list(cloudwatch._metrics.get(key, [])), []  # noqa: SLF001
    for number in range(alarm["EvaluationPeriods"]):
        end = now - number * alarm["Period"]
        within = [one for one in points if end - alarm["Period"] < one["Timestamp"] <= end]
        stats = cloudwatch._calc_stats(within)  # noqa: SLF001
        values.append(cloudwatch._stat_value(stats, statistic, within) if within else None)  # noqa: SLF001
    return values


def judge_again_and_again() -> None:
    while True:
        time.sleep(JUDGE_SECONDS)
        cloudwatch._evaluate_all_alarms()  # noqa: SLF001


def start_query(asked: Record) -> tuple[int, dict[str, str], bytes]:
    """Run a query over its log groups, and keep the results."""
    answer: tuple[int, dict[str, str], bytes] = _start_query(asked)
    if answer[0] != HTTPStatus.OK:
        return answer
    groups = cloudwatch_logs._resolve_query_log_groups(asked)  # noqa: SLF001
    records = cloudwatch_logs._collect_query_records(  # noqa: SLF001
        groups, asked["startTime"], asked["endTime"]
    )
    try:
        rows = insights.answered(asked["queryString"], records)
    except ValueError as error:
        refused: tuple[int, dict[str, str], bytes] = error_response_json(
            "MalformedQueryException", str(error), HTTPStatus.BAD_REQUEST
        )
        return refused
    cloudwatch_logs._queries[json.loads(answer[2])["queryId"]]["results"] = [  # noqa: SLF001
        [{"field": name, "value": value} for name, value in row.items()]
        for row in rows[: asked.get("limit", MOST_ROWS)]
    ]
    return answer


def install() -> None:
    cloudwatch_logs._append_log_events = append_and_extract  # noqa: SLF001
    cloudwatch_logs._start_query = start_query  # noqa: SLF001
    apigateway_v1._handle_execute_in_scope = answer_and_count  # noqa: SLF001
    stepfunctions._emit_execution_status_event = emit_and_count  # noqa: SLF001
    cloudwatch._evaluate_alarm = judge  # noqa: SLF001
    threading.Thread(target=judge_again_and_again, daemon=True).start()
