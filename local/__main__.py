"""The commands behind the Makefile: `python -m local up | retrain | score | predict | …`."""

import argparse
import json
import os
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from clinical.params import params
from clinical.verdict import Verdict
from rich.console import Console
from rich.markup import escape

from local import (
    approving,
    controlling,
    executions,
    exporting,
    failures,
    imported,
    interrupts,
    lock,
    models,
    monitoring,
    outcomes,
    report,
    scoring,
    studies,
    uploading,
)
from local.cloud import ROOT, CloudFailed, Start
from local.console.process import ConsoleProcess
from local.emulators import stack_at
from local.executions import Outcome
from local.machines import OUTCOMES, RETRAIN, SCORE
from local.restart import Restart
from local.stack import Stack, folders_in
from local.studies import THE_DRUG_STUDY, study_of

SERVED_SECONDS = 180
SAID: dict[str, bool] = {"true": True, "false": False}  # other values are names or times
OF_THE_EVENTS = "sample"  # the execution whose artefacts events/*.json name, for `sam local invoke`


COMMANDS = (
    "up",
    "retrain",
    "score",
    "predict",
    "monitor",
    "outcomes",
    "simulate",
    "models",
    "report",
    "change-control",
    "export",
    "approvals",
    "approve",
    "reject",
    "rollback",
    "down",
)


class RetrainFailed(CloudFailed):
    """When an execution failed; the champion has not changed."""


def main() -> int:
    """Run one command, and return its exit code; expected failures print a sentence, no trace."""
    imported()
    arguments = _parser().parse_args()
    console = Console(highlight=False, soft_wrap=True)
    home = arguments.home.resolve()
    try:
        interrupts.listen()
        study = study_of(arguments.study)
        if arguments.command == "up":
            study.params()  # reports every mistake before anything is built
            home.mkdir(parents=True, exist_ok=True)
        studies.choose(study)
        stack = stack_at(home, arguments.emulator, arguments.port, study)
        if arguments.command == "up" and not (arguments.data or stack.outputs_file.exists()):
            study.data()  # reports now if there is none
        with lock.held(home, arguments.command):
            _run(arguments, stack, console)
    except KeyboardInterrupt as interrupted:
        interrupts.ignore()  # whoever presses it twice reads this, too
        console.print(f"\n[bold red]✗[/] {escape(str(interrupted) or failures.INTERRUPTED)}")
        return 130
    except CloudFailed as error:
        console.print(f"[bold red]✗[/] {escape(str(error))}")
        return 1
    except failures.UNREACHABLE as error:
        console.print(f"[bold red]✗[/] {escape(failures.told(error, home))}")
        return 1
    finally:
        interrupts.leave_to_the_system()  # what is left is to exit
    return 0


def _run(arguments: argparse.Namespace, stack: Stack, console: Console) -> None:
    match arguments.command:
        case "up":
            up(stack, arguments.data, arguments.console_port, console, arguments.retrain_after)
        case "retrain":
            retrain(stack, arguments.data, console, tune=arguments.tune, told=arguments.outcomes)
        case "score":
            scoring.score(stack, arguments.data, arguments.out, console)
        case "predict":
            show_prediction(stack, console)
        case "down":
            down(stack, console)
        case "models" | "report" | "change-control" | "export":
            _tell(arguments, stack, console)
        case "approvals" | "approve" | "reject" | "rollback":
            _decide(arguments, stack, console)
        case _:
            _watch(arguments, stack, console)


def _tell(arguments: argparse.Namespace, stack: Stack, console: Console) -> None:
    """Run a command that reports on the models and changes nothing."""
    match arguments.command:
        case "models":
            models.show(stack, console)
        case "report":
            report.write(stack, arguments.out, console)
        case "change-control":
            controlling.write(stack, arguments.out, console)
        case "export":
            exporting.export(stack, arguments.version, arguments.out, console)


def _decide(arguments: argparse.Namespace, stack: Stack, console: Console) -> None:
    """Run a command by which somebody decides which model serves."""
    match arguments.command:
        case "approvals":
            approving.show(stack, console)
        case "approve":
            decide(stack, arguments.execution, "approved", arguments.reason, console)
        case "reject":
            decide(stack, arguments.execution, "rejected", arguments.reason, console)
        case "rollback":
            rollback(stack, arguments.version, arguments.reason, console)


def _watch(arguments: argparse.Namespace, stack: Stack, console: Console) -> None:
    """Run a command about monitoring the champion."""
    match arguments.command:
        case "monitor":
            monitoring.monitor(stack, arguments.until, console)
        case "outcomes":
            from local import recorded  # noqa: PLC0415 - NumPy, which few commands need

            recorded.outcomes(stack, arguments.data, arguments.out, console)
        case "simulate":
            from local import simulating  # noqa: PLC0415 - likewise

            simulating.simulate(stack, arguments.days, arguments.shift, arguments.at, console)


def up(
    stack: Stack,
    data: Path | None,
    console_port: int,
    console: Console,
    retrain_after: int | None = None,
) -> None:
    """Start everything, train on the data set, and make one prediction through the API.

    console_port: the console's port; 0 for the port after the cloud's.
    retrain_after: the number of new outcomes from which an alarm starts a retraining; None leaves
    the setting unchanged.
    """
    if retrain_after is not None and retrain_after < 0:
        raise CloudFailed(
            f"RETRAIN_AFTER={retrain_after} is negative; use 0 to switch automatic retraining off"
        )
    began = time.monotonic()
    stack.folder.mkdir(parents=True, exist_ok=True)
    in_browser = ConsoleProcess(
        stack.folder,
        console_port or stack.cloud.port + stack.study.number,
        stack.cloud.home,
        stack.study.told,
    )
    in_browser.check_port()
    with console.status("Starting the local cloud"):
        came_up = stack.cloud.start(lambda start: note(start, stack))
    _done(console, "Local cloud", "started" if came_up.fresh else "already up", began)
    for name in came_up.unreadable:
        _warn(console, f"The saved state {name} is damaged, so the previous one was used.")
    if came_up.crashed:
        _warn(console, "The local cloud had been killed; it continues from its last saved state.")
    given = {} if retrain_after is None else {"RetrainAfterOutcomes": f"{retrain_after}"}
    was_deployed = stack.is_deployed(**given)
    if was_deployed:
        _done(console, "Stack", "up to date", began)
    else:
        with console.status("Building functions and layers (sam build)"):
            stack.build()
        _done(console, "Build", "sam build", began)
        with console.status("Deploying the stack (sam deploy)"):
            stack.deploy(**given)
        _done(console, "Stack", "sam deploy", began)
    stack.publish_site()
    _done(console, "Site", "published", began)
    carry_on(stack, console)
    waits = made(stack, data, console, began, was_deployed=was_deployed)
    started = in_browser.start()
    _done(console, "Console", "started" if started else "already up", began)
    if not waits or is_healthy(stack):
        show_prediction(stack, console)
    show_places(stack, in_browser, console)
    console.print(f"Ready in {time.monotonic() - began:.0f} s. `make down` stops it.")


def made(
    stack: Stack, data: Path | None, console: Console, began: float, *, was_deployed: bool
) -> bool:
    """Train unless a model serves or waits for approval; return whether one waits."""
    fresh = executions.to_upload(stack, data)
    if was_deployed and not fresh:
        waits = bool(approving.waiting(stack))
        if waits or is_healthy(stack):
            _done(console, "Model", "waiting" if waits else "serving", began)
            if waits:
                approving.show(stack, console)
            return waits
    try:
        retrain(stack, fresh, console)
    except RetrainFailed as failed:
        if not is_healthy(stack):
            raise
        _warn(console, str(failed))
    waits = bool(approving.waiting(stack))
    if fresh == THE_DRUG_STUDY.data() and not waits:
        executions.start_once(stack, {}, OF_THE_EVENTS)
    return waits


def note(start: Start, stack: Stack) -> None:
    """Note that the cloud starts, for this stack and all others of it."""
    before = time.time()
    for folder in {stack.folder, *folders_in(stack.cloud.home)}:
        Restart(folder).note(start, before)


def carry_on(stack: Stack, console: Console) -> None:
    """Restart executions that the cloud's end interrupted, each once, and print which."""
    restart = Restart(stack.folder)
    if not restart.is_open:
        return
    for one in executions.interrupted(stack, restart.since, crashed=restart.crashed):
        asked = one.asked
        arn = executions.start_once(stack, asked, one.name, one.machine) if asked else None
        if arn or one.asked is None:
            _warn(console, one.told)
        if arn and one.machine is RETRAIN:  # scored files appear in the console when they are done
            try:
                show_outcome(stack, executions.follow(stack, arn, console), console)
            except RetrainFailed as failed:
                _warn(console, str(failed))
    restart.close()


def retrain(
    stack: Stack,
    data: Path | None,
    console: Console,
    tune: str | None = None,
    told: str | None = None,
) -> None:
    """Start an execution, by uploading a data set or on the newest one, and follow it.

    tune: the grid of params.yaml to choose hyperparameters from, "true" for its default.
    told: train also on outcomes that were observed up to this time; "true" for now, "false" for
    no outcomes.
    """
    if data and tune:
        raise CloudFailed(
            "DATA= and TUNE= cannot be combined, because an upload starts a run without tuning: "
            "retrain with DATA= first, then with TUNE="
        )
    if data and told:
        raise CloudFailed(
            "DATA= and OUTCOMES= cannot be combined, because an upload starts a run of its own and "
            "counts as having every known outcome: retrain with DATA= first, then with OUTCOMES="
        )
    if data:
        arn = executions.started_by(stack, uploading.on_terminal(stack, data, console))
    else:
        given = {"tune": tune, "outcomes": told}
        asked = {name: SAID.get(value, value) for name, value in given.items() if value}
        arn = executions.start(stack, {**asked, "who": models.operator()})
    show_outcome(stack, executions.follow(stack, arn, console), console)


def decide(
    stack: Stack,
    execution: str | None,
    decision: approving.Decision,
    reason: str | None,
    console: Console,
) -> None:
    """Approve or reject a candidate that is waiting, and follow its execution to the end.

    execution: None if only one is waiting.
    """
    why = approving.reason(reason or "")  # checked before anything else
    decided = approving.decide(stack, execution or approving.only(stack), decision, why)
    console.print(f"{decided.version} was {decision} by {escape(models.operator())}.")
    show_outcome(stack, executions.follow(stack, decided.arn, console), console)


def rollback(stack: Stack, version: str | None, reason: str | None, console: Console) -> None:
    """Promote a published version again, by default the one before the champion."""
    asked = {
        "promote": version or "previous",
        "reason": reason or "Rolled back manually.",
        "who": models.operator(),
    }
    outcome = executions.follow(stack, executions.start(stack, asked), console)
    if not outcome.succeeded:
        raise CloudFailed(f"{outcome.error}: {outcome.cause}. The champion stays.")
    console.print(f"[bold]{escape(_decision(outcome))}[/]")
    console.print(f"Warm functions serve it within {params().serving.refresh_seconds:g} s.")


def down(stack: Stack, console: Console) -> None:
    for folder in folders_in(stack.cloud.home):
        ConsoleProcess.of(folder).stop()
    stopped = stack.cloud.stop()
    console.print("Stopped." if stopped else stack.cloud.not_stopped)


def show_outcome(stack: Stack, outcome: Outcome, console: Console) -> None:
    """Print the outcome of an execution; raises RetrainFailed if it failed."""
    if outcome.waiting:
        approving.show_waiting(stack, outcome.waiting, console)
        approving.show_places(stack, console)
        return
    if not outcome.succeeded:
        outcomes.show_rejection(outcome, console)
        raise RetrainFailed(f"{outcome.error or outcome.status}; the champion stays")
    console.print(f"[bold]{escape(_decision(outcome))}[/]")
    if verdict := outcome.output.get("verdict"):
        models.show_verdict(Verdict.model_validate(verdict), console)
    outcomes.show_notes(outcome.output.get("notes"), console)
    console.print(f"Execution {outcome.arn.rsplit(':', 1)[-1]} took {outcome.seconds:.1f} s.")


def show_prediction(stack: Stack, console: Console) -> None:
    """Post a recorded patient to the deployed API, and print the request and the response."""
    patient = models.recorded_patient(stack)
    answer = _served(stack, patient)
    url = f"{stack.outputs.api_url}/predict"
    console.print(f"[bold]POST {url}[/]\n{json.dumps(patient)}\n")
    console.print(f"{json.dumps(answer, indent=1)}\n")


def show_places(stack: Stack, in_browser: ConsoleProcess, console: Console) -> None:
    """Print the address of everything."""
    outputs = stack.outputs
    for name, place in (
        ("Site", outputs.site_url),
        ("API", outputs.api_url),
        ("Console", in_browser.url),
        ("Documentation", f"{outputs.api_url}/docs"),
        ("State machine", outputs.state_machine_arn),
        ("Monitor", outputs.monitor_state_machine_arn),
        ("Uploads", f"s3://{outputs.raw_bucket}/raw/"),
        ("Files to score", f"s3://{outputs.raw_bucket}/{SCORE.folder}"),
        ("Outcomes", f"s3://{outputs.raw_bucket}/{OUTCOMES}"),
        ("Artefacts", f"s3://{outputs.artifacts_bucket}/"),
        ("AWS endpoint", outputs.endpoint_url),
        ("Log", stack.cloud.logged_at),
    ):
        console.print(f"[bold]{name:<15}[/]{place}")


def is_healthy(stack: Stack) -> bool:
    """Whether the API serves a model."""
    try:
        with urllib.request.urlopen(f"{stack.outputs.api_url}/health", timeout=120):  # noqa: S310
            return True
    except urllib.error.HTTPError:
        return False


def _served(stack: Stack, patient: dict[str, Any]) -> dict[str, Any]:
    """Call the API, which serves a new champion within `serving.refresh_seconds`."""
    request = urllib.request.Request(  # noqa: S310 - the local API
        f"{stack.outputs.api_url}/predict",
        data=json.dumps(patient).encode(),
        headers={"Content-Type": "application/json"},
    )
    deadline = time.monotonic() + SERVED_SECONDS
    while True:
        try:
            with urllib.request.urlopen(request, timeout=120) as response:  # noqa: S310
                answer: dict[str, Any] = json.load(response)
                return answer
        except urllib.error.HTTPError as error:
            problem = error.read().decode()
            if error.code != 503 or time.monotonic() > deadline:  # noqa: PLR2004
                raise CloudFailed(f"the API returned {error.code}: {problem}") from error
        except urllib.error.URLError as error:
            raise CloudFailed(f"cannot reach the API: {error.reason}") from error
        time.sleep(0.5)


def _decision(outcome: Outcome) -> str:
    output = outcome.output
    match output["decision"]:
        case "promoted" | "promoted_with_warning":
            warned = " with a warning" if output["decision"] != "promoted" else ""
            before = f" and replaces {output['previous']}" if output["previous"] else ""
            return f"{output['version']} was promoted{warned}{before}"
        case "already_champion":
            return f"{output['version']} is already the champion; nothing was promoted"
        case "withheld":
            version = output["version"]
            return (
                f"{version} was withheld; the champion stays. `make rollback VERSION={version}` "
                "promotes it"
            )
        case "rejected":
            return "The candidate was rejected; the champion stays"
        case _:
            return f"Nothing was promoted: {output['reason']}"


def _done(console: Console, what: str, how: str, began: float) -> None:
    console.print(f"[green]✓[/] {what:<12} {how:<12} [dim]{time.monotonic() - began:6.1f} s[/]")


def _warn(console: Console, what: str) -> None:
    console.print(f"[bold yellow]![/] {escape(what)}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    parser.add_argument(
        "command",
        choices=COMMANDS,
    )
    parser.add_argument("--data", type=Path, default=os.environ.get("DATA") or None)
    parser.add_argument("--tune", default=os.environ.get("TUNE") or None)
    after = os.environ.get("RETRAIN_AFTER")
    parser.add_argument("--retrain-after", type=int, default=int(after) if after else None)
    parser.add_argument("--outcomes", default=os.environ.get("OUTCOMES") or None)
    parser.add_argument("--version", default=os.environ.get("VERSION") or None)
    parser.add_argument("--execution", default=os.environ.get("EXECUTION") or None)
    parser.add_argument("--reason", default=os.environ.get("REASON") or None)
    parser.add_argument("--out", type=Path, default=os.environ.get("OUT") or None)
    parser.add_argument("--until", default=os.environ.get("UNTIL") or None)
    parser.add_argument("--days", type=int, default=int(os.environ.get("DAYS") or 60))
    parser.add_argument("--shift", default=os.environ.get("SHIFT") or "none")
    at = os.environ.get("AT")
    parser.add_argument("--at", type=int, default=int(at) if at else None)
    parser.add_argument("--port", type=int, default=int(os.environ.get("PORT") or 0))
    console_port = int(os.environ.get("CONSOLE_PORT") or 0)
    parser.add_argument("--console-port", type=int, default=console_port)
    parser.add_argument("--emulator", default=os.environ.get("EMULATOR") or None)
    parser.add_argument("--study", default=os.environ.get("STUDY") or None)
    parser.add_argument("--home", type=Path, default=ROOT / ".local")
    return parser


if __name__ == "__main__":
    sys.exit(main())
