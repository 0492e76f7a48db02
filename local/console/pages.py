"""The console's pages, and their common frame."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError
from clinical.params import params
from nicegui import ui

from local.cloud import CloudFailed
from local.console import approvals, checks, dashboard, executions, models, monitoring, score
from local.emulators import stack_at
from local.stack import Stack
from local.studies import Study

REFRESH_SECONDS = 2.0
BUILD_SECONDS = 120  # for a page, on a busy machine
PAGES = {
    "/": "Executions",
    "/score": "Score",
    "/dashboard": "Dashboard",
    "/monitoring": "Monitoring",
    "/models": "Models",
    "/approvals": "Approvals",
}
STYLE = """
body { font-family: system-ui, sans-serif; }
.mono { font: 0.75rem/1.4 ui-monospace, monospace; white-space: pre-wrap; word-break: break-word; }
h1 { font-size: 1rem; font-weight: 600; line-height: 1.5; letter-spacing: 0; }
.body--dark :is(.text-negative, .q-field--error) { --q-negative: #ffab87; }
#q-loading-bar { display: none; } /* it has no accessible name, and uploads have their own bar */
/* Charts and diagrams come with the colours of a light page */
.nicegui-echart text { fill: currentColor !important; }
.diagram .flowchart-link { stroke: #808080 !important; stroke-width: 1.5px !important; }
.diagram .cluster rect { fill: transparent !important; }
.diagram :is(.edgeLabel, .edgeLabel *, .cluster-label span) {
  background: transparent !important; color: inherit !important;
}
"""
LANGUAGE = "<script>document.documentElement.lang = 'en'</script>"  # for screen readers

# Makes wide tables scrollable by keyboard
SCROLLED = """<script>
  const reach = () => {
    for (const table of document.querySelectorAll(".q-table__middle"))
      if (table.scrollWidth > table.clientWidth) table.tabIndex = 0;
      else table.removeAttribute("tabindex");
  };
  new MutationObserver(reach).observe(document.body, { childList: true, subtree: true });
  new ResizeObserver(reach).observe(document.body);
</script>"""

type Room = Callable[[Stack], Callable[[], Awaitable[None]]]


def install(home: Path, study: Study) -> None:
    """Create the pages of a study's stack, on the cloud whose state is in home."""
    rooms: dict[str, Room] = {
        "/": lambda stack: executions.Page(stack).refresh,
        "/score": lambda stack: score.Page(stack).refresh,
        "/dashboard": lambda stack: dashboard.Page(stack).refresh,
        "/monitoring": lambda stack: monitoring.Page(stack).refresh,
        "/models": models.page,
        "/approvals": lambda stack: approvals.Page(stack).refresh,
    }
    checks.install()
    score.install(home, study)
    for path, room in rooms.items():
        ui.page(path, response_timeout=BUILD_SECONDS)(framed(home, study, path, room))


def framed(home: Path, study: Study, path: str, room: Room) -> Callable[[], Awaitable[None]]:
    """Put a page under the common navigation bar, and refresh it while a browser is connected.

    The cloud may stop and start again: failures in between are shown, and the refresh is retried.
    """

    async def page() -> None:
        ui.add_css(STYLE)
        ui.add_body_html(LANGUAGE + SCROLLED)
        ui.colors(primary="#0b6e69", positive="#1b7f4b", negative="#b3261e")
        with ui.header().classes("items-center gap-6 py-2"):
            with ui.element("h1"):
                ui.label(f"{params().study.title}: {PAGES[path].lower()}")
            for to, name in PAGES.items():
                link = ui.link(name, to).classes("text-white")
                link.classes("font-semibold underline" if to == path else "no-underline")
        trouble = ui.label().classes("text-negative font-medium").props("role=status")
        stack = stack_at(home, study=study)
        content = ui.column().classes("w-full gap-4")
        with content:
            refresh = room(stack)

        async def look() -> None:
            try:
                await asyncio.to_thread(lambda: stack.outputs)
                await refresh()
            except CloudFailed as error:
                trouble.text = str(error)
            except (ClientError, BotoCoreError) as error:
                trouble.text = f"The local cloud reported an error: {error}"
            else:
                trouble.text = ""
            content.set_visibility(not trouble.text)

        client = ui.context.client

        async def look_again() -> None:
            if client.has_socket_connection:
                await look()

        await look()
        ui.timer(REFRESH_SECONDS, look_again)

    return page
