"""The page Executions: draws, follows, starts and stops executions of the state machines."""

import asyncio
import json
import re
from collections import Counter
from contextlib import suppress
from typing import Any

from botocore.exceptions import ClientError
from clinical.errors import ClinicalError
from clinical.params import params
from nicegui import events, ui

from local import executions
from local.console import graph
from local.console.tables import columns
from local.console.uploads import Upload
from local.executions import Progress, Step
from local.machines import MACHINES, MONITOR, RETRAIN, SCORE, Machine
from local.models import operator
from local.stack import Stack

INPUTS = {  # examples, by state machine
    RETRAIN: (
        "{}",
        '{"tune": true}',
        '{"outcomes": true}',
        '{"promote": "previous", "reason": "…"}',
    ),
    MONITOR: ("{}", '{"until": "2026-10-31"}'),
}
DRAWING = {
    "theme": "neutral",
    "flowchart": {
        "nodeSpacing": 16,
        "rankSpacing": 26,
        "subGraphTitleMargin": {"top": 0, "bottom": 8},
    },
}
SHOWN_LETTERS = 8  # of a name that is a UUID
UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
SHOWN_TIMES = 8  # entries of one state; more are summed up
LISTED = 50  # executions
COLUMNS = ("name", "status", "verdict", "started (UTC)", "took")
WAITS = "waiting for approval"  # shown as a status


class Page:
    """The view's state: the execution, the states whose details are open, what is drawn."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.machine: Machine = RETRAIN
        self.arn = ""
        self.opened: set[str] = set()
        self.drawn: tuple[object, ...] = ()
        with ui.row().classes("w-full no-wrap items-start gap-6 max-lg:flex-wrap"):
            with ui.column().classes("w-[34rem] max-w-full shrink-0 gap-4"):
                self.choice = ui.toggle(
                    {self.machine.name: f"State machine: {self.machine.name}"},
                    value=self.machine.name,
                    on_change=self._switch,
                ).props("no-caps")
                self.starts = {machine: self._start_card(machine) for machine in INPUTS}
                self.elsewhere = inline_link("Files are scored on the page Score.", "/score")
                self.table = (
                    ui.table(
                        columns=columns({one: one for one in COLUMNS}),
                        rows=[],
                        row_key="arn",
                        title="Executions",
                        pagination=10,
                    )
                    .classes("w-full cursor-pointer")
                    .props("dense")
                )
                self.table.on("rowClick", self._choose)
            with ui.column().classes("grow min-w-0 gap-3"):
                with ui.row().classes("items-center gap-4"):
                    self.title = ui.label("No execution yet").classes("text-lg font-semibold")
                    self.decide = inline_link(
                        "Approve or reject it on the page Approvals", "/approvals"
                    )
                    self.decide.set_visibility(False)
                    self.stop = button("Stop", self._stop)
                    self.redrive = button("Redrive", self._redrive)
                self.report = ui.column().classes("w-full gap-1")
                with ui.row().classes("w-full items-start gap-4"):
                    self.diagram = ui.mermaid(
                        "flowchart TD", DRAWING, on_node_click=self._show
                    ).classes("diagram w-[50rem] max-w-full shrink-0")
                    self.colours = ui.html(tag="style", sanitize=False)
                    self.details = ui.column().classes("grow basis-80 min-w-0 gap-0")

    async def refresh(self) -> None:
        """Fetch the executions, and draw changes."""
        self._offer_machines()
        shown = self.machine
        for started, card in self.starts.items():
            card.set_visibility(shown is started)
        self.elsewhere.set_visibility(shown is SCORE)
        rows = await asyncio.to_thread(recent, self.stack, shown)
        if self.machine is not shown:
            return  # another one was chosen meanwhile, which refreshes again
        self.table.rows = rows
        if not rows:
            await self._show_none()
            return
        self.arn = self.arn or rows[0]["arn"]
        described, machine, progress = await asyncio.to_thread(told, self.stack, self.arn, shown)
        if self.machine is not shown:
            return
        status = described["status"]
        drawn = (self.arn, status, progress.read)
        if drawn == self.drawn:
            return
        self.drawn = drawn
        waits = status == "RUNNING" and progress.waits_in(executions.AWAITS)
        self.title.text = f"{described['name']}: {WAITS if waits else status.lower()}"
        self.decide.set_visibility(waits)
        self.stop.set_visibility(status == "RUNNING")
        self.redrive.set_visibility(status in {"FAILED", "ABORTED", "TIMED_OUT"})
        self.diagram.set_content(graph.flowchart(machine))
        self.colours.set_content(graph.colours(machine, graph.marks(progress.steps)))
        show_report(self.report, described)
        show_steps(self.details, progress.steps, self.opened)

    def _offer_machines(self) -> None:
        """Offer the machines of this stack; an earlier release's stack has fewer."""
        offered = {
            name: f"State machine: {name}"
            for name, machine in MACHINES.items()
            if machine.is_in(self.stack)
        }
        if offered != self.choice.options:
            self.choice.set_options(offered)
        self.choice.set_visibility(len(offered) > 1)

    async def _show_none(self) -> None:
        """Draw the machine before its first execution."""
        if self.drawn == (self.machine,):
            return
        self.drawn = (self.machine,)
        machine = await asyncio.to_thread(definition, self.stack, self.machine)
        self.title.text = "No execution yet"
        for one in (self.decide, self.stop, self.redrive):
            one.set_visibility(False)
        for place in (self.report, self.details):
            place.clear()
        self.diagram.set_content(graph.flowchart(machine))
        self.colours.set_content("")

    async def _switch(self) -> None:
        self.machine = MACHINES[self.choice.value]
        await self._look_at("")

    def _start_card(self, machine: Machine) -> ui.card:
        with ui.card().classes("w-full") as card:
            ui.label(f"Start {machine.name}").classes("text-lg font-semibold")
            asked = ui.textarea("Input", value="{}").classes("w-full").props("autogrow outlined")
            with ui.row().classes("gap-1"):
                for text in INPUTS[machine]:
                    ui.button(
                        text, on_click=lambda text=text: asked.set_value(text), color=None
                    ).props("flat dense no-caps")
            ui.button("Start", on_click=lambda: self._start(machine, asked.value)).props("no-caps")
            if machine is RETRAIN:
                self._data_set()
        return card

    def _data_set(self) -> None:
        most = params().dataset.max_bytes
        Upload(
            self.stack,
            RETRAIN,
            f"Upload a data set (up to {most / 1e6:.1f} MB) and retrain on it",
            lambda arn: self._follow(RETRAIN, arn),
            limit=(most, "params.yaml, dataset.max_bytes"),
        )

    async def _choose(self, event: events.GenericEventArguments) -> None:
        await self._look_at(event.args[1]["arn"])

    async def _look_at(self, arn: str) -> None:
        self.arn = arn
        self.opened.clear()
        self.drawn = ()
        await self.refresh()

    async def _show(self, event: events.MermaidNodeClickEventArguments) -> None:
        self.opened = {event.node_id.rsplit("-", 1)[-1]}  # Mermaid adds the part before
        self.drawn = ()
        await self.refresh()

    async def _start(self, machine: Machine, said: str) -> None:
        try:
            who = {"who": operator()} if machine.takes_reasons else {}
            asked = {**who, **json.loads(said or "{}")}
        except (ValueError, TypeError) as error:
            ui.notify(f"The input is not a valid JSON object: {error}", type="negative")
            return
        arn = await asyncio.to_thread(executions.start, self.stack, asked, None, machine)
        await self._follow(machine, arn)

    async def _follow(self, machine: Machine, arn: str) -> None:
        """Show an execution, and switch to its machine."""
        self.machine = machine
        self.choice.value = machine.name
        await self._look_at(arn)

    async def _stop(self) -> None:
        states = self.stack.stepfunctions
        await asyncio.to_thread(
            states.stop_execution, executionArn=self.arn, cause="Stopped manually."
        )

    async def _redrive(self) -> None:
        states = self.stack.stepfunctions
        try:
            await asyncio.to_thread(states.redrive_execution, executionArn=self.arn)
        except ClientError as error:
            ui.notify(
                f"The local Step Functions engine does not support redrive: {error}", type="warning"
            )


def inline_link(text: str, to: str) -> ui.link:
    """Create a link in a text, in the text's colour."""
    return ui.link(text, to).style("color: inherit; text-decoration: underline")


def button(text: str, act: Any) -> ui.button:  # noqa: ANN401 - NiceGUI's type
    made = ui.button(text, on_click=act, color=None).props("outline dense no-caps")
    made.set_visibility(False)
    return made


def recent(stack: Stack, machine: Machine) -> list[dict[str, str]]:
    """List the last executions, newest first, as rows of the table."""
    rows = []
    for one in executions.newest(stack, machine, LISTED):
        took = (one["stopDate"] - one["startDate"]).total_seconds() if "stopDate" in one else None
        rows.append(
            {
                "arn": one["executionArn"],
                "name": shown_name(one["name"]),
                "status": status_of(stack, one["name"], one["status"], machine),
                "verdict": verdict_of(stack, one["executionArn"], one["status"]),
                "started (UTC)": f"{one['startDate']:%m-%d %H:%M:%S}",
                "took": f"{took:.1f} s" if took is not None else "",
            }
        )
    return rows


def shown_name(name: str) -> str:
    """Shorten a generated name; a meaningful one, such as drift-2026-11-11, is kept."""
    return name[:SHOWN_LETTERS] if UUID.fullmatch(name) else name


def status_of(stack: Stack, name: str, status: str, machine: Machine) -> str:
    """Describe an execution's status in a word or two."""
    if status == "RUNNING" and machine is RETRAIN:
        with suppress(ClinicalError):  # the page Approvals says what cannot be read
            return WAITS if executions.awaited(stack, name) else status.lower()
    return status.lower()


def verdict_of(stack: Stack, arn: str, status: str) -> str:
    """Return an execution's decision, or the name of its error."""
    if status == "RUNNING":
        return ""
    described = stack.stepfunctions.describe_execution(executionArn=arn)
    output = json.loads(described.get("output") or "{}")
    return str(output.get("decision") or described.get("error") or "").replace("_", " ")


def told(
    stack: Stack, arn: str, machine: Machine
) -> tuple[dict[str, Any], graph.Machine, Progress]:
    """Fetch an execution, the machine's definition, and the progress in its history."""
    described = stack.stepfunctions.describe_execution(executionArn=arn)
    progress = Progress()
    progress.update(list(executions.history(stack, arn)))
    return dict(described), definition(stack, machine), progress


def definition(stack: Stack, machine: Machine) -> graph.Machine:
    described = stack.stepfunctions.describe_state_machine(stateMachineArn=machine.arn(stack))
    states: graph.Machine = json.loads(described["definition"])
    return states


def show_report(place: ui.column, described: dict[str, Any]) -> None:
    """Show how an execution ended: its verdict's sentences, a table of violations, or the cause."""
    place.clear()
    output = json.loads(described.get("output") or "{}")
    cause = described.get("cause") or ""
    with place:
        if output.get("decision") == "scored":
            inline_link("Scores and refused rows", f"/score?execution={described['name']}")
        if ended := output.get("reason"):  # of a run that had nothing to do, or was not allowed to
            ui.label(str(ended))
        for reason in output.get("reasons", []):  # of a run of the monitor
            ui.label(f"• {reason}")
        for reason in (output.get("verdict") or {}).get("reasons", []):
            ui.label(f"• {reason}")
        show_notes(output.get("notes"))
        if not cause:
            return
        ui.label(str(described.get("error", ""))).classes("text-negative font-semibold")
        try:
            report = json.loads(cause)
            violations = report["violations"]
        except (ValueError, KeyError, TypeError):
            ui.label(cause).classes("mono")
            return
        headings = {"rule": "rule", "column": "column", "count": "rows", "first": "first rows"}
        if any(one.get("allowed") for one in violations):
            headings["values"] = "allowed values"
        ui.table(
            columns=columns(headings),
            rows=[
                {
                    **one,
                    "first": ", ".join(map(str, one["first_rows"])),
                    "values": ", ".join(one.get("allowed", [])),
                }
                for one in violations
            ],
            row_key="rule",
        ).props("flat bordered dense wrap-cells").classes("max-w-full")
        show_notes(report.get("notes"))


def show_notes(notes: list[str] | None) -> None:
    """Show how an upload was read leniently."""
    if notes:
        ui.label("How the file was read:").classes("font-semibold")
    for note in notes or []:
        ui.label(f"• {note}")


def show_steps(place: ui.column, steps: list[Step], opened: set[str]) -> None:
    """List the states that were entered, each with its time, input, output and error.

    opened: the states whose details are open; updated when they are opened and closed.
    """

    def keep(name: str, *, is_open: bool) -> None:
        (opened.add if is_open else opened.discard)(name)

    often = {name for name, times in Counter(s.name for s in steps).items() if times > SHOWN_TIMES}
    place.clear()
    with place:
        for name in often:
            marked = Counter(graph.mark(step) for step in steps if step.name == name)
            ui.label(f"{name}: {', '.join(f'{times} {how}' for how, times in marked.items())}")
        for step in steps:
            if step.name in often and not step.error and not step.failed:
                continue
            took = "" if step.seconds is None else f", {step.seconds:.2f} s"
            text = f"{step.name}: {graph.mark(step)}{took}"
            details = ui.expansion(
                text,
                value=step.name in opened,
                on_value_change=lambda event, name=step.name: keep(name, is_open=event.value),
            )
            with details.classes("w-full").props("dense"):
                for name, content in (
                    ("Input", step.input),
                    ("Output", step.output),
                    ("Error", f"{step.error}\n{step.cause}".strip()),
                ):
                    if content:
                        ui.label(name).classes("font-semibold")
                        ui.label(readable(content)).classes("mono")


def readable(text: str) -> str:
    """Indent JSON, and return other text unchanged."""
    try:
        return json.dumps(json.loads(text), indent=1, ensure_ascii=False)
    except ValueError:
        return text
