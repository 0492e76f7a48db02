"""The site's form, as the tests find and fill it."""

from typing import Any

from playwright.sync_api import Locator, Page, expect


def field(page: Page, name: str) -> Locator:
    """Find what asks for a column."""
    return page.locator(f"form [data-name='{name}']")


def fault(page: Page, name: str) -> Locator:
    """Find what is said to be wrong with a column."""
    return page.locator(f"form div:has(> [data-name='{name}']) .fault")


def fill(page: Page, patient: dict[str, Any]) -> None:
    """Fill in the form, in its own order, as its fields allow."""
    names = page.locator("form [data-name]").evaluate_all("all => all.map(one => one.dataset.name)")
    assert set(patient) <= set(names)
    for name in filter(patient.__contains__, names):
        value = patient[name]
        text = str(value).lower() if isinstance(value, bool) else str(value)
        expect(field(page, name)).to_be_enabled()
        if field(page, name).evaluate("field => field.tagName") == "SELECT":
            field(page, name).select_option(text)
        else:
            field(page, name).fill(text)
