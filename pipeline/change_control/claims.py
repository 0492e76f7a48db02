"""Statements with their sources, as HTML: every statement on the page has a source."""

from collections.abc import Iterable, Iterator, Sequence

from clinical.report.markup import Markup, code, joined, tag, ticked

from change_control.sources import Machine, Source

type Row = tuple[Sequence[object], Sequence[Source]]


def cited(sources: Iterable[Source]) -> Markup:
    """Render sources, for people and for tests; each file once, with all its keys."""
    by_file: dict[str, dict[str, Source]] = {}
    for one in sources:
        by_file.setdefault(one.file, {})[one.key] = one
    return joined((_cited(file, list(found.values())) for file, found in by_file.items()), " ")


def _breaking(name: str, after: str) -> Markup:
    """Allow line breaks in a name after a character."""
    return code(joined(name.split(after), joined((after, tag("wbr")))))


def _cited(file: str, found: Sequence[Source]) -> Markup:
    if all(one.key for one in found):
        keys = joined(map(_marked, found), ", ")
        return tag("span", _breaking(file, "/"), " ", keys, class_="source")
    return tag("span", *map(_marked, found), class_="source")


def _marked(source: Source) -> Markup:
    said = _breaking(source.key, ".") if source.key else _breaking(source.file, "/")
    return tag("cite", said, data_file=source.file, data_key=source.key)


def by_name(sources: Iterable[Source]) -> Markup:
    """Render the keys of a file that is named next to them."""
    return joined(
        (tag("cite", one.key, data_file=one.file, data_key=one.key) for one in sources), ", "
    )


def claim(*sentence: object, of: Sequence[Source]) -> Markup:
    return tag("li", *sentence, " ", cited(of), class_="claim")


def claims(found: Iterable[Markup]) -> Markup:
    return tag("ul", *found, class_="claims")


def lead(*words: object) -> Markup:
    """Render the introduction of a section, which makes no statement."""
    return tag("p", *words, class_="lead")


def row(*cells: object, of: Sequence[Source]) -> Row:
    return cells, of


def sourced(caption: str, headings: Iterable[object], rows: Iterable[Row]) -> Markup:
    """Build a table whose rows have sources; each row's first cell is its heading."""
    body = []
    for (first, *rest), sources in rows:
        cells = [tag("th", first, scope="row"), *(tag("td", one) for one in rest)]
        body.append(tag("tr", *cells, tag("td", cited(sources), class_="from"), class_="claim"))
    head = tag("tr", *(tag("th", one, scope="col") for one in (*headings, "Source")))
    whole = tag("table", tag("caption", caption), tag("thead", head), tag("tbody", *body))
    return tag("div", whole, class_="table claimed", role="region", aria_label=caption, tabindex=0)


def by_state(machine: Machine, *states: str) -> Markup:
    """Describe states of a machine one by one, by their comments."""
    heading = tag("h4", "State by state, from the state machine's comments")
    return joined((heading, claims(told(machine, *states))))


def told(machine: Machine, *states: str) -> Iterator[Markup]:
    """Describe states of a machine, by their comments."""
    for name in states:
        comment = ticked(machine.states[name]["Comment"])
        yield claim(tag("strong", name), ": ", comment, of=[machine.source(name)])
