"""Tables, as all pages have them."""

from collections.abc import Mapping

type Column = dict[str, str]


def columns(headings: Mapping[str, str]) -> list[Column]:
    """Say of each field of a table's rows what stands above it."""
    return [
        {"name": field, "field": field, "label": heading, "align": "left"}
        for field, heading in headings.items()
    ]
