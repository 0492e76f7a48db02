"""Score every row of a file with the champion, and download the result."""

import hashlib
import json
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from clinical.params import params
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from score.keys import OUT
from score.state import Summary, Written

from local import executions, outcomes, uploading
from local.cloud import CloudFailed
from local.executions import Outcome
from local.files import beside, check_writable
from local.machines import SCORE
from local.models import NO_SKILL
from local.stack import Stack

FORMATS = ("csv.gz", "csv", "parquet")
BEGINNINGS = {b"PAR1": "parquet", b"\x1f\x8b": "csv.gz"}
POLL_SECONDS = 0.5
CHUNK_BYTES = 1024 * 1024
PART = re.compile(r"/part-(\d+)\.[a-z.]+$")


class ScoringFailed(CloudFailed):
    """When an execution failed, so that nothing was scored."""


def score(stack: Stack, data: Path | None, out: Path | None, console: Console) -> None:
    """Score a file, and write it with its scores; raises CloudFailed if that fails.

    out: the path; None for a file beside the input, such as patients.scored.csv for patients.csv.
    """
    if data is None:
        raise CloudFailed("DATA= is required: `make score DATA=patients.csv`")
    path = result_path(data, out)
    uploaded = uploading.on_terminal(stack, data, console, SCORE)
    arn = executions.started_by(stack, uploaded, SCORE)
    try:
        outcome = follow(stack, arn, console)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"Interrupted. The local cloud continues to score {data.name}; the result will be in "
            f"the console, and in s3://{stack.outputs.raw_bucket}/{OUT}{name_of(arn)}/."
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
        f"[bold]{escape(str(path))}[/] has every row of {escape(data.name)}, with the columns "
        f"{escape(', '.join(summary.columns))}."
    )
    console.print(
        f"Execution {summary.execution} took {outcome.seconds:.1f} s, "
        f"{summary.rows / max(outcome.seconds, 0.1):,.0f} rows per second."
    )
    console.print(escape(summary.disclaimer))


def result_path(data: Path, out: Path | None) -> Path:
    """Return the path of the result; raises CloudFailed if it cannot be written there."""
    if not uploading.size_of(data):
        raise CloudFailed(f"{data} is empty: there is nothing to score")
    kind = format_of(data)
    name = result_name(data.name, kind)
    path = out or data.with_name(name)
    check_writable(path, name)
    if path.exists() and path.samefile(data):
        raise CloudFailed(f"OUT={path} is the input file; choose another name")
    if format_told(path.name) not in {kind, None}:
        raise CloudFailed(
            f"OUT={path} must end in .{kind}: the result has the same format as {data.name}"
        )
    return path


def result_name(name: str, kind: str) -> str:
    """Return the name of a file's result: patients.scored.csv for patients.csv.

    A suffix of another format is corrected; a suffix of no format is kept.
    """
    told = format_told(name)
    end = name[-len(told) - 1 :] if told else Path(name).suffix
    stem = name.removesuffix(end) if end else name
    return f"{stem}.scored{end if told == kind or (not told and kind == 'csv') else f'.{kind}'}"


def format_of(data: Path) -> str:
    """Detect a file's format from its first bytes, as the state machine does."""
    with data.open("rb") as file:
        beginning = file.read(max(map(len, BEGINNINGS)))
    return next(
        (kind for bytes_, kind in BEGINNINGS.items() if beginning.startswith(bytes_)), "csv"
    )


def format_told(name: str) -> str | None:
    """Return the format that a file's suffix claims, in upper or lower case; None if none."""
    return next((one for one in FORMATS if name.lower().endswith(f".{one}")), None)


@dataclass(frozen=True)
class Far:
    """The progress of an execution.

    parts: their number; None until the file is split. rows: in the parts that are done.
    seconds: since the file was split.
    """

    done: int = 0
    parts: int | None = None
    rows: int = 0
    seconds: float = 0.0

    @property
    def rows_a_second(self) -> float | None:
        return self.rows / self.seconds if self.rows and self.seconds else None


class Watch:
    """Watches the progress of an execution, from the parts that it has written so far.

    Its history has the same for an inline Map, but little for a distributed one.
    """

    def __init__(self, stack: Stack, arn: str) -> None:
        self._stack = stack
        self._arn = arn
        self._split: Split | None = None

    def look(self, now: float) -> Far:
        """Return the progress; now: the time in seconds, or when the execution ended."""
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
    """How a file was split: the first row of each part, and the time in seconds."""

    first_rows: tuple[int, ...]
    ended: float


def split_of(history: Iterable[dict[str, Any]]) -> Split | None:
    """Find in a history how the file was split, by its first task; None while that is running."""
    for event in history:
        if event["type"] == "TaskSucceeded":
            answer = json.loads(event["taskSucceededEventDetails"]["output"])["Payload"]
            rows = tuple(part["first_row"] for part in answer.get("parts") or ())
            return Split(rows, event["timestamp"].timestamp())
    return None


def rows_in(first_rows: Sequence[int], number: int) -> int:
    """Return the number of rows in a part; the last part is assumed to have the mean number."""
    if number + 1 < len(first_rows):
        return first_rows[number + 1] - first_rows[number]
    others = len(first_rows) - 1
    return (first_rows[-1] - first_rows[0]) // others if others else 0


def part_numbers(stack: Stack, execution: str) -> Iterator[int]:
    """Yield the numbers of the parts that an execution has written."""
    pages = stack.s3.get_paginator("list_objects_v2").paginate(
        Bucket=stack.outputs.raw_bucket, Prefix=f"{OUT}{execution}/part-"
    )
    for page in pages:
        for one in page.get("Contents", []):
            if found := PART.search(one["Key"]):
                yield int(found[1])


def name_of(arn: str) -> str:
    """Return the name of an execution, which is the folder of its parts."""
    return arn.rsplit(":", 1)[-1]


def follow(stack: Stack, arn: str, console: Console) -> Outcome:
    """Show the progress of an execution while it runs, and return how it ended."""
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
    """Describe the progress of an execution, and its speed."""
    speed = far.rows_a_second
    return f"{parts_told(far)}, {speed:,.0f} rows per second" if speed else parts_told(far)


def parts_told(far: Far) -> str:
    return f"{far.done:,} of {far.parts:,} {'part' if far.parts == 1 else 'parts'}"


def arn_of(stack: Stack, execution: str) -> str:
    """Return the ARN of an execution by its name."""
    return f"{SCORE.arn(stack).replace(':stateMachine:', ':execution:')}:{execution}"


def summary_of(stack: Stack, written: dict[str, str]) -> Summary:
    """Read an execution's summary; written: its key and digest, from the execution's output."""
    found = stack.s3.get_object(Bucket=stack.outputs.raw_bucket, Key=written["key"])
    body = found["Body"].read()
    if hashlib.sha256(body).hexdigest() != written["sha256"]:
        raise CloudFailed(f"{written['key']} does not match its digest: score the file again")
    return Summary.model_validate_json(body, extra="ignore")


def write(stack: Stack, summary: Summary, path: Path, console: Console) -> None:
    """Write the result to a file, completely or not at all."""
    columns = (TextColumn("Fetching"), BarColumn(), TextColumn("{task.percentage:.0f}%"))
    try:
        with (
            beside(path) as new,
            new.open("xb") as file,
            Progress(
                *columns, console=console, transient=True, disable=not console.is_terminal
            ) as progress,
        ):
            task = progress.add_task("", total=sum(part.bytes for part in summary.parts))
            for piece in joined(stack, summary):
                file.write(piece)
                progress.advance(task, len(piece))
            file.close()  # here, because a full disk may be reported only now
            new.replace(path)
    except OSError as error:
        raise CloudFailed(f"{path} cannot be written: {error.strerror or error}") from error


def joined(stack: Stack, summary: Summary) -> Iterator[bytes]:
    """Yield the whole result in pieces; raises CloudFailed if a part is damaged.

    Parts of a CSV, gzipped or not, are simply concatenated: only the first has the header.
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
    """Whether parts must be joined row by row: Parquet files cannot be concatenated."""
    return summary.input.format == "parquet" and len(summary.parts) > 1


def joined_parquet(stack: Stack, summary: Summary, folder: Path) -> Path:
    """Join Parquet files into one, with their rows in order."""
    try:
        duckdb = import_module("duckdb")
    except ImportError:
        raise CloudFailed(
            f"joining {len(summary.parts)} Parquet parts requires duckdb, which is not installed; "
            f"the parts are in s3://{stack.outputs.raw_bucket}/{OUT}{summary.execution}/, each a "
            "complete file"
        ) from None
    files = []
    for number, part in enumerate(summary.parts):
        files.append(folder / f"{number:05}.parquet")
        with files[-1].open("wb") as file:
            file.writelines(verified(stack, part))
    whole = folder / "whole.parquet"
    with duckdb.connect() as connection:  # it keeps the order of rows by default
        connection.read_parquet([str(one) for one in files]).write_parquet(str(whole))
    return whole


def verified(stack: Stack, part: Written) -> Iterator[bytes]:
    """Yield a part in pieces; raises CloudFailed if its bytes do not match its digest."""
    body = stack.s3.get_object(Bucket=stack.outputs.raw_bucket, Key=part.key)["Body"]
    digest = hashlib.sha256()
    for piece in body.iter_chunks(CHUNK_BYTES):
        digest.update(piece)
        yield piece
    if digest.hexdigest() != part.sha256:
        raise CloudFailed(
            f"{part.key} does not match its digest in summary.json: score the file again"
        )


def show_summary(summary: Summary, console: Console) -> None:
    """Print the result of scoring a file, in sentences."""
    for sentence in sentences(summary):
        console.print(escape(sentence))
    if summary.problems:
        problems = [one.model_dump() for one in summary.problems]
        console.print(outcomes.violated(problems, "Reasons for refused rows"))
    outcomes.show_notes(list(summary.notes), console)
    if not summary.model_skill.beats_average:
        console.print(f"[bold yellow]{NO_SKILL}[/]")


def sentences(summary: Summary) -> Iterator[str]:
    """Yield sentences on how many rows were scored and refused, by which model, and its skill."""
    refused = f"{summary.refused:,} refused" if summary.refused else "none refused"
    yield f"{summary.rows:,} rows: {summary.scored:,} scored, {refused}."
    if summary.averaged:
        yield (
            f"{summary.averaged:,} scores are means over columns that their rows leave empty; "
            "`averaged_over` names these columns."
        )
    if summary.scores:
        write = f"{{:.{params().target.decimals}f}}".format
        yield (
            f"The scores have a mean of {write(summary.scores.mean)} and range from "
            f"{write(summary.scores.min)} to {write(summary.scores.max)}."
        )
    yield (
        f"Scored by {summary.model_version}: R² {summary.model_skill.r2:.3f} on held-out rows; "
        f"its prediction intervals should contain {summary.coverage:.0%} of outcomes."
    )
