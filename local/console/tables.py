"""Tables, for all pages."""

from collections.abc import Mapping

type Column = dict[str, str]


def columns(headings: Mapping[str, str]) -> list[Column]:
    """Return a table's columns, from the headings of its rows' fields."""
    return [
        {"name": field, "field": field, "label": heading, "align": "left"}
        for field, heading in headings.items()
    ]
