"""Simulate days of synthetic requests and outcomes on the local cloud: `make simulate`.

The days are those before today: the predict function's own handler answers each patient, its log
lines are backdated and put into the API's log, outcomes are uploaded as a file, and the monitor
runs once for each day. This does not work on AWS, where CloudWatch rejects log lines that are older
than two weeks.
"""

import csv
import io
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from clinical.boto3_bucket import Boto3Bucket
from clinical.monitored import MONITORING, Monitored
from clinical.outcomes import GATHERED, RECEIVED
from clinical.params import params
from clinical.registry import Champion, Registry
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from data import generate
from data.shifts import SHIFTS, Patient, Shift
from local import executions, monitoring, uploading
from local.cloud import ROOT, CloudFailed
from local.machines import MONITOR, OUTCOMES
from local.stack import Stack
from local.studies import THE_DRUG_STUDY

PER_DAY = 50
TOLD = 0.3  # the share of patients whose outcome is recorded
OBSERVED_AFTER = (2, 7)  # days
DAILY = 35  # the last days, for each of which the monitor runs
WEEK = 7
SEED = 5  # a typical one: with 4 of 30, detecting a doubled drug takes longer than four weeks
STREAM = "simulated/"  # of the API's log, before the day
FILE = f"{OUTCOMES}simulated.csv"
OF_A_SIMULATION = ("captures/", "monitor/", "retrainings/")  # removed before the next simulation
KEPT = "captures/scored/"  # not removed: from these, files that were really scored are captured
OFFICE_HOURS = (8 * 3600, 18 * 3600)
SHOWN_DAYS = 20  # in the live table


@dataclass(frozen=True)
class Day:
    """A day of the simulation, with its patients and their outcomes."""

    date: datetime
    number: int
    patients: tuple[Patient, ...]
    shifted: bool


@dataclass(frozen=True)
class Simulated:
    """The monitor's results at the end of a day."""

    day: Day
    found: Monitored
    reasons: tuple[str, ...]

    @property
    def retraining(self) -> str:
        """The execution that retrains the model; "" if none was started."""
        return self.found.retraining.execution if self.found.retraining else ""


def simulate(  # noqa: PLR0913, PLR0917 - what is simulated, and how closely it is monitored
    stack: Stack, days: int, shift: str, at: int | None, console: Console, daily: int = DAILY
) -> list[Simulated]:
    """Simulate the days up to yesterday, and print the monitor's results on each.

    shift: what changes from the day `at` on, by its name in SHIFTS; at: by default half-way.
    daily: the number of last days with a daily run of the monitor; before, it runs weekly.
    Raises CloudFailed if that is not possible.
    """
    at = days // 2 if at is None else at
    champion = check(stack, days, shift, at)
    console.print(
        f"{days} days of {PER_DAY} requests each, answered by {champion.version}; from day {at} "
        f"on, {SHIFTS[shift].says}."
        if shift != "none"
        else f"{days} days of {PER_DAY} requests each, answered by {champion.version}."
    )
    with console.status("Removing the previous simulation"):
        forget(stack)
    drawn = list(days_of(days, SHIFTS[shift], at, today()))
    began = time.monotonic()
    with console.status("Answering requests") as status:
        ids = []
        with answering(stack) as answer:
            for day in drawn:
                status.update(f"Answering requests: day {day.number} of {days}")
                ids.append(ask(stack, day, answer))
    requests = sum(map(len, ids))
    console.print(f"Answered {requests:,} requests in {time.monotonic() - began:.0f} s.")
    told = hand_in(stack, drawn, ids, SHIFTS[shift])
    console.print(f"Uploaded {told:,} outcomes as {FILE}.")
    looked_at = [day for day in drawn if is_looked_at(day.number, days, daily)]
    if len(looked_at) < days:
        last = f"the last {daily} days" if daily > 1 else "the last day"
        console.print(f"The monitor runs weekly at first, and daily for {last}.")
    found = list(watch(stack, looked_at, console))
    conclude(found, shift, at, console)
    console.print(f"It took {time.monotonic() - began:.0f} s.")
    return found


def check(stack: Stack, days: int, shift: str, at: int) -> Champion:
    """Return the champion; raises CloudFailed if it cannot be simulated with."""
    if shift not in SHIFTS:
        raise CloudFailed(f"SHIFT={shift} is unknown; use one of {', '.join(SHIFTS)}")
    if not 1 <= days <= params().monitoring.shown_days:
        most = params().monitoring.shown_days
        raise CloudFailed(f"DAYS={days} is not possible; use a number from 1 to {most}")
    if not 1 <= at <= days:
        raise CloudFailed(f"AT={at} is not one of the days from 1 to {days}")
    if stack.study.name:
        raise CloudFailed(
            f"{stack.study.name} cannot be simulated, because its true effects are not known: "
            "`make simulate` works only for the synthetic sample, without STUDY="
        )
    pointer = Registry(Boto3Bucket(stack.s3, stack.outputs.artifacts_bucket)).champion()
    if pointer is None:
        raise CloudFailed("no model has been promoted yet; run `make up` to train one")
    if not learned_from_the_sample(stack, pointer.champion):
        raise CloudFailed(
            f"{pointer.champion.version} was not trained on the synthetic sample, the only data "
            "whose true effects are known: run `make retrain DATA=data/sample.csv` first"
        )
    return pointer.champion


def learned_from_the_sample(stack: Stack, champion: Champion) -> bool:
    """Whether a model was trained on the synthetic sample only."""
    sample = THE_DRUG_STUDY.data()
    if champion.upload is None or champion.upload.outcomes_until or sample is None:
        return False
    found = stack.s3.head_object(
        Bucket=stack.outputs.raw_bucket,
        Key=champion.upload.key,
        VersionId=champion.upload.version_id,
    )
    return found["ETag"] == uploading.tag_of(sample)


def today() -> datetime:
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def is_looked_at(number: int, days: int, daily: int = DAILY) -> bool:
    """Whether the monitor runs at the end of a day; days count from 1."""
    left = days - number
    return left < daily or (left - daily + 1) % WEEK == 0


# ── What is drawn ───────────────────────────────────────────────────────────────────────────────


def days_of(days: int, shift: Shift, at: int, end: datetime) -> Iterator[Day]:
    """Draw the patients of each day: always the same, but a shift leaves some out."""
    chosen = random.Random(SEED)  # noqa: S311 - no secret
    for number in range(1, days + 1):
        shifted = number >= at
        patients: list[Patient] = []
        batch = 0
        while len(patients) < PER_DAY:
            some = generate.patients(PER_DAY, (SEED * 1000 + number) * 1000 + batch)
            patients += [one for one in some if not shifted or shift.comes(one, chosen)]
            batch += 1
        date = end - timedelta(days=days - number + 1)
        yield Day(date, number, tuple(patients[:PER_DAY]), shifted)


def request_of(patient: Patient, number: int) -> Patient:
    """Return the request for a patient; half of them lack what is known after treatment."""
    target = params().target.column
    later = params().roles.known_after_treatment if number % 2 else ()
    return {name: value for name, value in patient.items() if name not in {target, *later}}


def outcome_of(patient: Patient, shift: Shift, draw: random.Random) -> float:
    """Draw the outcome of a patient, within the target's range."""
    came = shift.scores(patient, draw)
    low, high = params().scale
    return float(round(min(max(came, low), high), 1))


# ── What is fed ─────────────────────────────────────────────────────────────────────────────────


@contextmanager
def answering(stack: Stack) -> Iterator[Callable[[Patient], dict[str, Any]]]:
    """Run the predict function in a process of its own, with its environment in the cloud."""
    variables = environment_of(stack)
    with subprocess.Popen(
        [sys.executable, "-m", "local.answering"],
        cwd=ROOT,
        env={**stack.cloud.environment, **variables},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C is for this process, which then ends it
    ) as process:
        asked, answers = process.stdin, process.stdout
        if asked is None or answers is None:
            raise CloudFailed("the predict function's process has no pipe")

        def answer(body: Patient) -> dict[str, Any]:
            print(json.dumps(body), file=asked, flush=True)
            line = answers.readline()
            if not line:
                raise CloudFailed(
                    "the predict function's process ended without a response; see above"
                )
            answered: dict[str, Any] = json.loads(line)
            if answered["status"] != 200:  # noqa: PLR2004
                raise CloudFailed(f"the predict function returned {answered['body']}")
            return answered

        try:
            yield answer
        finally:
            process.kill()


def environment_of(stack: Stack) -> dict[str, str]:
    """Read the predict function's environment from the deployed stack."""
    lambdas = stack.client("lambda")
    pages = lambdas.get_paginator("list_functions").paginate()
    (function,) = [
        one
        for page in pages
        for one in page["Functions"]
        if one["FunctionName"].startswith(f"{stack.name}-PredictFunction")
    ]
    variables: dict[str, str] = function["Environment"]["Variables"]
    return variables


def ask(stack: Stack, day: Day, answer: Callable[[Patient], dict[str, Any]]) -> list[str]:
    """Predict a day's patients, and put the log lines into the API's log with that date."""
    draw = random.Random(f"{SEED}-{day.number}")  # noqa: S311 - no secret
    seconds = sorted(draw.uniform(*OFFICE_HOURS) for _ in day.patients)
    ids: list[str] = []
    lines: list[tuple[int, str]] = []
    for number, (patient, after) in enumerate(zip(day.patients, seconds, strict=True)):
        answered = answer(request_of(patient, number))
        ids.append(answered["body"]["prediction_id"])
        when = day.date + timedelta(seconds=after)
        lines += dated(answered["logged"], int(when.timestamp() * 1000))
    stream, group = f"{STREAM}{day.date:%Y-%m-%d}", log_group(stack)
    stack.logs.create_log_stream(logGroupName=group, logStreamName=stream)
    stack.logs.put_log_events(
        logGroupName=group,
        logStreamName=stream,
        logEvents=[{"timestamp": when, "message": line} for when, line in lines],
    )
    return ids


def dated(lines: Sequence[str], when: int) -> Iterator[tuple[int, str]]:
    """Backdate log lines; when: milliseconds since 1970."""
    for line in lines:
        said = json.loads(line)
        if "_aws" in said:
            said["_aws"]["Timestamp"] = when
        yield when, json.dumps(said)


def log_group(stack: Stack) -> str:
    """Find the API's log group."""
    described = stack.client("cloudformation").describe_stack_resource(
        StackName=stack.name, LogicalResourceId="ApiLogGroup"
    )
    name: str = described["StackResourceDetail"]["PhysicalResourceId"]
    return name


def hand_in(stack: Stack, drawn: Sequence[Day], ids: Sequence[list[str]], shift: Shift) -> int:
    """Upload the outcomes of some patients by the last day; returns their number."""
    draw = random.Random(f"{SEED}-outcomes")  # noqa: S311 - no secret
    last = drawn[-1].date
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(("prediction_id", params().target.column, "observed_at"))
    told = 0
    for day, of_day in zip(drawn, ids, strict=True):
        for patient, prediction_id in zip(day.patients, of_day, strict=True):
            observed = day.date + timedelta(days=draw.randint(*OBSERVED_AFTER))
            came = outcome_of(patient, shift if day.shifted else SHIFTS["none"], draw)
            if draw.random() < TOLD and observed <= last:
                writer.writerow((prediction_id, came, f"{observed:%Y-%m-%d}"))
                told += 1
    stack.s3.put_object(Bucket=stack.outputs.raw_bucket, Key=FILE, Body=buffer.getvalue().encode())
    return told


def forget(stack: Stack) -> None:
    """Remove the previous simulation; real requests are captured again."""
    group, raw, artefacts = (
        log_group(stack),
        stack.outputs.raw_bucket,
        stack.outputs.artifacts_bucket,
    )
    pages = stack.logs.get_paginator("describe_log_streams").paginate(
        logGroupName=group, logStreamNamePrefix=STREAM
    )
    for stream in [one["logStreamName"] for page in pages for one in page["logStreams"]]:
        stack.logs.delete_log_stream(logGroupName=group, logStreamName=stream)
    stack.s3.delete_object(Bucket=raw, Key=FILE)
    for key in keys(stack, artefacts, *OF_A_SIMULATION):
        if not key.startswith(KEPT):
            stack.s3.delete_object(Bucket=artefacts, Key=key)
    for key in keys(stack, artefacts, "models/v-"):
        if key.endswith(f"/{MONITORING}"):
            stack.s3.delete_object(Bucket=artefacts, Key=key)
    stack.s3.delete_object(Bucket=artefacts, Key=GATHERED)  # it is written again from what is left
    for key in keys(stack, artefacts, RECEIVED):
        body = stack.s3.get_object(Bucket=artefacts, Key=key)["Body"].read()
        if json.loads(body.partition(b"\n")[0])["told_by"] == FILE:
            stack.s3.delete_object(Bucket=artefacts, Key=key)


def keys(stack: Stack, bucket: str, *prefixes: str) -> list[str]:
    pages = stack.s3.get_paginator("list_objects_v2")
    return [
        one["Key"]
        for prefix in prefixes
        for page in pages.paginate(Bucket=bucket, Prefix=prefix)
        for one in page.get("Contents", [])
    ]


# ── What is seen ────────────────────────────────────────────────────────────────────────────────


def watch(stack: Stack, days: Sequence[Day], console: Console) -> Iterator[Simulated]:
    """Run the monitor at the end of each day, in order, and show the results so far."""
    seen: list[Simulated] = []
    with Live(console=console, refresh_per_second=4, transient=True) as live:
        for day in days:
            asked = {"until": f"{day.date:%Y-%m-%d}"}  # up to its end
            arn = executions.start(stack, asked, machine=MONITOR)
            while (outcome := executions.outcome_of(stack, arn)) is None:
                time.sleep(executions.POLL_SECONDS)
            found = monitoring.found_by(stack, outcome)
            if found is None:
                raise CloudFailed(
                    f"the model was withdrawn during the simulation: {outcome.output['reason']}"
                )
            seen.append(Simulated(day, found, tuple(outcome.output["reasons"])))
            live.update(table(seen[-SHOWN_DAYS:]))
            yield seen[-1]
    console.print(table(seen))


def table(seen: Sequence[Simulated]) -> Table:
    """Draw the monitor's results, one day per line."""
    drawn = Table(
        title="Monitoring results", title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0)
    )
    for heading in ("day", "date", "requests", "p, drift", "outcomes", "RMSE", "baseline"):
        drawn.add_column(heading, justify="right", no_wrap=True)
    drawn.add_column("alarm", no_wrap=True)
    for one in seen:
        drift, outcomes = one.found.drift, one.found.outcomes
        alarms = (("drifted", drift.drifted), ("degraded", outcomes.degraded))
        drawn.add_row(
            f"{one.day.number}",
            f"{one.day.date:%Y-%m-%d}",
            f"{drift.requests:,}",
            "too few" if drift.p_value is None else f"{drift.p_value:.4f}",
            f"{outcomes.outcomes:,}",
            f"{outcomes.rmse.value:.3f}" if outcomes.rmse else "",
            f"{outcomes.average_rmse.value:.3f}" if outcomes.average_rmse else "",
            "\n".join(f"[bold red]{name}[/]" for name, off in alarms if off),
        )
    return drawn


def conclude(seen: Sequence[Simulated], shift: str, at: int, console: Console) -> None:
    """Print which alarms went off, first on which day, and why."""
    kinds: dict[str, Callable[[Simulated], bool]] = {
        "Drifted": lambda one: one.found.drift.drifted,
        "Degraded": lambda one: one.found.outcomes.degraded,
    }
    for name, is_off in kinds.items():
        off = [one for one in seen if is_off(one)]
        if not off:
            console.print(f"The alarm {name} did not go off.")
            continue
        first = off[0]
        says = first.found.drift.says if name == "Drifted" else first.found.outcomes.says
        since = first.day.number - at
        after = f", {since} days after the change" if shift != "none" and since >= 0 else ""
        console.print(
            f"The alarm [bold red]{name}[/] first went off on day {first.day.number} "
            f"({first.day.date:%Y-%m-%d}){after}, and in {len(off)} of {len(seen)} runs in total. "
            f"{escape(says)}"
        )
    for one in seen:
        if one.retraining and one.found.retraining:
            console.print(f"Day {one.day.number}: {escape(one.found.retraining.says)}")
