"""Build HTML from parts. Everything that is not Markup is escaped automatically.

The output is also well-formed XML.
"""

import html
import re
from collections.abc import Iterable

# Characters that are not allowed in XML, but may occur in a study's params.yaml.
UNFIT = re.compile("[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
VOID = frozenset({"link", "meta", "wbr"})


class Markup(str):
    """HTML that needs no escaping."""

    __slots__ = ()


def escaped(part: object) -> Markup:
    """Return text as escaped HTML, and Markup unchanged."""
    if isinstance(part, Markup):
        return part
    return Markup(html.escape(UNFIT.sub("\N{REPLACEMENT CHARACTER}", str(part))))


def joined(parts: Iterable[object], between: str = "") -> Markup:
    return Markup(between.join(map(escaped, parts)))


def tag(name: str, /, *inside: object, **attributes: object) -> Markup:
    """Build an element; attributes that are None are left out, and `class_` is class."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escaped(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in VOID:
        return Markup(f"<{name}{written}/>")
    return Markup(f"<{name}{written}>{joined(inside)}</{name}>")


def p(*parts: object, class_: str | None = None) -> Markup:
    return tag("p", *parts, class_=class_)


def code(text: object) -> Markup:
    return tag("code", text)


def ticked(text: str) -> Markup:
    """Render text with `code` in backticks, as in template.yaml."""
    parts = text.split("`")
    return joined(code(one) if number % 2 else one for number, one in enumerate(parts))


def said(text: str) -> Markup:
    """Render a study's own words, in whichever direction their script runs."""
    return tag("bdi", text)


def paragraphs(text: str) -> Markup:
    """Render a study's own words; an empty line separates paragraphs."""
    parts = (one.strip() for one in re.split(r"\n\s*\n", text))
    return joined(tag("p", one, dir="auto") for one in parts if one)


def listed(sentences: Iterable[object]) -> Markup:
    return tag("ul", *(tag("li", one) for one in sentences))


def table(caption: str, headings: Iterable[object], rows: Iterable[Iterable[object]]) -> Markup:
    """Build a table, which scrolls if it is too wide; each row's first cell is its heading."""
    body = []
    for first, *rest in rows:
        body.append(tag("tr", tag("th", first, scope="row"), *(tag("td", one) for one in rest)))
    head = tag("tr", *(tag("th", one, scope="col") for one in headings))
    whole = tag("table", tag("caption", caption), tag("thead", head), tag("tbody", *body))
    return tag("div", whole, class_="table", role="region", aria_label=caption, tabindex=0)


def figure(drawn: Markup, *caption: object) -> Markup:
    return tag("figure", drawn, tag("figcaption", *caption))
