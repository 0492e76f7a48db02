"""Score every row of a file by the model that serves, and bring back what came of it."""

import hashlib
import json
import os
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

from clinical.params import params
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from score.keys import OUT
from score.state import Summary, Written

from local import executions, outcomes, uploading
from local.cloud import CloudFailed
from local.executions import Outcome
from local.machines import SCORE
from local.models import NO_SKILL
from local.stack import Stack

FORMATS = ("csv.gz", "csv", "parquet")
BEGINNINGS = {b"PAR1": "parquet", b"\x1f\x8b": "csv.gz"}
POLL_SECONDS = 0.5
CHUNK_BYTES = 1024 * 1024
PART = re.compile(r"/part-(\d+)\.[a-z.]+$")


class ScoringFailed(CloudFailed):
    """When an execution ended in a failure, so that nothing was scored."""


def score(stack: Stack, data: Path | None, out: Path | None, console: Console) -> None:
    """Score a file, and write it with its scores; raises CloudFailed where that cannot be done.

    out: where to; None for a file beside it, such as patients.scored.csv of patients.csv.
    """
    if data is None:
        raise CloudFailed("which file is to be scored? make score DATA=patients.csv")
    path = result_path(data, out)
    uploaded = uploading.on_terminal(stack, data, console, SCORE)
    arn = executions.started_by(stack, uploaded, SCORE)
    try:
        outcome = follow(stack, arn, console)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"Interrupted. {data.name} is scored on in the local cloud; what comes of it will be "
            f"in the console, and in s3://{stack.outputs.raw_bucket}/{OUT}{name_of(arn)}/."
        ) from None
    if not outcome.succeeded:
        outcomes.show_rejection(outcome, console)
        raise ScoringFailed(f"{outcome.error or outcome.status}; nothing was scored")
    if outcome.output["decision"] != "scored":
        raise ScoringFailed(f"nothing was scored: {outcome.output.get('reason')}")
    summary = summary_of(stack, outcome.output["summary"])
    write(stack, summary, path, console)
    show_summary(summary, console)
    console.print(
        f"[bold]{escape(str(path))}[/] has every row of {escape(data.name)}, with "
        f"{escape(', '.join(summary.columns))}."
    )
    console.print(
        f"Execution {summary.execution} took {outcome.seconds:.1f} s in all, "
        f"{summary.rows / max(outcome.seconds, 0.1):,.0f} rows a second."
    )
    console.print(escape(summary.disclaimer))


def check_writable(out: Path, name: str) -> None:
    """Raise CloudFailed where a file may not or cannot be written, before anything is done.

    name: that the file could have, where only a folder is given.
    """
    if not out.parent.is_dir():
        raise CloudFailed(f"OUT={out} cannot be written: there is no folder {out.parent}")
    if not os.access(out.parent, os.W_OK):
        raise CloudFailed(f"OUT={out} cannot be written: the folder may not be")
    if out.is_dir():
        raise CloudFailed(f"OUT={out} is a folder; name a file in it: OUT={out / name}")


def result_path(data: Path, out: Path | None) -> Path:
    """Say where the result goes; raises CloudFailed where it may not or cannot go there."""
    if not uploading.size_of(data):
        raise CloudFailed(f"{data} is empty: there is nothing to score")
    kind = format_of(data)
    name = result_name(data.name, kind)
    path = out or data.with_name(name)
    check_writable(path, name)
    if path.exists() and path.samefile(data):
        raise CloudFailed(f"OUT={path} is the file to be scored, which stays as it is")
    if format_told(path.name) not in {kind, None}:
        raise CloudFailed(
            f"OUT={path} is to end in .{kind}: the result is of the same format as {data.name}"
        )
    return path


def result_name(name: str, kind: str) -> str:
    """Name the result of a file of a format: patients.scored.csv of patients.csv.

    A name that tells another format is mended; one that tells none is left its end.
    """
    told = format_told(name)
    end = name[-len(told) - 1 :] if told else Path(name).suffix
    stem = name.removesuffix(end) if end else name
    return f"{stem}.scored{end if told == kind or (not told and kind == 'csv') else f'.{kind}'}"


def format_of(data: Path) -> str:
    """Tell a file's format by how it begins, as the machine does, whatever it is called."""
    with data.open("rb") as file:
        beginning = file.read(max(map(len, BEGINNINGS)))
    return next(
        (kind for bytes_, kind in BEGINNINGS.items() if beginning.startswith(bytes_)), "csv"
    )


def format_told(name: str) -> str | None:
    """Tell by its name's end, in whatever case, which format a file is said to have."""
    return next((one for one in FORMATS if name.lower().endswith(f".{one}")), None)


@dataclass(frozen=True)
class Far:
    """How far an execution is.

    parts: how many there are; None until the file is split. rows: in those that are done.
    seconds: since it was split.
    """

    done: int = 0
    parts: int | None = None
    rows: int = 0
    seconds: float = 0.0

    @property
    def rows_a_second(self) -> float | None:
        return self.rows / self.seconds if self.rows and self.seconds else None


class Watch:
    """Look how far an execution is, by the parts that it has written so far.

    Its history tells the same of a Map that runs inline, and little of one that does not.
    """

    def __init__(self, stack: Stack, arn: str) -> None:
        self._stack = stack
        self._arn = arn
        self._split: Split | None = None

    def look(self, now: float) -> Far:
        """Look again; now: the time in seconds, or when the execution ended."""
        self._split = self._split or split_of(executions.history(self._stack, self._arn))
        if self._split is None:
            return Far()
        done = set(part_numbers(self._stack, name_of(self._arn)))
        return Far(
            done=len(done),
            parts=len(self._split.first_rows),
            rows=sum(rows_in(self._split.first_rows, number) for number in done),
            seconds=max(now - self._split.ended, 0.0),
        )


@dataclass(frozen=True)
class Split:
    """Into what a file was split: the first row of each part; and when, in seconds."""

    first_rows: tuple[int, ...]
    ended: float


def split_of(history: Iterable[dict[str, Any]]) -> Split | None:
    """Find in a history how the file was split: its first task says so; None where that runs."""
    for event in history:
        if event["type"] == "TaskSucceeded":
            answer = json.loads(event["taskSucceededEventDetails"]["output"])["Payload"]
            rows = tuple(part["first_row"] for part in answer.get("parts") or ())
            return Split(rows, event["timestamp"].timestamp())
    return None


def rows_in(first_rows: Sequence[int], number: int) -> int:
    """Tell how many rows a part has: up to the next; the last one is taken for a mean one."""
    if number + 1 < len(first_rows):
        return first_rows[number + 1] - first_rows[number]
    others = len(first_rows) - 1
    return (first_rows[-1] - first_rows[0]) // others if others else 0


def part_numbers(stack: Stack, execution: str) -> Iterator[int]:
    """Name the parts that an execution has written."""
    pages = stack.s3.get_paginator("list_objects_v2").paginate(
        Bucket=stack.outputs.raw_bucket, Prefix=f"{OUT}{execution}/part-"
    )
    for page in pages:
        for one in page.get("Contents", []):
            if found := PART.search(one["Key"]):
                yield int(found[1])


def name_of(arn: str) -> str:
    """Give the name of an execution, which its parts lie under."""
    return arn.rsplit(":", 1)[-1]


def follow(stack: Stack, arn: str, console: Console) -> Outcome:
    """Show how far an execution is while it runs, and return how it ended."""
    watch = Watch(stack, arn)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[said]}"),
        TimeRemainingColumn(),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        task = progress.add_task("Splitting", total=None, said="")
        while True:
            outcome = executions.outcome_of(stack, arn)
            far = watch.look(time.time())
            if far.parts:
                progress.update(
                    task,
                    description="Scoring" if far.done < far.parts else "Summing up",
                    total=far.parts,
                    completed=far.done,
                    said=told(far),
                )
            if outcome:
                break
            time.sleep(POLL_SECONDS)
    if far.parts and outcome.succeeded:
        console.print(f"Scored {parts_told(far)}.")
    return outcome


def told(far: Far) -> str:
    """Say how far an execution is, and how fast."""
    speed = far.rows_a_second
    return f"{parts_told(far)}, {speed:,.0f} rows a second" if speed else parts_told(far)


def parts_told(far: Far) -> str:
    return f"{far.done:,} of {far.parts:,} {'part' if far.parts == 1 else 'parts'}"


def arn_of(stack: Stack, execution: str) -> str:
    """Give the ARN of an execution by its name."""
    return f"{SCORE.arn(stack).replace(':stateMachine:', ':execution:')}:{execution}"


def summary_of(stack: Stack, written: dict[str, str]) -> Summary:
    """Read an execution's summary; written: its key and digest, as the execution's output says."""
    found = stack.s3.get_object(Bucket=stack.outputs.raw_bucket, Key=written["key"])
    body = found["Body"].read()
    if hashlib.sha256(body).hexdigest() != written["sha256"]:
        raise CloudFailed(f"{written['key']} is not what the execution wrote: score the file again")
    return Summary.model_validate_json(body, extra="ignore")


def write(stack: Stack, summary: Summary, path: Path, console: Console) -> None:
    """Write the whole result into a file, which is there with all of it or not at all."""
    columns = (TextColumn("Fetching"), BarColumn(), TextColumn("{task.percentage:.0f} %"))
    beside = path.with_name(f".{path.name}.{uuid4().hex[:8]}")
    try:
        with (
            removed(beside),
            beside.open("xb") as file,
            Progress(
                *columns, console=console, transient=True, disable=not console.is_terminal
            ) as progress,
        ):
            task = progress.add_task("", total=sum(part.bytes for part in summary.parts))
            for piece in joined(stack, summary):
                file.write(piece)
                progress.advance(task, len(piece))
            file.close()  # which may be when a full disk is told
            beside.replace(path)
    except OSError as error:
        raise CloudFailed(f"{path} cannot be written: {error.strerror or error}") from error


def joined(stack: Stack, summary: Summary) -> Iterator[bytes]:
    """Give the whole result piece by piece; raises CloudFailed where a part is not as written.

    Parts of a CSV, gzipped or not, are one file end to end: the first alone has the header.
    """
    if not is_joined_by_rows(summary):
        for part in summary.parts:
            yield from verified(stack, part)
        return
    with TemporaryDirectory(prefix="scored-") as folder:
        whole = joined_parquet(stack, summary, Path(folder))
        with whole.open("rb") as file:
            while piece := file.read(CHUNK_BYTES):
                yield piece


def is_joined_by_rows(summary: Summary) -> bool:
    """Whether the parts, end to end, are not the whole file yet: each Parquet file has an end."""
    return summary.input.format == "parquet" and len(summary.parts) > 1


def joined_parquet(stack: Stack, summary: Summary, folder: Path) -> Path:
    """Write one Parquet file of several, their rows in order."""
    try:
        duckdb = import_module("duckdb")
    except ImportError:
        raise CloudFailed(
            f"joining {len(summary.parts)} Parquet parts takes duckdb, which is not installed; "
            f"they are whole files, in s3://{stack.outputs.raw_bucket}/{OUT}{summary.execution}/"
        ) from None
    files = []
    for number, part in enumerate(summary.parts):
        files.append(folder / f"{number:05}.parquet")
        with files[-1].open("wb") as file:
            file.writelines(verified(stack, part))
    whole = folder / "whole.parquet"
    with duckdb.connect() as connection:  # which keeps the order of rows unless told otherwise
        connection.read_parquet([str(one) for one in files]).write_parquet(str(whole))
    return whole


def verified(stack: Stack, part: Written) -> Iterator[bytes]:
    """Give a part piece by piece; raises CloudFailed where its bytes are not those written."""
    body = stack.s3.get_object(Bucket=stack.outputs.raw_bucket, Key=part.key)["Body"]
    digest = hashlib.sha256()
    for piece in body.iter_chunks(CHUNK_BYTES):
        digest.update(piece)
        yield piece
    if digest.hexdigest() != part.sha256:
        raise CloudFailed(f"{part.key} is not what summary.json says: score the file again")


@contextmanager
def removed(file: Path) -> Iterator[None]:
    """Remove a file at the end, if it is still there under this name."""
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def show_summary(summary: Summary, console: Console) -> None:
    """Print what scoring a file came to, in sentences."""
    for sentence in sentences(summary):
        console.print(escape(sentence))
    if summary.problems:
        problems = [one.model_dump() for one in summary.problems]
        console.print(outcomes.violated(problems, "Why rows were refused"))
    outcomes.show_notes(list(summary.notes), console)
    if not summary.model_skill.beats_average:
        console.print(f"[bold yellow]{NO_SKILL}[/]")


def sentences(summary: Summary) -> Iterator[str]:
    """Say how many rows were scored and refused, by which model, and how sure its scores are."""
    refused = f"{summary.refused:,} refused" if summary.refused else "none refused"
    yield f"{summary.rows:,} rows: {summary.scored:,} scored, {refused}."
    if summary.averaged:
        yield (
            f"{summary.averaged:,} scores are means over what their rows leave open; the column "
            "`averaged_over` says over what."
        )
    if summary.scores:
        write = f"{{:.{params().target.decimals}f}}".format
        yield (
            f"The scores are {write(summary.scores.mean)} on average, "
            f"{write(summary.scores.min)} at least and {write(summary.scores.max)} at most."
        )
    yield (
        f"Scored by {summary.model_version}: R² {summary.model_skill.r2:.3f} on held-out rows; "
        f"its intervals are made to hold {summary.coverage:.0%} of outcomes."
    )
