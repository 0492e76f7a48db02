"""HTML from its parts. Whatever is not markup already is text, and escaped: nobody can forget it.

What comes out is well-formed XML, too.
"""

import html
import re
from collections.abc import Iterable

# No document may hold these; a study's file may.
UNFIT = re.compile("[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
VOID = frozenset({"link", "meta", "wbr"})


class Markup(str):
    """HTML that is safe as it stands."""

    __slots__ = ()


def escaped(part: object) -> Markup:
    """Give text as HTML, and markup as it is."""
    if isinstance(part, Markup):
        return part
    return Markup(html.escape(UNFIT.sub("\N{REPLACEMENT CHARACTER}", str(part))))


def joined(parts: Iterable[object], between: str = "") -> Markup:
    return Markup(between.join(map(escaped, parts)))


def tag(name: str, /, *inside: object, **attributes: object) -> Markup:
    """Make an element; an attribute that is None is left out, and `class_` is class."""
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
    """Give a text in which `code` stands between backticks, as the template's has it."""
    parts = text.split("`")
    return joined(code(one) if number % 2 else one for number, one in enumerate(parts))


def said(text: str) -> Markup:
    """Give a study's own words, whichever way their script runs."""
    return tag("bdi", text)


def paragraphs(text: str) -> Markup:
    """Give a study's own words; an empty line parts paragraphs."""
    parts = (one.strip() for one in re.split(r"\n\s*\n", text))
    return joined(tag("p", one, dir="auto") for one in parts if one)


def listed(sentences: Iterable[object]) -> Markup:
    return tag("ul", *(tag("li", one) for one in sentences))


def table(caption: str, headings: Iterable[object], rows: Iterable[Iterable[object]]) -> Markup:
    """Make a table, which scrolls by itself where it is too wide; a row's first cell heads it."""
    body = []
    for first, *rest in rows:
        body.append(tag("tr", tag("th", first, scope="row"), *(tag("td", one) for one in rest)))
    head = tag("tr", *(tag("th", one, scope="col") for one in headings))
    whole = tag("table", tag("caption", caption), tag("thead", head), tag("tbody", *body))
    return tag("div", whole, class_="table", role="region", aria_label=caption, tabindex=0)


def figure(drawn: Markup, *caption: object) -> Markup:
    return tag("figure", drawn, tag("figcaption", *caption))
