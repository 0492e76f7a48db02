"""The deployed dashboard, asked for its own figures, shows what was sent; alarms are heard."""

import json
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from clinical.telemetry import NAMESPACE, Metric

from local.console.widgets import log_group_and_query
from tests.integration.conftest import ROOT, Laptop, fetch
from tests.patience import until

SENT = {
    "POST /predict": 10,
    "POST /predict/batch": 2,
    "POST /compare": 1,
    "GET /model": 1,
    "GET /report": 1,
    "GET /health": 3,
    "GET /dropdown-values": 1,
    "GET /docs": 1,
    "POST /outcomes": 1,
    "GET /predictions/{prediction_id}": 1,
    "GET /openapi.json": 1,
    "unmatched": 1,  # preflights of browsers
}

type Widgets = dict[str, dict[str, Any]]
type Figures = dict[str, list[float]]
type Rows = list[dict[str, str]]


@pytest.fixture(scope="module")
def widgets(laptop: Laptop) -> Widgets:
    """The properties of the deployed dashboard's widgets, by title."""
    name = laptop.stack.outputs.dashboard_name
    body = laptop.stack.cloudwatch.get_dashboard(DashboardName=name)["DashboardBody"]
    found = [widget["properties"] for widget in json.loads(body)["widgets"]]
    return {one["title"]: one for one in found if "title" in one}


def figures(laptop: Laptop, widget: dict[str, Any], since: datetime, stat: str = "") -> Figures:
    """Ask for a widget's metrics as a console does that draws it: values by label, oldest first.

    stat: another statistic than the widget's own.
    """
    queries: list[Any] = []
    labels: dict[str, str] = {}
    for number, (namespace, name, *dimensions, options) in enumerate(widget["metrics"]):
        labels[f"m{number}"] = options["label"]
        pairs = zip(dimensions[::2], dimensions[1::2], strict=True)
        metric = {
            "Namespace": namespace,
            "MetricName": name,
            "Dimensions": [{"Name": key, "Value": value} for key, value in pairs],
        }
        statistic = stat or options.get("stat") or widget["stat"]
        query = {"Metric": metric, "Period": widget["period"], "Stat": statistic}
        queries.append({"Id": f"m{number}", "MetricStat": query})
    answer = laptop.stack.cloudwatch.get_metric_data(
        MetricDataQueries=queries, StartTime=since, EndTime=datetime.now(UTC) + timedelta(minutes=1)
    )
    return {labels[one["Id"]]: one["Values"] for one in answer["MetricDataResults"]}


def sums(laptop: Laptop, widget: dict[str, Any], since: datetime) -> dict[str, float]:
    return {label: sum(found) for label, found in figures(laptop, widget, since, "Sum").items()}


def rows(laptop: Laptop, widget: dict[str, Any], since: datetime) -> Rows:
    """Ask Logs Insights what a widget shows."""
    group, query = log_group_and_query({"properties": widget})
    logs = laptop.stack.logs
    started = logs.start_query(
        logGroupName=group,
        queryString=query,
        startTime=int(since.timestamp()),
        endTime=int(time.time()) + 60,
    )
    found = logs.get_query_results(queryId=started["queryId"])
    assert found["status"] == "Complete"
    return [{field["field"]: field["value"] for field in row} for row in found["results"]]


@pytest.fixture(scope="module")
def patient() -> dict[str, object]:
    event = json.loads((ROOT / "events/predict.json").read_text())
    patient: dict[str, object] = json.loads(event["body"])
    return patient


@pytest.fixture(scope="module")
def since(laptop: Laptop, patient: dict[str, object]) -> datetime:
    """When the requests began that are sent here, every kind of them."""
    laptop.wait_until_served(laptop.artefact("models/champion.json")["version"])
    began = math.ceil(time.time())  # of a whole second, as the service has it
    time.sleep(max(began - time.time(), 0) + 0.1)
    for _ in range(5):
        assert laptop.post("/predict", patient).status == 200
    for _ in range(3):
        assert laptop.post("/predict", patient | {"Age": 17}).status == 422
    for _ in range(2):
        assert laptop.post("/predict?explain=true", patient).status == 200
    batch = {"patients": [patient, patient, patient | {"Age": 17}, patient]}
    assert laptop.post("/predict/batch", batch).status == 200
    assert laptop.post("/predict/batch", {"patients": []}).status == 422
    later = ("Drug_Name", "Dosage_mg", "Side_Effects")
    untreated = {name: value for name, value in patient.items() if name not in later}
    assert laptop.post("/compare", {"patient": untreated}).status == 200
    told = {"prediction_id": "0" * 32, "Improvement_Score": 5, "observed_at": "2026-01-31"}
    assert laptop.post("/outcomes", {"outcomes": [told]}).status == 200
    assert laptop.get(f"/predictions/{'0' * 32}").status == 404
    for path in (
        "model",
        "report",
        "health",
        "health",
        "health",
        "dropdown-values",
        "docs",
        "openapi.json",
    ):
        assert laptop.get(f"/{path}").status == 200
    url = f"{laptop.stack.outputs.api_url}/predict"
    assert fetch(url, method="OPTIONS", Origin="https://lab.example").status == 204
    return datetime.fromtimestamp(began, UTC)


def test_requests_are_counted_by_route_and_checks_are_not(
    laptop: Laptop, widgets: Widgets, since: datetime
) -> None:
    def by_route(title: str, measure: str) -> dict[str, float]:
        return {row["route"]: float(row[measure]) for row in rows(laptop, widgets[title], since)}

    table = "Requests, errors, latency and cold starts, by route"
    until(lambda: by_route(table, "requests") == SENT, "the lines of all requests")
    assert by_route("Requests in 24 hours, by route", "requests") == SENT
    assert {route: errors for route, errors in by_route(table, "errors").items() if errors} == {
        "POST /predict": 3,
        "POST /predict/batch": 1,
        "GET /predictions/{prediction_id}": 1,
    }
    for percentile in ("p50_ms", "p95_ms", "p99_ms"):
        assert all(value > 0 for value in by_route(table, percentile).values())
    for title in ("Requests a minute", "Requests in 24 hours"):
        assert sums(laptop, widgets[title], since) == {"Requests": sum(SENT.values())}
    over_time = rows(laptop, widgets["Requests in five minutes, by route"], since)
    added_up = {
        name: sum(int(row[name]) for row in over_time)
        for name in ("predict", "batch", "compare", "all_routes")
    }
    assert added_up == {
        "predict": SENT["POST /predict"],
        "batch": SENT["POST /predict/batch"],
        "compare": SENT["POST /compare"],
        "all_routes": sum(SENT.values()),
    }


def test_latency_has_its_percentiles(laptop: Laptop, widgets: Widgets, since: datetime) -> None:
    found = figures(laptop, widgets["Latency, ms"], since)

    assert set(found) == {"p50", "p95", "p99"}
    for p50, p95, p99 in zip(*found.values(), strict=True):
        assert 0 < p50 <= p95 <= p99
    (counted,) = {
        sum(values)
        for values in figures(laptop, widgets["Latency, ms"], since, "SampleCount").values()
    }
    assert counted == sum(SENT.values())


def test_predictions_are_counted_by_patient_and_their_errors_too(
    laptop: Laptop, widgets: Widgets, since: datetime
) -> None:
    scored = 5 + 2 + 3
    assert sums(laptop, widgets["Predictions in total"], since) == {"Patients scored": scored}
    errors = widgets["Prediction errors"]
    assert sums(laptop, errors, since) == {"Predictions that failed": 0}
    (asked,) = figures(laptop, errors, since, "SampleCount").values()
    routes = ("POST /predict", "POST /predict/batch", "POST /compare")
    assert sum(asked) == sum(SENT[route] for route in routes)


def test_rates_are_of_all_requests(laptop: Laptop, widgets: Widgets, since: datetime) -> None:
    widget = widgets["Error rate, of all requests"]

    assert sums(laptop, widget, since) == {"Server errors": 0, "Client errors": 3 + 1 + 1}
    for counted in figures(laptop, widget, since, "SampleCount").values():
        assert sum(counted) == sum(SENT.values())
    assert all(0 <= rate <= 1 for rate in figures(laptop, widget, since)["Client errors"])


def test_health_and_the_version_in_service_are_told(
    laptop: Laptop, widgets: Widgets, since: datetime
) -> None:
    champion = laptop.artefact("models/champion.json")

    (health,) = figures(laptop, widgets["Health: 1 is up, 0 is down"], since).values()
    assert set(health) == {1}
    in_service = widgets["Model version in service, by its promotion"]
    (promotions,) = figures(laptop, in_service, since).values()
    assert promotions[-1] == champion["sequence"]


def test_the_list_beside_it_names_the_version(
    laptop: Laptop, widgets: Widgets, since: datetime
) -> None:
    champion = laptop.artefact("models/champion.json")
    title = "Versions by promotion, with the time when each was loaded"

    found = rows(laptop, widgets[title], since - timedelta(days=1))

    assert (str(champion["sequence"]), champion["version"]) in {
        (row["promotion"], row["model_version"]) for row in found
    }


def test_what_a_shadow_says_is_summed_up(laptop: Laptop, widgets: Widgets) -> None:
    title = "Scores of the shadow minus scores of the champion"
    group, _ = log_group_and_query({"properties": widgets[title]})
    logs = laptop.stack.logs
    line = {"route": "POST /predict", "model_version": "v-1", "shadow": {"model_version": "v-2"}}
    logs.create_log_stream(logGroupName=group, logStreamName="shadows")
    logs.put_log_events(
        logGroupName=group,
        logStreamName="shadows",
        logEvents=[
            {"timestamp": int(time.time() * 1000), "message": json.dumps(one)}
            for difference in (-0.5, 0.25, 0.5)
            for one in [{**line, "shadow": {**line["shadow"], "difference": difference}}]  # type: ignore[dict-item]
        ],
    )

    (said,) = rows(laptop, widgets[title], datetime.now(UTC) - timedelta(hours=1))

    assert (said["model_version"], said["shadow.model_version"]) == ("v-1", "v-2")
    assert (said["requests"], said["median"], said["refused"]) == ("3", "0.25", "0")


def test_what_the_model_is_worth_is_what_its_card_says(
    laptop: Laptop, widgets: Widgets, since: datetime
) -> None:
    card = laptop.get("/model").body

    shown = {
        row["model_version"]: {name: float(row[name]) for name in row.keys() - {"model_version"}}
        for row in rows(laptop, widgets["Performance of the champion on held-out rows"], since)
    }
    verdict = card["verdict"]
    assert shown[card["model_version"]] == pytest.approx(
        {
            "r2": verdict["candidate"]["r2"]["value"],
            "coverage": verdict["coverage"]["measured"],
            "rmse": verdict["candidate"]["rmse"]["value"],
            "rmse_of_the_average": verdict["average"]["rmse"]["value"],
        }
    )


def test_an_execution_is_counted_by_its_verdict_and_its_stages_by_name(
    laptop: Laptop, widgets: Widgets, sample: Path
) -> None:
    today = datetime.now(UTC) - timedelta(hours=20)

    def counted(title: str, of: str, measure: str) -> dict[str, int]:
        return {row[of]: int(row[measure]) for row in rows(laptop, widgets[title], today)}

    def by_verdict() -> dict[str, int]:
        title = "Executions of the pipeline, by verdict"
        return counted(title, "verdict", "executions")

    def by_stage() -> dict[str, int]:
        return counted("Stages of all state machines", "stage", "runs")

    laptop.wait_until_idle()
    before, stages_before = by_verdict(), by_stage()

    ended = laptop.retrain_on(sample)

    # The last stage's line comes after its answer, with which the execution ends.
    ran = until(
        lambda: max(0, sum(by_stage().values()) - sum(stages_before.values()) - 12),
        "the stages' lines",
    )
    assert ran == 13 - 12
    decision = json.loads(ended["output"])["decision"]
    assert by_verdict() == before | {decision: before.get(decision, 0) + 1}


def test_nobody_needs_to_ask_for_health(laptop: Laptop) -> None:
    def checks() -> list[str]:
        return laptop.logged_with('"scheduled":true')

    def well() -> list[str]:
        return [line for line in checks() if '"Health":1.0' in line]

    until(well, "a check of health")  # where `make up` took long, an earlier one found no model

    assert not any('"Latency"' in line for line in checks())


@pytest.fixture
def heard(laptop: Laptop) -> Callable[[], list[dict[str, Any]]]:
    """Listen to the alarms' topic: what came since this was asked last."""
    sqs, sns = laptop.stack.client("sqs"), laptop.stack.client("sns")
    url = sqs.create_queue(QueueName=f"heard-{time.time_ns()}")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    sns.subscribe(
        TopicArn=laptop.stack.outputs.alarm_topic_arn, Protocol="sqs", Endpoint=arn["QueueArn"]
    )

    def receive() -> list[dict[str, Any]]:
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        for one in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])
        return [json.loads(json.loads(one["Body"])["Message"]) for one in messages]

    return receive


def test_a_failed_execution_alarms(
    laptop: Laptop,
    heard: Callable[[], list[dict[str, Any]]],
    sample: Path,
    tmp_path: Path,
) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text("Patient_ID,Age\nP0001,17\n")

    assert laptop.retrain_on(bad)["status"] == "FAILED"

    def failed() -> list[dict[str, Any]]:
        """What was heard of this alarm: on a busy machine, others come and go beside it."""
        return [one for one in heard() if "PipelineFailedAlarm" in one["AlarmName"]]

    (alarm,) = until(failed, "the alarm")
    assert alarm["NewStateValue"] == "ALARM"
    assert "the champion stays" in alarm["AlarmDescription"]
    assert laptop.retrain_on(sample)["status"] == "SUCCEEDED"  # the newest upload is good again


def test_an_alarm_is_told_when_it_begins_and_when_it_is_over(
    laptop: Laptop, heard: Callable[[], list[dict[str, Any]]]
) -> None:
    cloudwatch = laptop.stack.cloudwatch
    (name,) = [
        alarm["AlarmName"]
        for alarm in cloudwatch.describe_alarms()["MetricAlarms"]
        if "ServerErrorsAlarm" in alarm["AlarmName"]
    ]

    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="to see")

    told: list[tuple[str, str]] = []

    def both() -> bool:
        told.extend(
            (one["AlarmName"], one["NewStateValue"]) for one in heard() if one["AlarmName"] == name
        )
        return len(told) == 2

    until(both, "the alarm and its end")
    assert told == [(name, "ALARM"), (name, "OK")]  # for nothing is wrong


def test_all_that_was_used_has_no_more_than_the_metrics_of_the_code(
    laptop: Laptop, widgets: Widgets, since: datetime, tmp_path: Path
) -> None:
    """AWS bills each name with each set of dimensions, once something was counted under it."""
    assert since
    patients = tmp_path / "patients.csv"
    patients.write_bytes((ROOT / "data/sample.csv").read_bytes())
    for command, given in (("score", {"DATA": str(patients)}), ("monitor", {})):
        assert laptop.run(command, **given).returncode == 0
    files = widgets["Last 20 scored files"]
    runs = widgets["Results of the monitor's runs"]
    a_while_ago = datetime.now(UTC) - timedelta(hours=1)
    until(lambda: rows(laptop, files, a_while_ago), "the line of the scored file")
    (run, *_) = until(lambda: rows(laptop, runs, a_while_ago), "the line of the monitor's run")
    assert int(run["captured_predictions"]) > 0

    ours = [
        one
        for one in laptop.stack.cloudwatch.list_metrics()["Metrics"]
        if one["Namespace"] == NAMESPACE
    ]

    assert {one["MetricName"] for one in ours} <= set(Metric)
    assert len(ours) <= len(Metric) <= 20
    assert all({one["Name"] for one in metric["Dimensions"]} <= {"service"} for metric in ours)
