"""What the dashboard shows and the alarms watch is what the code emits, and the other way round."""

import contextlib
import io
import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, get_args

import pytest
import stage
import yaml
from clinical import telemetry
from clinical.boto3_bucket import Boto3Bucket
from clinical.errors import ChampionMoved, DatasetRejected
from clinical.obstore_bucket import ObstoreBucket
from clinical.params import Monitoring, Params, params
from clinical.registry import CHAMPION_KEY
from clinical.telemetry import NAMESPACE, Metric
from clinical.verdict import Decision
from retrain import watch
from retrain.stages.admit import Ended
from retrain.stages.close_approval import close_approval
from retrain.stages.promote import promote
from retrain.state import Closed, Promoted
from score.stages.score_part import score_part
from score.stages.split import split
from score.stages.summarise import summarise

from local.console.widgets import log_group_and_query
from local.emulator.emf import data_in
from local.emulator.insights import answered
from tests import pipeline
from tests.conftest import ROOT
from tests.pipeline import Context, mirror, own_cloud, own_store
from tests.unit.conftest import Api, load_function, routes_of, smaller
from tests.unit.pipeline.conftest import without_signal

# What a metric is called where it is asked for: namespace, name, and its dimensions.
type Series = tuple[str, str, frozenset[tuple[str, str]]]

NAMED = re.compile(r"\$\{([^}]+)\}")
SAMPLE = (ROOT / "data/sample.csv").read_bytes()
SHADOW = "Scores of the shadow minus scores of the champion"
PATIENT = json.loads(json.loads((ROOT / "events/predict.json").read_text())["body"])


@pytest.fixture(scope="module")
def body(template: dict[str, Any]) -> str:
    """What the template includes, before CloudFormation puts anything into it."""
    included = template["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Transform"]
    assert included["Name"] == "AWS::Include"
    snippet: dict[str, str] = yaml.safe_load(
        (ROOT / included["Parameters"]["Location"]).read_text()
    )
    assert list(snippet) == ["Fn::Sub"]
    return snippet["Fn::Sub"]


@pytest.fixture(scope="module")
def dashboard(template: dict[str, Any], body: str) -> dict[str, Any]:
    defaults = {name: one.get("Default") for name, one in template["Parameters"].items()}
    text = NAMED.sub(lambda found: str(defaults.get(found[1], found[1])), body)
    parsed: dict[str, Any] = json.loads(text)
    return parsed


@pytest.fixture(scope="module")
def widgets(dashboard: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The metric widgets, by title."""
    return {
        widget["properties"]["title"]: widget["properties"]
        for widget in dashboard["widgets"]
        if widget["type"] == "metric"
    }


@pytest.fixture(scope="module")
def logs(dashboard: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The widgets that ask Logs Insights, by title."""
    return {
        widget["properties"]["title"]: widget["properties"]
        for widget in dashboard["widgets"]
        if widget["type"] == "log"
    }


def rows_of(widget: dict[str, Any], written: list[dict[str, str]]) -> list[dict[str, str]]:
    return answered(log_group_and_query({"properties": widget})[1], written)


@pytest.fixture(scope="module")
def alarms(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        name: resource["Properties"]
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::CloudWatch::Alarm"
    }


@pytest.fixture(scope="module")
def shown(widgets: dict[str, dict[str, Any]]) -> set[Series]:
    return {series_of(metric) for widget in widgets.values() for metric in widget["metrics"]}


@pytest.fixture(scope="module")
def watched(alarms: dict[str, dict[str, Any]], template: dict[str, Any]) -> set[Series]:
    parameters = template["Parameters"]
    return {
        (
            alarm["Namespace"]
            if isinstance(alarm["Namespace"], str)
            else parameters[alarm["Namespace"]["Ref"]]["Default"],
            alarm["MetricName"],
            frozenset((one["Name"], named(one["Value"])) for one in alarm.get("Dimensions", [])),
        )
        for alarm in alarms.values()
    }


def series_of(metric: list[Any]) -> Series:
    namespace, name, *dimensions = [part for part in metric if isinstance(part, str)]
    return namespace, name, frozenset(zip(dimensions[::2], dimensions[1::2], strict=True))


def named(value: Any) -> str:
    match value:
        case {"Ref": name}:
            return str(name)
        case {"Fn::GetAtt": parts}:
            return ".".join(parts)
    return str(value)


@contextlib.contextmanager
def service(name: str) -> Iterator[None]:
    """Emit as the functions do whose POWERTOOLS_SERVICE_NAME this is."""
    metrics, before = telemetry.metrics(), telemetry.metrics().service
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POWERTOOLS_SERVICE_NAME", name)
        metrics.service = name
        yield
    metrics.service = before


@pytest.fixture(scope="module")
def written() -> list[dict[str, str]]:
    """Every kind of line that the code writes, found by making it write all of them."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), own_cloud() as bucket, own_store() as store:
        with service("retrain"):
            run_the_pipeline(bucket)
        mirror(bucket, store)
        with service("score"):
            score_a_file(bucket)
        with service("api"):
            ask_the_api(store)
        with service("monitor"):
            watch_the_model(bucket, printed.getvalue().splitlines())
    now = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}.000"
    return [{"@timestamp": now, "@message": line} for line in printed.getvalue().splitlines()]


@pytest.fixture(scope="module")
def emitted(written: list[dict[str, str]]) -> set[Series]:
    """Every series that the code emits."""
    return {
        (datum.namespace, datum.name, frozenset(datum.dimensions.items()))
        for line in written
        for datum in data_in(line["@message"], time.time())
    }


def run_the_pipeline(bucket: Boto3Bucket) -> None:
    """Let executions come to every verdict, and one fail."""
    small = smaller(params(), trees=5)
    strict = small.model_copy(
        update={"gate": small.gate.model_copy(update={"without_skill": "rejected"})}
    )
    fewer = b"".join(SAMPLE.splitlines(keepends=True)[:161])
    runs: list[tuple[bytes, Params, str]] = [
        (SAMPLE, small, "promoted"),
        (SAMPLE, small, "already_champion"),
        (without_signal(SAMPLE), strict, "rejected"),
        (fewer, small, "withheld"),
        (without_signal(SAMPLE), small, "promoted_with_warning"),
    ]
    for number, (body, decisions, verdict) in enumerate(runs):
        came_to = retrained(bucket, body, decisions, f"run-{number}")
        assert came_to.get("promoted", came_to["evaluated"]["verdict"])["decision"] == verdict
    event = came_to["admitted"]["upload"] | {"sequencer": "0A"}
    end_at_once(event)
    ask_in_vain(came_to["nominated"])
    take_back(came_to["nominated"])
    handler: Callable[..., Any] = watch.watch
    with pipeline.own_state_machine():
        handler({}, Context())
    with pytest.raises(DatasetRejected):
        retrained(bucket, b"Patient_ID,Age\nP0001,17\n", small, "bad")


def retrained(
    bucket: Boto3Bucket, body: bytes, decisions: Params, execution: str
) -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage, "params", lambda: decisions)
        bucket.client.put_object(Bucket="raw", Key="raw/data.csv", Body=body)
        return pipeline.retrain(execution)


def end_at_once(upload: dict[str, Any]) -> None:
    """Let an event come twice, and one that is older than the champion's data."""
    given = {
        "raw": {"key": upload["key"], "version_id": upload["version_id"]},
        "event": {"id": "an event", "sequencer": upload["sequencer"]},
    }
    ended = [pipeline.retrain(name, given)["admitted"]["decision"] for name in ("first", "again")]
    assert ended[1] == "already_handled"


def ask_in_vain(nominated: dict[str, Any]) -> None:
    """Let nobody approve of a version, and the champion move while somebody might."""
    asked = {"nominated": nominated | {"version": "v-00000000", "over": 0, "approval": ["always"]}}
    assert pipeline.ran(close_approval, "in-vain", asked)["decision"] == "not_approved"
    with pytest.raises(ChampionMoved):
        pipeline.ran(promote, "too-late", asked)


def take_back(nominated: dict[str, Any]) -> None:
    """Let a version be withdrawn and nominated again, and one that is too old."""
    older = nominated | {"upload": nominated["upload"] | {"uploaded_at": "2026-01-01T00:00:00Z"}}
    by_hand = {"version": "previous", "who": "the tests", "why": "to take it back"}
    handler: Callable[..., dict[str, Any]] = promote
    assert handler({"execution": "back", "nominated": by_hand}, Context())
    ended = [
        handler({"execution": name, "nominated": one}, Context())["decision"]
        for name, one in (
            ("withdrawn", nominated),
            ("superseded", older | {"version": "v-00000000"}),
        )
    ]
    assert ended == ["withdrawn", "superseded"]


def score_a_file(bucket: Boto3Bucket) -> None:
    """Score the sample, in as many parts as it comes to."""
    bucket.client.put_object(Bucket="raw", Key="score/in/sample.csv", Body=SAMPLE)
    handlers: list[Callable[..., Any]] = [split, score_part, summarise]
    divide, score, add_up = handlers
    run = {"execution": "scored"}
    divided = divide(run | {"given": {"score": "score/in/sample.csv"}}, Context())
    of_run = run | {"plan": divided["plan"]}
    for part in divided["parts"]:
        score(of_run | {"part": part}, Context())
    add_up(of_run | {"parts": len(divided["parts"])}, Context())


def watch_the_model(bucket: Boto3Bucket, logged: Sequence[str]) -> None:
    """Run the monitor where nothing serves, and where there is enough to tell of."""
    champion = bucket.get(CHAMPION_KEY).body
    bucket.client.delete_object(Bucket="artifacts", Key=CHAMPION_KEY)
    requests = [line for line in logged if '"prediction_id"' in line]
    with pipeline.own_log(requests):
        assert pipeline.monitor("nobody")["begun"]["decision"] == "nothing_serves"
        bucket.put(CHAMPION_KEY, champion)
        ids = [json.loads(line).get("prediction_id") for line in requests]
        rows = [
            f"{one},{3 + number},{datetime.now(UTC):%Y-%m-%d}"
            for number, one in enumerate(ids)
            if isinstance(one, str)
        ]
        header = f"prediction_id,{params().target.column},observed_at"
        body = "\n".join((header, *rows)).encode()
        bucket.client.put_object(Bucket="raw", Key="outcomes/told.csv", Body=body)
        few = params().model_copy(update={"monitoring": few_will_do()})
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(stage, "params", lambda: few)
            acted = pipeline.monitor("watched")["acted"]
    assert acted["model_version"]


def few_will_do() -> Monitoring:
    """Let a handful of requests and outcomes tell."""
    usual = params().monitoring
    return usual.model_copy(update={"min_requests": 2, "min_outcomes": 2, "simulations": 1000})


def ask_the_api(bucket: ObstoreBucket) -> None:
    """Ask every route, have the health checked, and let a champion be refused."""
    predict, dropdown, outcomes, approvals = (
        Api(load_function(name), Context())
        for name in ("predict", "dropdown", "outcomes", "approvals")
    )
    for _ in range(3):
        assert predict("POST", "/predict", PATIENT).status == 200
    assert predict("POST", "/predict/batch", {"patients": [PATIENT]}).status == 200
    later = {*params().compared, *params().roles.known_after_treatment}
    untreated = {name: value for name, value in PATIENT.items() if name not in later}
    assert predict("POST", "/compare", {"patient": untreated}).status == 200
    assert outcomes("POST", "/outcomes", {"outcomes": []}).status in {200, 422}
    one = {
        "resource": "/predictions/{prediction_id}",
        "pathParameters": {"prediction_id": "0" * 32},
    }
    assert outcomes("GET", f"/predictions/{'0' * 32}", **one).status == 404
    asked = {"resource": "/approvals/{execution}", "pathParameters": {"execution": "sample"}}
    decided = {"decision": "approve", "reason": "To see it counted."}
    assert approvals("POST", "/approvals/sample", decided, **asked).status == 403
    for api in (predict, dropdown):
        for method, path in routes_of(api.module):
            if method == "GET":
                assert api(method, path, queryStringParameters={}).status == 200
        api("OPTIONS", "/predict", headers={"Origin": "https://lab.example"})
    assert predict("GET", "/health", scheduled=True).status == 200
    bucket.put(CHAMPION_KEY, b"no pointer")
    assert Api(load_function("predict"), Context())("GET", "/health").status == 503


def test_the_dashboard_names_what_the_template_has(template: dict[str, Any], body: str) -> None:
    """cfn-lint does not look into what is included."""
    known = {*template["Parameters"], *template["Resources"], "AWS::Region", "AWS::StackName"}

    assert set(NAMED.findall(body)) <= known


def test_every_metric_on_the_dashboard_is_one_the_code_emits(
    shown: set[Series], emitted: set[Series]
) -> None:
    assert {series for series in shown if series[0] == NAMESPACE} <= emitted


def test_every_metric_in_an_alarm_is_one_the_code_emits(
    watched: set[Series], emitted: set[Series]
) -> None:
    assert {series for series in watched if series[0] == NAMESPACE} <= emitted


def test_what_is_not_ours_is_what_aws_emits(
    shown: set[Series], watched: set[Series], template: dict[str, Any]
) -> None:
    theirs = {series for series in shown | watched if series[0] != NAMESPACE}

    stage_name = template["Resources"]["Api"]["Properties"]["StageName"]
    # The name that SAM gives an API is the stack's.
    api = frozenset({("ApiName", "AWS::StackName"), ("Stage", stage_name)})
    machines = {
        name: frozenset({("StateMachineArn", name)})
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::Serverless::StateMachine"
    }
    queue = frozenset({("QueueName", "UndeliveredUploads.QueueName")})
    assert "Name" not in template["Resources"]["Api"]["Properties"]
    assert theirs == {
        *(("AWS/ApiGateway", metric, api) for metric in ("Count", "4XXError", "5XXError")),
        *(("AWS/States", "ExecutionsFailed", machine) for machine in machines.values()),
        *(("AWS/States", "ExecutionsTimedOut", machine) for machine in machines.values()),
        # Retraining's are counted by what they came to.
        ("AWS/States", "ExecutionsSucceeded", machines["ScoreStateMachine"]),
        ("AWS/SQS", "ApproximateNumberOfMessagesVisible", queue),
    }


def test_every_metric_of_the_code_is_emitted_and_shown(
    shown: set[Series], emitted: set[Series]
) -> None:
    assert {name for _, name, _ in emitted} == set(Metric)
    assert {series for series in shown if series[0] == NAMESPACE} == emitted


def test_a_metric_is_billed_once(emitted: set[Series]) -> None:
    """AWS bills each set of dimensions; `make cost` counts the metrics of the code."""
    assert len(emitted) == len(Metric) <= 20


def test_no_dimension_but_the_service(emitted: set[Series]) -> None:
    dimensions = {one for _, _, found in emitted for one in found}

    assert dimensions == {("service", name) for name in ("api", "retrain", "monitor")}


def test_every_query_finds_something_in_lines_that_the_code_wrote(
    logs: dict[str, dict[str, Any]], written: list[dict[str, str]]
) -> None:
    for title, widget in logs.items():
        group, query = log_group_and_query({"properties": widget})
        assert group in {"ApiLogGroup", "PipelineLogGroup"}

        rows = answered(query, written)

        if title == SHADOW:  # which nobody has named here; tests of its own ask the query
            assert rows == []
            continue
        assert rows, title
        for row in rows:
            assert all(row.values()), (title, row)


def test_every_route_is_summed_up(
    logs: dict[str, dict[str, Any]], written: list[dict[str, str]]
) -> None:
    routes = {"unmatched"} | {
        " ".join(route)
        for name in ("predict", "dropdown", "outcomes", "approvals")
        for route in routes_of(load_function(name))
    }

    for title in (
        "Requests in 24 hours, by route",
        "Requests, errors, latency and cold starts, by route",
    ):
        assert {row["route"] for row in rows_of(logs[title], written)} == routes


def test_every_verdict_is_summed_up(
    logs: dict[str, dict[str, Any]], written: list[dict[str, str]]
) -> None:
    decisions = {
        *get_args(Decision.__value__),
        *get_args(Promoted.model_fields["decision"].annotation),
        *get_args(Ended.__value__),
        *get_args(Closed.model_fields["decision"].annotation),
        "approval_void",
    } - {"approved"}  # `promote` says what comes of that

    rows = rows_of(logs["Executions of the pipeline, by verdict"], written)

    assert {row["verdict"] for row in rows} == decisions


def test_every_stage_is_summed_up(
    logs: dict[str, dict[str, Any]], written: list[dict[str, str]]
) -> None:
    rows = rows_of(logs["Stages of all state machines"], written)

    assert {row["service"] for row in rows} == {"retrain", "score", "monitor"}
    said = {(row["service"], row["stage"]): row for row in rows}
    assert said["retrain", "validate"]["failed"] == "1"
    assert int(said["retrain", "train"]["from_cache"]) > 0
    assert said["retrain", "promote"]["failed"] == "1"
    assert {"split", "score_part", "summarise"} == {one for name, one in said if name == "score"}


def test_widgets_take_plain_forms_and_lie_beside_each_other(dashboard: dict[str, Any]) -> None:
    cells: set[tuple[int, int]] = set()
    for widget in dashboard["widgets"]:
        assert widget["type"] in {"metric", "text", "log"}
        x, y, width, height = (widget[name] for name in ("x", "y", "width", "height"))
        covered = {(i, j) for i in range(x, x + width) for j in range(y, y + height)}
        assert x + width <= 24
        assert not cells & covered, widget["properties"]
        cells |= covered
        for metric in widget["properties"].get("metrics", []):
            assert not any(isinstance(part, str) and part.startswith(".") for part in metric)
            assert {"stat", "label"} & set(metric[-1])


def test_every_alarm_tells_when_it_begins_and_when_it_is_over(
    alarms: dict[str, dict[str, Any]],
) -> None:
    assert len(alarms) == 18
    for name, alarm in alarms.items():
        assert alarm["AlarmActions"] == [{"Ref": "AlarmTopic"}], name
        assert alarm["OKActions"] == [{"Ref": "AlarmTopic"}], name
        assert alarm["TreatMissingData"], name
        assert len(alarm["AlarmDescription"].split(". ")) > 1, name  # what it means, what to do


def test_every_machine_that_fails_or_times_out_is_told_of(
    watched: set[Series], template: dict[str, Any]
) -> None:
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::Serverless::StateMachine":
            machine = frozenset({("StateMachineArn", name)})
            for ended in ("ExecutionsFailed", "ExecutionsTimedOut"):
                assert ("AWS/States", ended, machine) in watched


def test_every_threshold_is_a_parameter_and_described(
    alarms: dict[str, dict[str, Any]], template: dict[str, Any]
) -> None:
    thresholds = {alarm["Threshold"]["Ref"] for alarm in alarms.values()}

    given = {name for name in template["Parameters"] if name.endswith("Threshold")}
    assert thresholds == given
    for name in given:
        assert template["Parameters"][name]["Type"] == "Number", name


def test_alarms_of_this_account_alone_may_be_sent_under_a_key_that_lets_them(
    template: dict[str, Any],
) -> None:
    policy, key = (
        template["Resources"][name]["Properties"] for name in ("AlarmTopicPolicy", "AlarmKey")
    )

    (statement,) = policy["PolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert statement["Condition"] == {
        "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    }
    (encrypts,) = [one for one in key["KeyPolicy"]["Statement"] if "Service" in one["Principal"]]
    assert encrypts["Principal"] == statement["Principal"]


def test_figures_to_compare_with_are_those_of_the_params(dashboard: dict[str, Any]) -> None:
    texts = [one["properties"]["markdown"] for one in dashboard["widgets"] if one["type"] == "text"]
    (monitor,) = [text for text in texts if "drift_p_value" in text]

    alarms, promised = params().monitoring.false_alarms.drift, params().intervals.coverage
    assert f"`drift_p_value` below {alarms} is an alarm" in monitor
    assert f"in {1 / alarms:,.0f} runs" in monitor
    assert f"The target of `live_coverage` is {promised}" in monitor


def test_silence_alarms_only_where_the_schedule_is_on(
    alarms: dict[str, dict[str, Any]], template: dict[str, Any]
) -> None:
    schedule = template["Resources"]["MonitorOnSchedule"]["Properties"]
    (started,) = schedule["Targets"]

    assert template["Conditions"]["Monitored"] == {"Fn::Equals": [{"Ref": "Monitoring"}, "ENABLED"]}
    assert schedule["State"] == {"Ref": "Monitoring"}
    assert started["Arn"] == {"Ref": "MonitorStateMachine"}
    assert json.loads(started["Input"]) == {}
    assert alarms["NotMonitoredAlarm"]["TreatMissingData"] == {
        "Fn::If": ["Monitored", "breaching", "missing"]
    }


def test_the_check_is_what_the_api_takes_for_one(functions: dict[str, Any]) -> None:
    schedule = functions["PredictFunction"]["Events"]["HealthCheck"]["Properties"]
    with own_cloud(), contextlib.redirect_stdout(io.StringIO()) as printed:
        handler: Callable[..., dict[str, Any]] = load_function("predict").handler
        answer = handler(json.loads(schedule["Input"]), Context())

    assert answer["statusCode"] == 503  # there is no model here
    assert '"Health":0.0' in printed.getvalue()
    assert '"Latency"' not in printed.getvalue()
