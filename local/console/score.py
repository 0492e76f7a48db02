"""The page Score: uploads a file, follows its scoring, sums it up, and offers the result."""

import asyncio
import json
import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import quote

from botocore.exceptions import ClientError
from clinical.params import params
from fastapi import Response
from fastapi.responses import PlainTextResponse, StreamingResponse
from nicegui import app, ui
from score.state import Summary

from local import executions, scoring
from local.cloud import CloudFailed
from local.console import checks
from local.console.executions import show_notes, show_report
from local.console.tables import columns
from local.console.uploads import Upload
from local.emulators import stack_at
from local.machines import SCORE
from local.models import NO_SKILL
from local.scoring import Far, Watch
from local.site import described_study
from local.stack import Stack
from local.studies import Study
from local.uploading import megabytes

LISTED = 20
CHOSEN = "execution"  # the query parameter that names what to show first


class Page:
    """The view's state: a file's progress, or its result."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.files: dict[str, str] = {}  # that were uploaded, by execution
        self.watch: Watch | None = None
        self.shown: tuple[str, str] = ("", "")
        checks.add_style()
        self.arn = ""
        self.first = ui.context.client.request.query_params.get(CHOSEN, "")
        with ui.row().classes("w-full no-wrap items-start gap-6 max-lg:flex-wrap"):
            with ui.column().classes("w-[26rem] max-w-full shrink-0 gap-4"):
                with ui.card().classes("w-full"):
                    ui.label("Score a file").classes("text-lg font-semibold")
                    ui.label(
                        "A CSV file, gzipped or not, or a Parquet file, with all columns of the "
                        f"study except {params().label(params().target.column)}. The result has "
                        "the same rows in the same order, each with a score or with the reason "
                        "why there is none."
                    )
                    Upload(stack, SCORE, "Choose a file to score", self._look_at)
                self.chosen = ui.select({}, label="Scored files", on_change=self._choose)
                self.chosen.classes("w-full").props("outlined dense")
            with ui.column().classes("grow min-w-0 gap-3"):
                self.title = ui.label("No scored files yet").classes("text-lg font-semibold")
                self.bar = ui.linear_progress(0, show_value=False).classes("max-w-[40rem]")
                self.bar.props('aria-label="Scoring progress"')
                self.said = ui.label().props("role=status")
                self.report = ui.column().classes("w-full gap-3")
        self._show_far(Far(), ends=True)

    async def refresh(self) -> None:
        """Fetch the executions, and show changes."""
        listed = await asyncio.to_thread(recent, self.stack, self.files)
        if self.first and not self.arn:
            self.arn = scoring.arn_of(self.stack, self.first)
        if not (self.arn or listed):
            return
        self.arn = self.arn or next(iter(listed))
        if self.chosen.options != listed or self.chosen.value != self.arn:
            self.chosen.set_options(listed, value=self.arn if self.arn in listed else None)
        await self._show(self.arn)

    async def _show(self, arn: str) -> None:
        described = await asyncio.to_thread(
            self.stack.stepfunctions.describe_execution, executionArn=arn
        )
        status = described["status"]
        if (arn, status) != self.shown:
            self.report.clear()
            self.title.text = f"{file_of(described['input'])}: {status.lower()}"
        if status == "RUNNING":
            self.watch = self.watch or Watch(self.stack, arn)
            far = await asyncio.to_thread(self.watch.look, time.time())
            if self.arn == arn:
                self._show_far(far)
        elif (arn, status) != self.shown:
            self._show_far(Far(), ends=True)
            output = json.loads(described.get("output") or "{}")
            if output.get("decision") == "scored":
                summary = await asyncio.to_thread(scoring.summary_of, self.stack, output["summary"])
                if self.arn == arn:
                    took = (described["stopDate"] - described["startDate"]).total_seconds()
                    show_summary(self.report, summary, took)
            else:
                show_report(self.report, dict(described))
        self.shown = (arn, status)

    def _show_far(self, far: Far, *, ends: bool = False) -> None:
        self.bar.set_visibility(not ends)
        self.bar.props(
            add="" if far.parts else "indeterminate", remove="indeterminate" if far.parts else ""
        )
        self.bar.value = far.done / far.parts if far.parts else 0
        splitting = "" if ends else "Splitting the file"
        self.said.text = scoring.told(far) if far.parts else splitting
        self.said.set_visibility(bool(self.said.text))

    async def _choose(self) -> None:
        if self.chosen.value and self.chosen.value != self.arn:
            await self._look_at(self.chosen.value)

    async def _look_at(self, arn: str) -> None:
        self.arn, self.watch = arn, None
        await self.refresh()


def recent(stack: Stack, files: dict[str, str]) -> dict[str, str]:
    """List the last executions, newest first, with their files, start times and statuses.

    files: known file names by execution; extended by those looked up now.
    """
    listed = executions.newest(stack, SCORE, LISTED)
    for one in listed:
        arn = one["executionArn"]
        if arn not in files:
            described = stack.stepfunctions.describe_execution(executionArn=arn)
            files[arn] = file_of(described["input"])
    return {
        one["executionArn"]: (
            f"{files[one['executionArn']]}, {one['startDate']:%m-%d %H:%M:%S}, "
            f"{one['status'].lower()}"
        )
        for one in listed
    }


def file_of(asked: str) -> str:
    """Name the file that an execution's input asks to score."""
    given: Any = json.loads(asked)
    given = given.get(SCORE.member) if isinstance(given, dict) else None
    key = given.get("key") if isinstance(given, dict) else given
    return SCORE.told_name(str(key or "no file"))


def show_summary(place: ui.column, summary: Summary, seconds: float) -> None:
    """Show the result of scoring a file, with its download."""
    target = described_study(params())["target"]
    with place:
        for sentence in scoring.sentences(summary):
            ui.label(sentence)
        ui.label(f"It took {seconds:.1f} s.")
        show_notes(list(summary.notes))
        if not summary.model_skill.beats_average:
            ui.label(NO_SKILL).classes("font-semibold")
        size = sum(part.bytes for part in summary.parts)
        name = name_of(summary)
        ui.button(f"Download {name}, {megabytes(size)}").props(
            f'href="/scored/{quote(summary.execution, safe="")}" no-caps'
        )
        if summary.problems:
            headings = {"rule": "rule", "column": "column", "rows": "rows", "first": "first rows"}
            if any(one.allowed for one in summary.problems):
                headings["values"] = "allowed values"
            ui.label("Reasons for refused rows").classes("font-semibold")
            ui.table(
                columns=columns(headings),
                rows=[
                    {
                        "key": f"{one.rule} {one.column}",
                        "rule": one.rule,
                        "column": one.column or "",
                        "rows": f"{one.count:,}",
                        "first": ", ".join(map(str, one.first_rows)),
                        "values": ", ".join(one.allowed),
                    }
                    for one in summary.problems
                ],
                row_key="key",
            ).props("flat bordered dense wrap-cells").classes("max-w-full")
        if summary.scores:
            ui.label("Scores").classes("font-semibold")
            Histogram(summary.scores.model_dump(mode="json"), target)
        ui.label(summary.disclaimer).classes("text-sm")


class Histogram(ui.element, component="score.js"):
    """The distribution of scores."""

    def __init__(self, scores: dict[str, Any], target: dict[str, Any]) -> None:
        super().__init__()
        self._props["scores"] = scores
        self._props["target"] = target


def install(home: Path, study: Study) -> None:
    """Serve results for download, from the cloud whose state is in home."""

    @app.get("/scored/{execution}")
    def download(execution: str) -> Response:
        stack = stack_at(home, study=study)
        try:
            described = stack.stepfunctions.describe_execution(
                executionArn=scoring.arn_of(stack, execution)
            )
            output = json.loads(described.get("output") or "{}")
            if "summary" not in output:
                return PlainTextResponse(f"{execution} has no result", status_code=404)
            summary = scoring.summary_of(stack, output["summary"])
            pieces = begun(scoring.joined(stack, summary))
        except (CloudFailed, ClientError) as error:
            return PlainTextResponse(str(error), status_code=404)
        return StreamingResponse(
            pieces, media_type="application/octet-stream", headers=headers(summary)
        )


def name_of(summary: Summary) -> str:
    """Name the result after the file that was uploaded."""
    return scoring.result_name(SCORE.told_name(summary.input.key), summary.input.format)


def begun(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Fetch the first piece, so that an error is reported before the response begins."""
    first = next(pieces, b"")
    return chain([first], pieces)


def headers(summary: Summary) -> dict[str, str]:
    """Return the headers of a download: the file's name, and its size if known in advance."""
    name = quote(name_of(summary))
    size = sum(part.bytes for part in summary.parts)
    told = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}"}
    return told if scoring.is_joined_by_rows(summary) else told | {"Content-Length": str(size)}
