"""Statements with their sources, as HTML: nothing is said on the page that names none."""

from collections.abc import Iterable, Iterator, Sequence

from clinical.report.markup import Markup, code, joined, tag, ticked

from change_control.sources import Machine, Source

type Row = tuple[Sequence[object], Sequence[Source]]


def cited(sources: Iterable[Source]) -> Markup:
    """Name sources, for people and for whoever checks them; a file once, with all keys in it."""
    by_file: dict[str, dict[str, Source]] = {}
    for one in sources:
        by_file.setdefault(one.file, {})[one.key] = one
    return joined((_cited(file, list(found.values())) for file, found in by_file.items()), " ")


def _breaking(name: str, after: str) -> Markup:
    """Let a name go on in the next line after each of a character."""
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
    """Name what is in a file that is named beside it."""
    return joined(
        (tag("cite", one.key, data_file=one.file, data_key=one.key) for one in sources), ", "
    )


def claim(*sentence: object, of: Sequence[Source]) -> Markup:
    return tag("li", *sentence, " ", cited(of), class_="claim")


def claims(found: Iterable[Markup]) -> Markup:
    return tag("ul", *found, class_="claims")


def lead(*words: object) -> Markup:
    """Say what a section is about; it states nothing."""
    return tag("p", *words, class_="lead")


def row(*cells: object, of: Sequence[Source]) -> Row:
    return cells, of


def sourced(caption: str, headings: Iterable[object], rows: Iterable[Row]) -> Markup:
    """Make a table of which each row names its sources; its first cell heads it."""
    body = []
    for (first, *rest), sources in rows:
        cells = [tag("th", first, scope="row"), *(tag("td", one) for one in rest)]
        body.append(tag("tr", *cells, tag("td", cited(sources), class_="from"), class_="claim"))
    head = tag("tr", *(tag("th", one, scope="col") for one in (*headings, "Source")))
    whole = tag("table", tag("caption", caption), tag("thead", head), tag("tbody", *body))
    return tag("div", whole, class_="table claimed", role="region", aria_label=caption, tabindex=0)


def by_state(machine: Machine, *states: str) -> Markup:
    """Say what states of a machine are for, in their own words, one after the other."""
    heading = tag("h4", "State by state, in the machine's own words")
    return joined((heading, claims(told(machine, *states))))


def told(machine: Machine, *states: str) -> Iterator[Markup]:
    """Say what states of a machine are for, in their own words."""
    for name in states:
        comment = ticked(machine.states[name]["Comment"])
        yield claim(tag("strong", name), ": ", comment, of=[machine.source(name)])
