"""The page Monitoring: the champion's history, its alarms, and every run of the monitor."""

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

FOLDER = "monitor/"  # of the artefacts' bucket, with one report a day
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
NOTHING_SERVES = "There is no champion to monitor yet. Run `make retrain` to train one."
NOT_YET = (
    "The monitor has not run since this model was promoted. It runs once a day, and when you "
    "press Run now."
)


class Since(ui.element, component="since.js"):
    """The monitoring of a version, drawn as on the site's model page."""

    def __init__(self, monitoring: Monitoring) -> None:
        super().__init__()
        study = params()
        self._props["monitoring"] = monitoring.model_dump(mode="json")
        self._props["target"] = described_study(study)["target"]
        self._props["labels"] = {name: study.label(name) for name in study.columns}


@dataclass
class Told:
    """The registry's records of the champion and of the monitor's runs.

    unreadable: reports or records that are damaged, in a sentence each.
    """

    version: str | None = None
    monitoring: Monitoring | None = None
    runs: list[dict[str, Any]] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)


class Page:
    """The champion's monitoring, redrawn when a run has changed it."""

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
        ui.label("Runs, newest first").classes("text-lg font-semibold")
        self.runs = ui.table(
            columns=columns({one: one for one in COLUMNS}), rows=[], row_key="date", pagination=14
        )
        self.runs.classes("w-full").props("flat bordered wrap-cells")

    async def refresh(self) -> None:
        """Read the last run's results and the alarms' states."""
        if time.monotonic() >= self.due:
            self.due = time.monotonic() + LOOK_AGAIN_SECONDS
            self.alarms.show(await asyncio.to_thread(monitoring_alarms, self.stack))
        told = await asyncio.to_thread(self.reader.read)
        self.last.text = await asyncio.to_thread(last_execution, self.stack)
        self.run.set_enabled(told.version is not None and MONITOR.is_in(self.stack))
        if told == self.drawn:
            return
        self.drawn = told
        self.title.text = f"Monitoring of {told.version}" if told.version else "Monitoring"
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
        ui.notify("The monitor is running. Its results appear here, and its states on Executions.")
        await self.refresh()


class Reader:
    """Reads what the monitor wrote; unchanged objects are not read again."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        # The row of each report that was read, or why there is none
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
                told.unreadable.append(
                    f"{error}; restore an earlier version of the object, or delete it."
                )
        return told

    def _newest(self) -> list[tuple[str, str]]:
        """List the last days' reports, newest first, each with the ETag of its version."""
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
            return f"{error}." if known else f"{key} is not a report that this release can read."
        return row_of(run)


def row_of(run: Monitored) -> dict[str, Any]:
    """Describe a run as a row of the table."""
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
    """Name the execution that a run started, or say why a run with an alarm started none."""
    if run.retraining is None:
        return ""
    alarms = run.drift.drifted or run.outcomes.degraded
    return run.retraining.execution or (run.retraining.says if alarms else "")


def chance(p_value: float | None) -> str:
    """Write a p-value, or that there are too few rows for one."""
    if p_value is None:
        return "too few rows"
    return "< 0.0001" if p_value < 0.0001 else f"{p_value:.2g}"  # noqa: PLR2004


def monitoring_alarms(stack: Stack) -> list[Alarm]:
    """List the alarms on the champion, each with its state and the reason for it."""
    return [one for one in alarms_of(stack) if one[0] in ALARMS]


def last_execution(stack: Stack) -> str:
    """Describe the status of the monitor's last execution."""
    if not MONITOR.is_in(stack):
        return "This stack has no monitor, because an earlier release deployed it. Run `make up`."
    for one in executions.newest(stack, MONITOR)[:1]:
        status = one["status"].lower().replace("_", " ")
        return f"The last run started at {one['startDate']:%Y-%m-%d %H:%M:%S}: {status}."
    return "The monitor has not run on this stack yet."
