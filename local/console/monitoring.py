"""What became of the model that serves: its life so far, the alarms about it, and every run."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

from clinical.artefacts import unsealed_json
from clinical.boto3_bucket import Boto3Bucket
from clinical.errors import ArtefactCorrupted
from clinical.monitored import MONITORING, Monitored, Monitoring
from clinical.params import params
from clinical.registry import Registry
from nicegui import ui
from pydantic import ValidationError

from local import executions
from local.console import checks
from local.console.alarms import Alarm, Alarms, alarms_of
from local.console.dashboard import LOOK_AGAIN_SECONDS
from local.console.executions import inline_link
from local.console.tables import columns
from local.machines import MONITOR
from local.site import described_study
from local.stack import Stack

FOLDER = "monitor/"  # of the artefacts' bucket, where each day's report lies
ALARMS = ("DriftedAlarm", "DegradedAlarm", "NotMonitoredAlarm")
LISTED = 60  # runs, the newest
COLUMNS = (
    "date",
    "version",
    "requests",
    "p, drift",
    "outcomes",
    "p, outcomes",
    "alarm",
    "retraining",
    "run",
)
NOTHING_SERVES = "No model serves, so there is nothing to watch; the first retrain changes that."
NOT_YET = (
    "The monitor has not run yet since this model serves: it runs once a day, and whenever "
    "somebody says so."
)


class Since(ui.element, component="since.js"):
    """What became of a version, drawn as the site's model page does."""

    def __init__(self, monitoring: Monitoring) -> None:
        super().__init__()
        study = params()
        self._props["monitoring"] = monitoring.model_dump(mode="json")
        self._props["target"] = described_study(study)["target"]
        self._props["labels"] = {name: study.label(name) for name in study.columns}


@dataclass
class Told:
    """What the registry says of the model that serves, and of the monitor's runs.

    unreadable: a report or a life that is not as it was written.
    """

    version: str | None = None
    monitoring: Monitoring | None = None
    runs: list[dict[str, Any]] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)


class Page:
    """The champion's life, drawn anew where a run changed it."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.reader = Reader(stack)
        self.drawn: Told | None = None
        self.due = 0.0
        checks.add_style()
        with ui.row().classes("w-full items-center gap-4"):
            self.title = ui.label("Monitoring").classes("text-lg font-semibold")
            self.alarms = Alarms()
            self.run = ui.button("Run now", on_click=self._run).props("no-caps")
        with ui.row().classes("items-center gap-2"):
            self.last = ui.label().props("role=status")
            inline_link("Executions", "/")
        self.unreadable = ui.column().classes("text-negative gap-1")
        self.life = ui.card().classes("w-full max-w-5xl")
        ui.label("Runs, the newest first").classes("text-lg font-semibold")
        self.runs = ui.table(
            columns=columns({one: one for one in COLUMNS}), rows=[], row_key="date", pagination=14
        )
        self.runs.classes("w-full").props("flat bordered wrap-cells")

    async def refresh(self) -> None:
        """Read what the last run wrote, and how the alarms stand."""
        if time.monotonic() >= self.due:
            self.due = time.monotonic() + LOOK_AGAIN_SECONDS
            self.alarms.show(await asyncio.to_thread(monitoring_alarms, self.stack))
        told = await asyncio.to_thread(self.reader.read)
        self.last.text = await asyncio.to_thread(last_execution, self.stack)
        self.run.set_enabled(told.version is not None and MONITOR.is_in(self.stack))
        if told == self.drawn:
            return
        self.drawn = told
        self.title.text = f"Since {told.version} serves" if told.version else "Monitoring"
        self.runs.rows = told.runs
        for place, draw in ((self.unreadable, self._draw_unreadable), (self.life, self._draw_life)):
            place.clear()
            with place:
                draw(told)

    def _draw_life(self, told: Told) -> None:
        if told.version is None:
            ui.label(NOTHING_SERVES)
        elif told.monitoring is None:
            ui.label(NOT_YET)
        else:
            Since(told.monitoring)

    def _draw_unreadable(self, told: Told) -> None:
        for sentence in told.unreadable:
            ui.label(sentence)

    async def _run(self) -> None:
        await asyncio.to_thread(executions.start, self.stack, {}, None, MONITOR)
        ui.notify("The monitor runs; what it finds is shown here, and its states on Executions.")
        await self.refresh()


class Reader:
    """Reads what the monitor wrote; what did not change since is not read again."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        # A row of each report as it was read, or why there is none
        self._rows: dict[tuple[str, str], dict[str, Any] | str] = {}

    def read(self) -> Told:
        registry = Registry(Boto3Bucket(self.stack.s3, self.stack.outputs.artifacts_bucket))
        pointer = registry.champion()
        told = Told(version=pointer.champion.version if pointer else None)
        for report in self._newest():
            if report not in self._rows:
                self._rows[report] = self._row(registry, report[0])
            match self._rows[report]:
                case str(sentence):
                    told.unreadable.append(sentence)
                case row:
                    told.runs.append(row)
        if told.version:
            try:
                told.monitoring = registry.annex(told.version, MONITORING, Monitoring)
            except ArtefactCorrupted as error:
                told.unreadable.append(f"{error}; restore an earlier version of it, or delete it.")
        return told

    def _newest(self) -> list[tuple[str, str]]:
        """List the last days' reports, the newest first, with what tells one from the next."""
        pages = self.stack.s3.get_paginator("list_objects_v2").paginate(
            Bucket=self.stack.outputs.artifacts_bucket, Prefix=FOLDER
        )
        found = [(one["Key"], one["ETag"]) for page in pages for one in page.get("Contents", [])]
        return sorted(found, reverse=True)[:LISTED]

    def _row(self, registry: Registry, key: str) -> dict[str, Any] | str:
        try:
            body = registry.bucket.get(key).body
            run = Monitored.model_validate(unsealed_json(key, body))
        except (ArtefactCorrupted, ValidationError) as error:
            known = isinstance(error, ArtefactCorrupted)
            return f"{error}." if known else f"{key} is no report of this code."
        return row_of(run)


def row_of(run: Monitored) -> dict[str, Any]:
    """Tell a run in a row of the table."""
    drift, outcomes = run.drift, run.outcomes
    alarms = [("drifted", drift.drifted), ("degraded", outcomes.degraded)]
    return {
        "date": run.window.date.isoformat(),
        "version": run.model_version,
        "requests": f"{drift.requests:,}",
        "p, drift": chance(drift.p_value),
        "outcomes": f"{outcomes.outcomes:,}",
        "p, outcomes": chance(outcomes.p_value),
        "alarm": ", ".join(name for name, rings in alarms if rings),
        "retraining": retraining_of(run),
        "run": run.execution[:8],
    }


def retraining_of(run: Monitored) -> str:
    """Name the execution that a run started, or say why a run that alarms started none."""
    if run.retraining is None:
        return ""
    alarms = run.drift.drifted or run.outcomes.degraded
    return run.retraining.execution or (run.retraining.says if alarms else "")


def chance(p_value: float | None) -> str:
    """Write a probability; that there is too little to tell where there is none."""
    if p_value is None:
        return "too few to tell"
    return "< 0.0001" if p_value < 0.0001 else f"{p_value:.2g}"  # noqa: PLR2004


def monitoring_alarms(stack: Stack) -> list[Alarm]:
    """Give the alarms about the model that serves, each with its state and why."""
    return [one for one in alarms_of(stack) if one[0] in ALARMS]


def last_execution(stack: Stack) -> str:
    """Say how the monitor's last execution stands."""
    if not MONITOR.is_in(stack):
        return "This stack has no monitor: an earlier release deployed it, and `make up` does."
    for one in executions.newest(stack, MONITOR)[:1]:
        status = one["status"].lower().replace("_", " ")
        return f"The last run began at {one['startDate']:%Y-%m-%d %H:%M:%S}: {status}."
    return "The monitor has not run on this stack yet."
