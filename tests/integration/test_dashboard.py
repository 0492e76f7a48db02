"""The deployed dashboard, asked for its own figures, tells what was sent; alarms are heard."""

import json
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

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
    "POST /approvals/{execution}": 0,  # unsigned, none comes to the function
    "GET /openapi.json": 1,
    "preflights of browsers": 1,
}

type Widgets = dict[str, dict[str, Any]]
type Figures = dict[str, list[float]]


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


def test_requests_are_counted_by_route_and_checks_are_none(
    laptop: Laptop, widgets: Widgets, since: datetime
) -> None:
    for title in ("Requests a minute, by route", "Requests in 24 hours, by route"):
        assert sums(laptop, widgets[title], since) == SENT


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
    assert sums(laptop, widgets["Predictions in all"], since) == {"Patients scored": scored}
    errors = widgets["Prediction errors"]
    assert sums(laptop, errors, since) == {"Predictions that failed": 0}
    (asked,) = figures(laptop, errors, since, "SampleCount").values()
    routes = ("POST /predict", "POST /predict/batch", "POST /compare")
    assert sum(asked) == sum(SENT[route] for route in routes)


def test_rates_are_of_all_requests(laptop: Laptop, widgets: Widgets, since: datetime) -> None:
    widget = widgets["Error rate, of all requests"]

    assert sums(laptop, widget, since) == {
        "Server errors that the gateway saw": 0,
        "Server errors that functions answered": 0,
        "Client errors": 3 + 1 + 1,
    }
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
    title = "Which promotion is which version, by when it was loaded"
    source, query = widgets[title]["query"].split(" | ", 1)
    logs = laptop.stack.logs

    started = logs.start_query(
        logGroupName=source.split("'")[1],
        queryString=query,
        startTime=int(since.timestamp()) - 24 * 3600,
        endTime=int(time.time()) + 60,
    )

    found = logs.get_query_results(queryId=started["queryId"])["results"]
    rows = [{field["field"]: field["value"] for field in row} for row in found]
    assert (str(champion["sequence"]), champion["version"]) in {
        (row["promotion"], row["model_version"]) for row in rows
    }


def test_what_a_shadow_says_is_summed_up(laptop: Laptop, widgets: Widgets) -> None:
    title = "What the shadow would have said, less what the champion said"
    source, query = widgets[title]["query"].split(" | ", 1)
    group, logs = source.split("'")[1], laptop.stack.logs
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

    started = logs.start_query(
        logGroupName=group,
        queryString=query,
        startTime=int(time.time()) - 3600,
        endTime=int(time.time()) + 60,
    )

    (row,) = logs.get_query_results(queryId=started["queryId"])["results"]
    said = {field["field"]: field["value"] for field in row}
    assert (said["model_version"], said["shadow.model_version"]) == ("v-1", "v-2")
    assert (said["requests"], said["median"], said["refused"]) == ("3", "0.25", "0")


def test_what_the_model_is_worth_is_what_its_card_says(
    laptop: Laptop, widgets: Widgets, since: datetime
) -> None:
    verdict = laptop.get("/model").body["verdict"]

    shown = {
        **figures(laptop, widgets["What the model in service is worth"], since),
        **figures(laptop, widgets["Its error beside the average's, in units of the target"], since),
    }
    assert {label: values[-1] for label, values in shown.items()} == pytest.approx(
        {
            "R²": verdict["candidate"]["r2"]["value"],
            "Measured coverage of its intervals": verdict["coverage"]["measured"],
            "RMSE of the model": verdict["candidate"]["rmse"]["value"],
            "RMSE of always answering the average": verdict["average"]["rmse"]["value"],
        }
    )


def test_an_execution_is_counted_by_its_verdict(
    laptop: Laptop, widgets: Widgets, sample: Path
) -> None:
    by_verdict = widgets["Executions of the pipeline, by verdict"]
    labels = {metric[-2]: metric[-1]["label"] for metric in by_verdict["metrics"]}
    stages = widgets["Stages of the pipeline"]
    today = datetime.now(UTC) - timedelta(hours=20)
    laptop.wait_until_idle()
    before, stages_before = sums(laptop, by_verdict, today), sums(laptop, stages, today)

    ended = laptop.retrain_on(sample)

    # The last stage's line comes after its answer, with which the execution ends.
    ran = until(
        lambda: max(0, sums(laptop, stages, today)["Run"] - stages_before["Run"] - 12),
        "the stages' metrics",
    )
    assert ran == 13 - 12
    decision = json.loads(ended["output"])["decision"]
    after = sums(laptop, by_verdict, today)
    assert {label: after[label] - before[label] for label in after} == {
        label: int(label == labels[decision]) for label in after
    }


def test_nobody_needs_to_ask_for_health(laptop: Laptop) -> None:
    def checks() -> list[str]:
        return laptop.logged_with('"scheduled":true')

    def well() -> list[str]:
        return [line for line in checks() if '"Health":[1.0]' in line]

    until(well, "a check of health")  # where `make up` took long, an earlier one found no model

    assert not any('"Requests"' in line for line in checks())


@pytest.fixture
def heard(laptop: Laptop) -> Callable[[], list[dict[str, Any]]]:
    """Listen to the alarms' topic: what came since this was asked last."""
    sqs, sns = laptop.stack._client("sqs"), laptop.stack._client("sns")
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

    (alarm,) = until(heard, "the alarm")
    assert alarm["NewStateValue"] == "ALARM"
    assert "PipelineFailedAlarm" in alarm["AlarmName"]
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
        told.extend((one["AlarmName"], one["NewStateValue"]) for one in heard())
        return len(told) == 2

    until(both, "the alarm and its end")
    assert told == [(name, "ALARM"), (name, "OK")]  # for nothing is wrong
