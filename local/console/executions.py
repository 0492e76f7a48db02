"""Executions of the state machine: drawn, followed, started and stopped."""

import json
from collections.abc import Awaitable, Callable
from pathlib import PurePath
from typing import Any

from clinical.params import params
from nicegui import events, run, ui

from local import executions
from local.cloud import CloudFailed
from local.console import graph
from local.executions import Progress, Step
from local.models import operator
from local.stack import Stack

INPUTS = (
    {},
    {"tune": True},
    {"promote": "previous", "reason": "…"},
)
COLUMNS = [
    {"name": name, "label": name, "field": name, "align": "left"}
    for name in ("name", "status", "verdict", "started (UTC)", "took")
]


class Chosen:
    """Which execution and which of its states somebody looks at."""

    arn: str | None = None
    state: str | None = None


def page(stack: Stack) -> Callable[[], Awaitable[None]]:
    """Build the page, and return what refreshes it."""
    chosen = Chosen()
    drawn: dict[str, str] = {}

    async def start(asked: str) -> None:
        try:
            given = json.loads(asked or "{}")
            chosen.arn = await run.io_bound(
                executions.start, stack, {"who": operator(), **given}
            )
        except (ValueError, TypeError) as error:
            ui.notify(f"The input is no JSON object: {error}", type="negative")

    async def upload(uploaded: events.UploadEventArguments) -> None:
        body = await uploaded.file.read()
        try:
            chosen.arn = await run.io_bound(
                executions.upload_bytes, stack, PurePath(uploaded.file.name).stem, body
            )
        except CloudFailed as error:
            ui.notify(str(error), type="negative")

    async def stop() -> None:
        if chosen.arn:
            await run.io_bound(
                stack.stepfunctions.stop_execution, executionArn=chosen.arn, cause="Stopped by hand."
            )

    async def redrive() -> None:
        try:
            await run.io_bound(stack.stepfunctions.redrive_execution, executionArn=chosen.arn)
        except stack.stepfunctions.exceptions.ClientError as error:
            ui.notify(f"This engine does not redrive: {error}", type="warning")

    with ui.row().classes("w-full no-wrap items-start gap-6 max-lg:flex-wrap"):
        with ui.column().classes("w-[34rem] shrink-0 gap-3"):
            with ui.card().classes("w-full"):
                ui.label("Start retrain").classes("text-lg font-semibold")
                asked = ui.textarea("Input", value="{}").classes("w-full").props("autogrow outlined")
                with ui.row().classes("gap-2"):
                    for one in INPUTS:
                        text = json.dumps(one, ensure_ascii=False)
                        ui.button(text, on_click=lambda text=text: asked.set_value(text)).props(
                            "flat dense no-caps size=sm"
                        )
                ui.button("Start", on_click=lambda: start(asked.value)).props("no-caps")
                most = params().dataset.max_bytes
                ui.upload(
                    label=f"Or upload a CSV, up to {most / 1e6:.1f} MB, and retrain on it",
                    max_file_size=most,
                    auto_upload=True,
                    on_upload=upload,
                    on_rejected=lambda: ui.notify(
                        f"A CSV of at most {most / 1e6:.1f} MB is taken", type="negative"
                    ),
                ).props("accept=.csv flat bordered").classes("w-full")
            table = ui.table(
                columns=COLUMNS, rows=[], row_key="arn", title="Executions", pagination=10
            ).classes("w-full")

            def choose(event: events.GenericEventArguments) -> None:
                chosen.arn, chosen.state = event.args[1]["arn"], None

            table.on("rowClick", choose)
        with ui.column().classes("grow min-w-0 gap-3"):
            with ui.row().classes("items-center gap-4"):
                title = ui.label("No execution yet").classes("text-lg font-semibold")
                stopping = ui.button("Stop", on_click=stop).props("outline dense no-caps")
                redriving = ui.button("Redrive", on_click=redrive).props("outline dense no-caps")
            report = ui.column().classes("w-full")
            with ui.row().classes("w-full no-wrap items-start gap-4 max-xl:flex-wrap"):

                def show(event: events.GenericEventArguments | Any) -> None:
                    chosen.state = str(getattr(event, "node", event))

                diagram = ui.mermaid("flowchart TD", on_node_click=show).classes("w-[30rem] shrink-0")
                details = ui.column().classes("grow min-w-0 gap-1")

    async def refresh() -> None:
        found = await run.io_bound(recent, stack)
        table.rows = found
        if not found:
            return
        chosen.arn = chosen.arn or found[0]["arn"]
        described, machine, progress = await run.io_bound(told, stack, chosen.arn)
        running = described["status"] == "RUNNING"
        title.text = f"{described['name']}: {described['status'].lower()}"
        stopping.set_visibility(running)
        redriving.set_visibility(described["status"] in {"FAILED", "ABORTED", "TIMED_OUT"})
        flow = graph.flowchart(machine, graph.marks(progress.steps))
        if drawn.get("flow") != flow:
            diagram.set_content(flow)
            drawn["flow"] = flow
        shown = f"{chosen.arn} {chosen.state} {described['status']} {len(progress.steps)}"
        if drawn.get("details") != shown:
            drawn["details"] = shown
            show_report(report, described)
            show_steps(details, progress.steps, chosen)

    return refresh


def recent(stack: Stack) -> list[dict[str, str]]:
    """List the last executions, the newest first, as rows of the table."""
    listed = stack.stepfunctions.list_executions(
        stateMachineArn=stack.outputs.state_machine_arn, maxResults=50
    )["executions"]
    rows = []
    for one in listed:
        took = (one["stopDate"] - one["startDate"]).total_seconds() if "stopDate" in one else None
        rows.append(
            {
                "arn": one["executionArn"],
                "name": one["name"],
                "status": one["status"].lower(),
                "verdict": verdict_of(stack, one["executionArn"], one["status"]),
                "started (UTC)": f"{one['startDate']:%Y-%m-%d %H:%M:%S}",
                "took": f"{took:.1f} s" if took is not None else "",
            }
        )
    return rows


def verdict_of(stack: Stack, arn: str, status: str) -> str:
    """Say what an execution came to: its decision, or the name of its failure."""
    if status == "RUNNING":
        return ""
    described = stack.stepfunctions.describe_execution(executionArn=arn)
    output = json.loads(described.get("output") or "{}")
    return str(output.get("decision") or described.get("error") or "").replace("_", " ")


def told(stack: Stack, arn: str) -> tuple[dict[str, Any], graph.Machine, Progress]:
    """Fetch an execution, the machine's definition, and how far its history says it is."""
    described = stack.stepfunctions.describe_execution(executionArn=arn)
    machine = stack.stepfunctions.describe_state_machine(
        stateMachineArn=stack.outputs.state_machine_arn
    )
    progress = Progress()
    progress.update(list(executions.history(stack, arn)))
    return dict(described), json.loads(machine["definition"]), progress


def show_report(place: ui.column, described: dict[str, Any]) -> None:
    """Show how it ended: the sentences of a verdict, a table of broken rules, or the cause."""
    place.clear()
    output = json.loads(described.get("output") or "{}")
    cause = described.get("cause") or ""
    with place:
        for reason in (output.get("verdict") or {}).get("reasons", []):
            ui.label(f"• {reason}")
        if not cause:
            return
        ui.label(f"{described.get('error')}").classes("text-negative font-semibold")
        try:
            violations = json.loads(cause)["violations"]
        except (ValueError, KeyError, TypeError):
            ui.label(cause).classes("mono")
            return
        headings = {"rule": "rule", "column": "column", "count": "rows", "first": "first rows"}
        ui.table(
            columns=[
                {"name": key, "label": label, "field": key, "align": "left"}
                for key, label in headings.items()
            ],
            rows=[
                {**one, "first": ", ".join(map(str, one["first_rows"]))} for one in violations
            ],
            row_key="rule",
        ).props("flat bordered dense")


def show_steps(place: ui.column, steps: list[Step], chosen: Chosen) -> None:
    """List the states that were entered, each with its time, input, output and error."""
    place.clear()
    with place:
        for step in steps:
            took = "running" if step.seconds is None else f"{step.seconds:.2f} s"
            text = f"{step.name}: {graph.mark(step)}, {took if not step.failed else 'ended here'}"
            with ui.expansion(text, value=step.name == chosen.state).classes("w-full"):
                for name, content in (
                    ("Input", step.input),
                    ("Output", step.output),
                    ("Error", f"{step.error}\n{step.cause}".strip()),
                ):
                    if content:
                        ui.label(name).classes("font-semibold")
                        ui.label(readable(content)).classes("mono")


def readable(text: str) -> str:
    """Indent what is JSON, and leave what is not."""
    try:
        return json.dumps(json.loads(text), indent=1, ensure_ascii=False)
    except ValueError:
        return text
