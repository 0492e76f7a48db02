"""The TRIPOD+AI report as a browser has it: on a desk, on a phone, in the dark, and on paper."""

import re
from collections import Counter
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from clinical.report import ITEMS
from playwright.sync_api import Browser, expect

from tests.browser.conftest import Visit
from tests.integration.conftest import Laptop
from tests.patience import until

LEAST_PAGES, MOST_PAGES = 10, 40
PLOTS = 3  # calibration, win probabilities, and the learning curve


@pytest.fixture
def address(laptop: Laptop) -> str:
    """Where the report of the model that serves is, once its learning curve is there too."""
    until(lambda: laptop.get("/model").body["learning_curve"], "the curve in the card")
    return f"{laptop.stack.outputs.api_url}/report"


def test_it_loads_nothing_else_and_the_browser_has_nothing_to_mend(
    visit: Visit, address: str
) -> None:
    response = visit.page.goto(address)

    assert response is not None
    _, _, document = response.text().partition("\n")
    written = Counter(one.tag for one in ET.fromstring(document).iter())  # noqa: S314 - our own
    read = Counter(
        visit.page.evaluate("[...document.querySelectorAll('*')].map(one => one.localName)")
    )
    assert read == written
    assert [one.url for one in visit.requests if not one.url.startswith("data:")] == [address]
    assert visit.complaints == []


def test_it_passes_axe_and_is_kept_as_a_picture(
    chromium: Browser, address: str, scheme: Any
) -> None:
    with chromium.new_context(color_scheme=scheme) as context:
        visit = Visit(context.new_page())
        visit.page.goto(address)

        expect(visit.page.locator("svg[role=img]")).to_have_count(PLOTS)
        visit.assert_accessible()
        visit.keep(f"report-{scheme}")


def test_a_phone_scrolls_down_and_never_sideways(chromium: Browser, address: str) -> None:
    with chromium.new_context(
        viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True
    ) as context:
        visit = Visit(context.new_page())
        visit.page.goto(address)

        assert visit.page.evaluate("document.documentElement.scrollWidth") == 360
        visit.assert_accessible()
        visit.keep("report-phone")


def test_the_keyboard_skips_to_the_report_and_the_contents_lead_to_each_item(
    visit: Visit, address: str
) -> None:
    page = visit.page
    page.goto(address)

    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the report")).to_be_focused()
    page.keyboard.press("Enter")
    assert page.url.endswith("#report")
    links = page.get_by_role("navigation").get_by_role("link")
    expect(links).to_have_count(len(ITEMS))
    links.last.click()
    expect(page.locator("article:target")).to_be_in_viewport()
    assert page.url.endswith(f"#{ITEMS[-1].anchor}")


def test_it_prints_in_black_on_white_with_its_first_page_alone(
    chromium: Browser, address: str
) -> None:
    with chromium.new_context(color_scheme="dark", viewport={"width": 680, "height": 980}) as one:
        page = one.new_page()
        page.goto(address)
        page.emulate_media(media="print", color_scheme="dark")

        paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
        heading = page.get_by_role("heading", name="Performance at a glance")
        pdf = page.pdf(prefer_css_page_size=True)

        assert min(map(int, re.findall(r"\d+", paper)[:3])) > 250
        expect(heading).to_be_in_viewport()
        pages = len(re.findall(rb"/Type\s*/Page\b", pdf))
        assert LEAST_PAGES < pages < MOST_PAGES
