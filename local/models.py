"""Show the registry on the terminal: versions, verdicts, and the ledger of promotions."""

import getpass
import platform

from clinical.boto3_bucket import Boto3Bucket
from clinical.kinds import Value
from clinical.params import params
from clinical.reference import example_request, read_reference
from clinical.registry import Champion, Registry
from clinical.verdict import Estimate, Verdict
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from local.cloud import CloudFailed
from local.stack import Stack

SHOWN_PROMOTIONS = 10
NO_SKILL = (
    "This model does not beat a baseline that always predicts the average. Do not read differences "
    "between its scores as differences between patients."
)


def operator() -> str:
    """Return this machine's user, for the ledger."""
    return f"{getpass.getuser()}@{platform.node()}"


def recorded_patient(stack: Stack) -> dict[str, Value]:
    """Return a patient of the champion's data, as a request; raises CloudFailed if none serves."""
    bucket = Boto3Bucket(stack.s3, stack.outputs.artifacts_bucket)
    pointer = Registry(bucket).champion()
    if pointer is None:
        raise CloudFailed("no model has been promoted yet; run `make retrain` to train one")
    return example_request(read_reference(bucket, pointer.champion.reference), params())


def show_verdict(verdict: Verdict, console: Console) -> None:
    """Print a verdict: its figures and its sentences."""
    table = Table(box=SIMPLE_HEAD)
    table.add_column(f"{verdict.rows:,} held-out rows\n{verdict.confidence:.0%} intervals")
    for heading in ("RMSE", "MAE", "R²"):
        table.add_column(heading)
    rows = {"candidate": verdict.candidate, "average baseline": verdict.average}
    if verdict.champion and verdict.champion.scores:
        rows[f"{verdict.champion.version}, on {verdict.champion.rows} of these rows"] = (
            verdict.champion.scores
        )
    replay = verdict.replay
    if replay and replay.candidate_scores and replay.champion_scores:
        rows[f"candidate, on {replay.outcomes:,} outcomes"] = replay.candidate_scores
        rows[f"{replay.champion}, on the same outcomes"] = replay.champion_scores
    for name, scores in rows.items():
        table.add_row(name, _shown(scores.rmse), _shown(scores.mae), _shown(scores.r2))
    console.print(table)
    for reason in verdict.reasons:
        console.print(f"• {reason}")
    if not verdict.beats_average:
        console.print(f"[bold yellow]{NO_SKILL}[/]")


def show(stack: Stack, console: Console) -> None:
    """Print every published version, and the last promotions."""
    registry = Registry(Boto3Bucket(stack.s3, stack.outputs.artifacts_bucket))
    pointer = registry.champion()
    if pointer is None:
        console.print("No model has been promoted yet. Run `make retrain` to train one.")
        return
    champion = pointer.champion
    table = Table(title="Models", title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    for heading in ("version", "published (UTC)", "verdict", "RMSE", "R²", "skill", "alias"):
        table.add_column(heading)
    versions = list(registry.versions())
    for version in versions:
        verdict = version.verdict
        table.add_row(
            version.version,
            f"{version.published_at:%Y-%m-%d %H:%M}",
            verdict.decision.replace("_", " "),
            f"{verdict.candidate.rmse.value:.3f}",
            f"{verdict.candidate.r2.value:.3f}",
            f"{verdict.skill.value:.3f}",
            alias(version.version, champion, versions[0].version),
        )
    console.print(table)
    console.print("[bold]Last promotions[/]")
    for entry in registry.ledger(champion, SHOWN_PROMOTIONS):
        console.print(
            f"  {entry.sequence:>4}  {entry.promoted_at:%Y-%m-%d %H:%M}  [bold]{entry.version}[/]  "
            f"{escape(entry.promotion.who)}\n        {escape(entry.promotion.why)}"
        )
        if approval := entry.promotion.approval:
            console.print(f"        It {escape(approval.in_words)}.")


def alias(version: str, champion: Champion, newest: str) -> str:
    """Return a version's alias: champion, withdrawn, challenger (the newest other one), or ""."""
    if version == champion.version:
        return "champion"
    if version in champion.withdrawn:
        return "withdrawn"
    return "challenger" if version == newest else ""


def _shown(estimate: Estimate) -> str:
    return f"{estimate.value:.3f}\n[dim]{estimate.low:.3f} to {estimate.high:.3f}[/]"
