"""What an engineer does in the local console, with the mouse alone."""

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from clinical.approvals import Waiting
from clinical.artefacts import sealed_json
from clinical.boto3_bucket import Boto3Bucket
from clinical.monitored import MONITORING, Monitoring
from clinical.registry import Registry
from playwright.sync_api import Browser, Locator, Page, expect

from local import approving, executions
from local.console.pages import PAGES
from local.models import operator
from tests import monitored
from tests.browser.conftest import Visit, Windows
from tests.integration.conftest import Laptop, few_trees_in
from tests.patience import PATIENCE_SECONDS, until

pytestmark = pytest.mark.usefixtures("few_trees")

GREEN = "rgb(27, 127, 75)"


@pytest.fixture
def console(laptop: Laptop) -> str:
    return f"http://localhost:{laptop.console_port}"


def node(page: Page, state: str) -> Locator:
    """Find a state's shape in the drawn machine."""
    return page.locator(f"g.node[id*='-{state}-'] :is(rect, polygon, path)").first


def colour(page: Page, state: str) -> str:
    fill: str = node(page, state).evaluate("shape => getComputedStyle(shape).fill")
    return fill


def wait_for(page: Page, state: str, fill: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while colour(page, state) != fill:
        assert time.monotonic() < deadline, (state, colour(page, state))
        page.wait_for_timeout(300)


def test_a_retrain_is_started_and_watched_to_its_end(
    visit: Visit, console: str, laptop: Laptop
) -> None:
    page = visit.page
    page.goto(console)
    expect(page.locator("g.node").first).to_be_visible()
    diagram = page.locator(".diagram svg")
    diagram.evaluate("diagram => diagram.classList.add('the-same')")

    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_text(re.compile("[0-9a-f-]{36}: succeeded"))).to_be_visible()
    wait_for(page, "Served", GREEN)

    for state in ("Admit", "Validate", "Preprocess", "Train", "Evaluate", "Replay", "Gate"):
        assert colour(page, state) == GREEN, state
    assert colour(page, "Rejected") != GREEN
    prepare = page.locator("g.cluster[id$='-Prepare'] rect").first
    assert prepare.evaluate("shape => getComputedStyle(shape).stroke") == GREEN
    name = page.get_by_text(re.compile("[0-9a-f-]{36}: succeeded")).inner_text().split(":")[0]
    arn = laptop.stack.outputs.state_machine_arn.replace("stateMachine", "execution") + f":{name}"
    described = laptop.stack.stepfunctions.describe_execution(executionArn=arn)
    assert described["status"] == "SUCCEEDED"
    expect(diagram).to_have_class(re.compile("the-same"))  # coloured, and not drawn anew
    visit.keep("console-executions")
    assert visit.complaints == []


def test_a_state_shows_what_went_in_and_what_came_out(visit: Visit, console: str) -> None:
    page = visit.page
    page.goto(console)

    page.locator("g.node[id*='-Train-']").click()

    expect(page.get_by_text('"onnx": {').first).to_be_visible()


def test_what_somebody_opened_stays_open_while_the_execution_goes_on(
    visit: Visit, console: str
) -> None:
    page = visit.page
    page.goto(console)
    page.get_by_role("button", name='{"tune": true}').click()
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_text(re.compile("[0-9a-f-]{36}: running"))).to_be_visible()

    page.get_by_text(re.compile("^Admit: succeeded")).click()
    opened = page.locator(".q-expansion-item", has_text="Admit: succeeded").locator(".mono").first
    expect(opened).to_be_visible()

    expect(page.get_by_text(re.compile("[0-9a-f-]{36}: succeeded"))).to_be_visible()
    expect(page.get_by_text(re.compile("^Served: succeeded"))).to_be_visible()
    expect(opened).to_contain_text('"tune": true')
    expect(opened).to_be_visible()


def test_a_csv_that_breaks_the_contract_shows_its_report(
    visit: Visit, console: str, sample: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.csv"
    header, *rows = sample.read_text().splitlines()
    bad_rows = [row.replace("Female", "F").rsplit(",", 1)[0] + ",99" for row in rows]
    bad.write_text("\n".join([header, *bad_rows]).replace(",", ";"))
    page = visit.page
    page.goto(console)

    page.locator("input[type=file]").set_input_files(bad)

    expect(page.get_by_role("cell", name="out_of_range")).to_be_visible()
    expect(page.get_by_role("cell", name="Female, Male")).to_be_visible()
    expect(page.get_by_text("• Read as semicolon-separated.")).to_be_visible()
    expect(page.get_by_text("DatasetRejected", exact=True).first).to_be_visible()
    expect(page.get_by_role("button", name="Redrive")).to_be_visible()
    visit.keep("console-rejected")
    page.get_by_role("button", name="Redrive").click()
    expect(page.get_by_text("does not support redrive")).to_be_visible()
    page.locator("input[type=file]").set_input_files(sample)  # for those who train after this
    expect(page.get_by_text(re.compile("[0-9a-f-]{36}: succeeded"))).to_be_visible()


def test_an_input_that_is_no_json_is_said(visit: Visit, console: str) -> None:
    page = visit.page
    page.goto(console)

    page.get_by_role("textbox", name="Input").fill("{tune}")
    page.get_by_role("button", name="Start", exact=True).click()

    expect(page.get_by_text("The input is not a valid JSON object")).to_be_visible()


# Twice as long as NiceGUI waits unless it is told otherwise, as on a machine that was busy.
LOSE_CONNECTION = """() => {
  const manager = window.socket.io;
  manager.randomizationFactor(0);
  manager.reconnectionDelayMax(6000);
  manager.reconnectionDelay(6000);
  manager.engine.close();
}"""


def test_a_page_that_lost_its_connection_keeps_what_was_typed_and_clicked(
    visit: Visit, console: str
) -> None:
    page = visit.page
    page.goto(console)
    expect(page.locator("g.node").first).to_be_visible()
    asked = page.get_by_role("textbox", name="Input")
    asked.fill("{tune}")
    page.wait_for_function("window.did_handshake")

    page.evaluate(LOSE_CONNECTION)
    page.get_by_role("button", name="Start", exact=True).click()

    expect(page.get_by_text("The input is not a valid JSON object")).to_be_visible()
    expect(asked).to_have_value("{tune}")


def test_an_execution_is_stopped(visit: Visit, console: str) -> None:
    page = visit.page
    page.goto(console)

    # Of 108 candidates: what the cache answers would be over before there is a button to press.
    page.get_by_role("textbox", name="Input").fill('{"tune": "full"}')
    page.get_by_role("button", name="Start", exact=True).click()
    page.get_by_role("button", name="Stop").click()

    expect(page.get_by_text(re.compile("[0-9a-f-]{36}: aborted"))).to_be_visible()


def test_the_dashboard_shows_the_requests_that_were_just_made(
    visit: Visit, console: str, laptop: Laptop, patient: dict[str, Any]
) -> None:
    page = visit.page
    page.goto(f"{console}/dashboard")
    assert laptop.post("/predict", patient).status == 200
    card = page.locator(".q-card", has_text="Requests, errors, latency and cold starts, by route")
    row = card.locator("tr", has=page.get_by_role("cell", name="POST /predict", exact=True))
    shown = row.get_by_role("cell").nth(1)
    expect(shown).to_be_visible()
    before = int(shown.inner_text())

    for _ in range(5):
        assert laptop.post("/predict", patient).status == 200

    deadline = time.monotonic() + PATIENCE_SECONDS
    while int(shown.inner_text()) < before + 5:
        assert time.monotonic() < deadline, shown.inner_text()
        page.wait_for_timeout(500)
    bars = page.locator(".q-card", has_text="Requests in 24 hours, by route")
    expect(bars.locator("svg text", has_text=re.compile("^POST /predict$"))).to_be_visible()
    over_time = page.locator(".q-card", has_text="Requests in five minutes, by route")
    expect(over_time.locator("svg text", has_text=re.compile("^all_routes$"))).to_be_visible()
    for title in ("Health: 1 is up", "Model version in service", "Latency, ms", "Error rate"):
        expect(page.get_by_text(title).first).to_be_visible()
    expect(page.get_by_text(re.compile("NoModelAlarm: ")).first).to_be_visible()
    visit.keep("console-dashboard")
    assert visit.complaints == []


def test_the_dashboard_looks_back_as_far_as_somebody_chose(visit: Visit, console: str) -> None:
    page = visit.page
    page.goto(f"{console}/dashboard")
    expect(page.get_by_role("button", name="3 h")).to_have_attribute("aria-pressed", "true")
    chart = page.locator(".nicegui-echart").first
    assert minutes_of(chart) == pytest.approx(180)
    chart.evaluate("chart => chart.classList.add('the-same')")

    page.get_by_role("button", name="15 min").click()

    deadline = time.monotonic() + PATIENCE_SECONDS
    while minutes_of(chart) != pytest.approx(15):
        assert time.monotonic() < deadline, minutes_of(chart)
        page.wait_for_timeout(300)
    expect(chart).to_have_class(re.compile("the-same"))  # updated, and not drawn anew


def minutes_of(chart: Locator) -> float:
    """Tell how many minutes a chart's axis spans."""
    minutes: float = chart.evaluate(
        """chart => {
             const [{ min, max }] = getElement(chart.id.slice(1)).chart.getOption().xAxis;
             return (new Date(max) - new Date(min)) / 60_000;
           }"""
    )
    return minutes


def test_a_model_is_rolled_back_with_a_reason(
    visit: Visit, console: str, laptop: Laptop, sample: Path, tmp_path: Path
) -> None:
    fewer = tmp_path / "fewer.csv"
    fewer.write_bytes(b"".join(sample.read_bytes().splitlines(keepends=True)[:-9]))
    before = laptop.artefact("models/champion.json")["version"]
    assert laptop.retrain_on(fewer)["status"] == "SUCCEEDED"
    assert laptop.artefact("models/champion.json")["version"] != before
    page = visit.page
    page.goto(f"{console}/models")

    page.get_by_label("Reason, for the ledger").fill("It was better on Tuesday.")
    page.get_by_role("button", name="Roll back to the previous version").click()

    expect(page.get_by_text("It was better on Tuesday.").last).to_be_visible()
    champion = laptop.artefact("models/champion.json")
    assert champion["version"] == before
    expect(page.locator("tr", has_text=before).first).to_contain_text("champion")
    visit.keep("console-models")


@pytest.fixture
def waiting(laptop: Laptop, few_trees: Path, sample: Path, tmp_path: Path) -> Iterator[Waiting]:
    """A candidate on fewer rows, which somebody has to approve of."""
    fewer = tmp_path / "fewer.csv"
    fewer.write_bytes(b"".join(sample.read_bytes().splitlines(keepends=True)[:-19]))
    laptop.decide_by(few_trees_in(tmp_path, approval="always"))
    arn = executions.upload(laptop.stack, fewer)

    def asked() -> Waiting | None:
        assert executions.outcome_of(laptop.stack, arn) is None, "it did not wait"
        return next(iter(approving.waiting(laptop.stack)), None)

    yield until(asked, "a candidate to wait")
    if executions.outcome_of(laptop.stack, arn) is None:  # the test failed before it was decided
        laptop.stack.stepfunctions.stop_execution(executionArn=arn)
    laptop.decide_by(few_trees)


def test_a_candidate_is_rejected_with_a_reason_and_by_nothing_else(
    visit: Visit, windows: Windows, console: str, laptop: Laptop, waiting: Waiting
) -> None:
    before = laptop.artefact("models/champion.json")
    approvals = executions.approvals_of(laptop.stack)
    page = visit.page
    page.goto(console)
    expect(page.get_by_text(f"{waiting.execution}: waiting for approval")).to_be_visible()
    expect(page.get_by_role("cell", name="waiting for approval")).to_be_visible()
    page.get_by_role("link", name="Approve or reject it on the page Approvals").click()

    candidate = page.get_by_role("region", name=f"Approval of {waiting.version}")
    for sentence in (*waiting.because, *verdict_of(waiting)):
        expect(candidate.get_by_text(sentence).first).to_be_visible()
    expect(candidate.get_by_role("img", name="Recorded against predicted")).to_be_visible()
    reason = candidate.get_by_label("Reason, for the ledger")
    for button in ("Approve", "Reject"):
        candidate.get_by_role("button", name=button).click()
        expect(candidate.get_by_text("Enter a reason first")).to_be_visible()
        expect(reason).to_be_focused()
    visit.assert_accessible()
    visit.keep("console-approvals")
    for asked in ("decision=approved", "approve=1", f"execution={waiting.execution}"):
        page.goto(f"{console}/approvals?{asked}&reason=So&decision=approve#approve")
        expect(candidate.get_by_role("button", name="Approve")).to_be_visible()
    assert approvals.decision(waiting.execution) is None

    phone: Any = {"color_scheme": "dark", "viewport": {"width": 360, "height": 740}}
    with windows.visit(**phone) as other:
        other.page.goto(f"{console}/approvals")
        beside = other.page.get_by_role("region", name=f"Approval of {waiting.version}")
        expect(beside.get_by_role("button", name="Approve")).to_be_visible()
        expect(beside.get_by_role("img", name="Recorded against predicted")).to_be_visible()
        other.assert_accessible()
        other.keep("console-approvals-phone")
        reason.fill("It was made of too few rows.")
        candidate.get_by_role("button", name="Reject").dblclick()
        said = f"{waiting.version} was rejected by {operator()} on "
        for where in (candidate, beside):
            expect(where.get_by_role("status")).to_contain_text(said)
        assert other.page.evaluate("document.documentElement.scrollWidth") == 360
        assert other.complaints == []

    assert laptop.ended(waiting.arn)["status"] == "SUCCEEDED"
    expect(page.get_by_role("row", name=waiting.execution)).to_contain_text("not approved: ")
    expect(candidate.get_by_role("button")).to_have_count(0)
    assert laptop.artefact("models/champion.json") == before
    visit.assert_accessible()
    page.reload()
    expect(page.get_by_text("No candidate is waiting for approval.")).to_be_visible()
    expect(page.get_by_role("row", name=waiting.execution)).to_contain_text("too few rows")
    assert visit.complaints == []


def verdict_of(waiting: Waiting) -> tuple[str, ...]:
    assert waiting.verdict is not None
    return waiting.verdict.reasons


def test_what_came_true_of_a_version_is_drawn_as_on_its_page_of_the_site(
    visit: Visit, console: str, laptop: Laptop
) -> None:
    card = laptop.get("/model").body
    page = visit.page
    page.goto(f"{console}/models")
    title = page.get_by_text(card["model_version"], exact=True)
    checks = page.locator(".q-card", has=title)
    bins_of_calibration = card["verdict"]["calibration"]["bins"]
    told = [one for one in card["verdict"]["wins"]["bins"] if one["won"]]

    for name, bins in (
        ("Recorded against predicted", bins_of_calibration),
        ("How often the first of two rows did better", told),
    ):
        expect(checks.get_by_role("img", name=name).locator("circle")).to_have_count(len(bins))
    checks.locator("summary").first.click()
    expect(checks.locator("tbody tr").first).to_be_visible()
    visit.assert_accessible()
    visit.keep("console-checks")
    assert visit.complaints == []


@pytest.fixture(scope="module")
def life(laptop: Laptop) -> Iterator[Monitoring]:
    """A made-up life of the model that serves, with two of its days; taken away again."""
    bucket = Boto3Bucket(laptop.stack.s3, laptop.stack.outputs.artifacts_bucket)
    registry = Registry(bucket)
    pointer = registry.champion()
    assert pointer is not None
    version = pointer.champion.version
    made = monitored.a_life()
    registry.revise(version, MONITORING, Monitoring, lambda _: made)
    runs = [made.last, monitored.nothing("two", monitored.LAST - timedelta(days=1))]
    keys = [f"monitor/{run.window.date}.json" for run in runs]
    for key, run in zip(keys, runs, strict=True):
        bucket.put(key, sealed_json(run))
    yield made
    for key in (*keys, f"models/{version}/{MONITORING}"):
        laptop.stack.s3.delete_object(Bucket=bucket.name, Key=key)


@pytest.mark.usefixtures("life")
def test_what_became_of_the_model_is_drawn_as_on_its_page_of_the_site(
    visit: Visit, console: str
) -> None:
    page = visit.page
    page.goto(f"{console}/monitoring")

    since = page.locator(".checks")
    expect(since.get_by_role("img")).to_have_count(5)
    expect(since).to_contain_text("Sertraline: 7.0% → 13%")
    expect(since.locator(".warning")).to_have_text([monitored.MOVED, monitored.WORSE])
    for name in ("Drifted", "Degraded", "NotMonitored"):
        expect(page.locator(".q-chip", has_text=f"{name}Alarm: ")).to_be_visible()
    rows = page.locator(".q-table tbody tr")
    expect(rows.first).to_contain_text("drifted, degraded")
    expect(rows.nth(1)).to_contain_text("too few rows")
    visit.keep("console-monitoring")
    assert visit.complaints == []


def test_the_monitor_is_run_by_a_button(visit: Visit, console: str, laptop: Laptop) -> None:
    machine = laptop.stack.outputs.monitor_state_machine_arn
    page = visit.page
    page.goto(f"{console}/monitoring")
    before = len(laptop.stack.stepfunctions.list_executions(stateMachineArn=machine)["executions"])

    page.get_by_role("button", name="Run now").click()

    expect(page.get_by_text("The monitor is running. Its results appear here")).to_be_visible()
    expect(page.get_by_text(re.compile("The last run started at .*: succeeded"))).to_be_visible()
    ran = laptop.stack.stepfunctions.list_executions(stateMachineArn=machine)["executions"]
    assert len(ran) == before + 1
    expect(page.locator(".q-table tbody tr").first).to_contain_text(f"{datetime.now(UTC):%Y-%m-%d}")


@pytest.mark.usefixtures("life")
@pytest.mark.parametrize(
    ("path", "drawn"),
    [
        ("", "g.node"),
        ("dashboard", ".nicegui-echart text"),
        ("models", ".checks svg"),
        ("monitoring", ".checks svg"),
    ],
)
def test_every_page_passes_axe(
    windows: Windows, console: str, scheme: Any, path: str, drawn: str
) -> None:
    with windows.visit(color_scheme=scheme, viewport={"width": 1500, "height": 1000}) as visit:
        visit.page.goto(f"{console}/{path}")
        expect(visit.page.locator(".q-table, .q-chip").first).to_be_visible()
        expect(visit.page.locator(drawn).first).to_be_visible()

        visit.assert_accessible()


def test_the_console_asks_no_third_party(visit: Visit, console: str) -> None:
    for path in PAGES:
        visit.page.goto(f"{console}{path}", wait_until="networkidle")

    own = (console, "data:", "blob:", console.replace("http", "ws"))
    assert [one.url for one in visit.requests if not one.url.startswith(own)] == []


def test_the_console_says_when_the_cloud_is_down_and_when_it_is_up_again(
    chromium: Browser, laptop: Laptop, console: str
) -> None:
    with chromium.new_context() as context:
        page = Visit(context.new_page()).page
        page.goto(f"{console}/models")
        expect(page.get_by_text("Ledger", exact=True)).to_be_visible()

        laptop.stack.cloud.stop()
        expect(page.get_by_text("run `make up` first")).to_be_visible()
        assert laptop.run("up").returncode == 0

        expect(page.get_by_text("Ledger", exact=True)).to_be_visible()
