"""Debian's Chromium, driven by Playwright, against the deployed local stack."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Error,
    Page,
    Request,
    Route,
    expect,
    sync_playwright,
)

from tests.integration.conftest import (
    ROOT,
    Laptop,
    _own_clouds_end_with_their_room,
    few_trees,
    first_up,
    laptop,
    start_laptop,
)
from tests.patience import PATIENCE_SECONDS

__all__ = [
    "_own_clouds_end_with_their_room",
    "few_trees",
    "first_up",
    "laptop",
    "start_laptop",
]

SCREENSHOTS = ROOT / ".local/screenshots"
PATIENCE_MS = PATIENCE_SECONDS * 1000
expect.set_options(timeout=PATIENCE_MS)
# The first is the same engine without a desktop's windows, which cost twice the processor time.
CHROMIUM = ("chromium-headless-shell", "chromium")
MISSING = (
    "no Chromium is found: install it, on Debian with `apt-get install chromium-headless-shell`"
)
DESK: Any = {"viewport": {"width": 1200, "height": 900}}
# Nothing but the page may ask anything of the network; and what runs once is not worth compiling on
# another core, which some other test has a use for.
QUIET = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-sync",
    "--js-flags=--single-threaded",
    "--no-first-run",
)


# Playwright's event loop runs on in this thread while it is open, where no other may then run:
# it ends with each file, for the worker goes on to others.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    found = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if not found and os.environ.get("CI") == "true":
        pytest.fail(MISSING)
    if not found:
        pytest.skip(MISSING)
    arguments = [*QUIET, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found, args=arguments, timeout=PATIENCE_MS
        )
        yield browser
        browser.close()


class Visit:
    """A page in a window of its own, and all that it asked for and complained of."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.requests: list[Request] = []
        self.complaints: list[str] = []
        page.set_default_timeout(PATIENCE_MS)
        page.on("request", self._asked)
        page.on("pageerror", self._failed)
        page.on("console", self._heard)

    def _asked(self, request: Request) -> None:
        self.requests.append(request)

    def _failed(self, error: Error) -> None:
        self.complaints.append(str(error))

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)

    def end(self) -> None:
        """Leave the page as a new one is, whoever visits it next."""
        self.page.mouse.move(0, 0)
        self.page.goto("about:blank")
        self.page.unroute_all(behavior="wait")
        self.page.remove_listener("request", self._asked)
        self.page.remove_listener("pageerror", self._failed)
        self.page.remove_listener("console", self._heard)

    def fail_once(self, pattern: str) -> None:
        """Let the network fail the first request of a pattern."""
        self.page.route(pattern, lambda route: route.abort(), times=1)

    def answer(self, pattern: str, status: int, body: str) -> None:
        def fulfil(route: Route) -> None:
            route.fulfill(status=status, body=body, content_type="application/problem+json")

        self.page.route(pattern, fulfil)

    def keep(self, name: str) -> None:
        """Keep a screenshot of the whole page, for whoever looks at it; in CI nobody does."""
        if os.environ.get("CI") != "true":
            self.page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)

    def assert_accessible(self) -> None:
        """Hold the page as it is now to all that axe-core knows."""
        found = Axe().run(self.page)
        assert found.violations_count == 0, found.generate_report()


@pytest.fixture(params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


class Windows:
    """Windows that go from one test to the next: what takes longest is to start a page's process.

    The pages keep in a tab the API's key, and nothing else in the browser: a test of keys opens a
    window of its own, as does one of what is fetched the first time.
    """

    def __init__(self, chromium: Browser) -> None:
        self._chromium = chromium
        self._opened: dict[str, Page] = {}

    @contextmanager
    def visit(self, **settings: Any) -> Iterator[Visit]:
        page = self._opened.pop(repr(settings), None)
        visit = Visit(page or self._chromium.new_context(**settings).new_page())
        yield visit
        visit.end()
        self._opened[repr(settings)] = visit.page


@pytest.fixture(scope="module")
def windows(chromium: Browser) -> Windows:
    return Windows(chromium)


@pytest.fixture
def visit(windows: Windows) -> Iterator[Visit]:
    """A window on a desk, in light colours."""
    with windows.visit(**DESK) as visit:
        yield visit


@pytest.fixture
def site(laptop: Laptop) -> str:
    """Where the site's pages are, with a slash at the end."""
    return laptop.stack.outputs.site_url.removesuffix("index.html")
