"""A self-contained, printable page of HTML: no script, no third party."""

from pathlib import Path

from clinical.report.markup import Markup, p, said, tag

STYLE = Path(__file__).with_name("style.css")


def document(  # noqa: PLR0913 - a page's parts
    title: str,
    *,
    skip: str,
    first: Markup,
    contents: Markup,
    main: Markup,
    disclaimer: str,
) -> str:
    """Assemble a page.

    skip: the text of the link past the contents. first: the content of the first page. disclaimer:
    the study's.
    """
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("link", rel="icon", href="data:,"),  # so that no browser asks for one
        tag("title", title),
        # Only our own styles, without any character that would end the element.
        tag("style", Markup(STYLE.read_text(encoding="utf-8"))),
    )
    body = tag(
        "body",
        tag("a", skip, href="#report", class_="skip"),
        tag("header", first),
        tag(
            "nav",
            tag("h2", "Contents", id="contents"),
            contents,
            aria_labelledby="contents",
        ),
        tag("main", main, id="report"),
        tag("footer", p(said(disclaimer))),
    )
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"
