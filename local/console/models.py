"""The page Models: versions, their verdicts and the ledger; promotes and rolls back."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from clinical.boto3_bucket import Boto3Bucket
from clinical.registry import Promotion, Registry
from nicegui import ui

from local import executions
from local.console import checks
from local.console.tables import columns
from local.models import SHOWN_PROMOTIONS, alias, operator
from local.stack import Stack

VERSIONS = (
    "version",
    "alias",
    "published (UTC)",
    "verdict",
    "RMSE",
    "average baseline",
    "R²",
    "coverage",
)
SHOWN_VERDICTS = 4
LEDGER = ("promotion", "when (UTC)", "version", "by", "reason", "approval")


def page(stack: Stack) -> Callable[[], Awaitable[None]]:
    """Build the page, and return the function that refreshes it."""
    shown: dict[str, Any] = {}
    checks.add_style()

    async def promote(version: str | None) -> None:
        if not version:
            ui.notify("Choose a version first.", type="warning")
            return
        asked = {
            "promote": version,
            "reason": reason.value or "Promoted manually.",
            "who": operator(),
        }
        await asyncio.to_thread(executions.start, stack, asked)
        ui.notify("Promotion started; see Executions.")

    ui.label("Models").classes("text-lg font-semibold")
    versions = table(VERSIONS, "version")
    with ui.row().classes("items-center gap-3"):
        chosen = ui.select([], label="Version").classes("w-40").props("outlined dense")
        reason = (
            ui.input("Reason, for the ledger").classes("w-96 max-w-full").props("outlined dense")
        )
        ui.button("Promote", on_click=lambda: promote(chosen.value)).props("no-caps")
        ui.button(
            "Roll back to the previous version", on_click=lambda: promote("previous"), color=None
        ).props("no-caps outline")
    ui.label("Verdicts").classes("text-lg font-semibold")
    verdicts = ui.row().classes("w-full items-stretch gap-4")
    ui.label("Ledger").classes("text-lg font-semibold")
    ledger = table(LEDGER, "promotion")

    async def refresh() -> None:
        told = await asyncio.to_thread(registry_of, stack)
        if told == shown.get("told"):
            return
        cards = await asyncio.to_thread(cards_of, stack, list(told["reasons"]))
        shown["told"] = told
        chosen.set_options([one["version"] for one in told["versions"]])
        versions.rows, ledger.rows = told["versions"], told["ledger"]
        verdicts.clear()
        with verdicts:
            for version, reasons in told["reasons"].items():
                with ui.card().classes("w-96 max-w-full"):
                    ui.label(version).classes("font-semibold")
                    for sentence in reasons:
                        ui.label(f"• {sentence}").classes("text-sm")
                    checks.Checks(cards[version])

    return refresh


def table(headings: tuple[str, ...], key: str) -> ui.table:
    made = ui.table(columns=columns({one: one for one in headings}), rows=[], row_key=key)
    return made.classes("w-full").props("flat bordered wrap-cells")


def registry_of(stack: Stack) -> dict[str, Any]:
    """Read every version and the last promotions, as rows."""
    registry = Registry(Boto3Bucket(stack.s3, stack.outputs.artifacts_bucket))
    pointer = registry.champion()
    if pointer is None:
        return {"versions": [], "ledger": [], "reasons": {}}
    champion = pointer.champion
    versions = list(registry.versions())
    return {
        "versions": [
            {
                "version": one.version,
                "alias": alias(one.version, champion, versions[0].version),
                "published (UTC)": f"{one.published_at:%Y-%m-%d %H:%M}",
                "verdict": one.verdict.decision.replace("_", " "),
                "RMSE": f"{one.verdict.candidate.rmse.value:.3f}",
                "average baseline": f"{one.verdict.average.rmse.value:.3f}",
                "R²": f"{one.verdict.candidate.r2.value:.3f}",
                "coverage": f"{one.verdict.coverage.measured:.1%}",
            }
            for one in versions
        ],
        "ledger": [
            {
                "promotion": entry.sequence,
                "when (UTC)": f"{entry.promoted_at:%Y-%m-%d %H:%M:%S}",
                "version": entry.version,
                "by": entry.promotion.who,
                "reason": entry.promotion.why,
                "approval": approval_of(entry.promotion),
            }
            for entry in registry.ledger(champion, SHOWN_PROMOTIONS)
        ],
        "reasons": {one.version: list(one.verdict.reasons) for one in versions[:SHOWN_VERDICTS]},
    }


def approval_of(promotion: Promotion) -> str:
    """Say who approved a promotion, when and why; "" if no approval was required."""
    approval = promotion.approval
    if approval is None:
        return ""
    return f"{approval.who}, {approval.decided_at:%Y-%m-%d %H:%M} UTC: {approval.why}"


def cards_of(stack: Stack, names: list[str]) -> dict[str, dict[str, Any]]:
    """Read the parts of versions' cards that their checks need."""
    bucket = Boto3Bucket(stack.s3, stack.outputs.artifacts_bucket)
    versions = filter(None, map(Registry(bucket).version, names))
    return {one.version: checks.card_of(one, bucket) for one in versions}
