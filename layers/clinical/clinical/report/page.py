"""The report as one printable page of HTML: no script, no third party."""

from collections.abc import Iterator
from itertools import groupby

from clinical.card import Card
from clinical.params import Params
from clinical.report.answers import ANSWERS
from clinical.report.document import document
from clinical.report.facts import Facts, on_the_average, on_the_baseline
from clinical.report.items import ITEMS, Item, stated, unstated
from clinical.report.markup import Markup, code, joined, p, paragraphs, said, tag

SOURCE = "https://doi.org/10.1136/bmj-2023-078378"


def render(card: Card, params: Params) -> str:
    """Render the report of a version.

    card: a ServedCard also has its learning curve and the last promotions.
    """
    facts = Facts(card, params)
    title = f"{params.study.title}: TRIPOD+AI report of {card.model_version}"
    return document(
        title,
        skip="Skip to the report",
        first=joined(_first_page(facts)),
        contents=joined(_contents(facts)),
        main=joined(_sections(facts)),
        disclaimer=params.study.disclaimer,
    )


def _first_page(facts: Facts) -> Iterator[Markup]:
    card, study = facts.card, facts.params.study
    yield p("TRIPOD+AI report", class_="kind")
    yield tag("h1", said(study.title))
    yield p(
        "Version ",
        code(card.model_version),
        ". ",
        card.overview.algorithm,
        ". It predicts ",
        facts.target,
        f", in {facts.unit}.",
    )
    yield p(
        "Each item of the ",
        tag("a", "TRIPOD+AI checklist", href=SOURCE),
        " (Collins et al., BMJ 2024;385:e078378), in its order and in our own words. The answers "
        "come from the model card, the study's params.yaml and the lineage. What only people can "
        "state comes from the study, or is marked as missing.",
    )
    yield tag(
        "section",
        tag("h2", "Performance at a glance", id="worth"),
        tag("p", tag("strong", on_the_average(facts)), class_=_tone(facts)),
        *(p(one) for one in on_the_baseline(facts)),
        *_warned(facts),
        aria_labelledby="worth",
    )
    yield tag(
        "section",
        tag("h2", "Missing statements", id="missing"),
        *_missing(unstated(facts.params)),
        aria_labelledby="missing",
    )


def _tone(facts: Facts) -> str:
    return "verdict" if facts.verdict.beats_average else "verdict warning"


def _warned(facts: Facts) -> Iterator[Markup]:
    if not facts.verdict.beats_average:
        yield p("Do not interpret differences between its scores as differences between patients.")


def _missing(items: tuple[Item, ...]) -> Iterator[Markup]:
    if not items:
        yield p("None: the study states everything that only people can state.")
        return
    yield p(
        f"{len(items)} of {len(ITEMS)} items lack what only people can state. Write each under ",
        code("study.report"),
        " in the study's ",
        code("params.yaml"),
        "; this does not change any model.",
    )
    yield tag(
        "ul",
        *(
            tag(
                "li",
                tag("a", f"{one.number} {named(one)}", href=f"#{one.anchor}"),
                " ",
                code(one.key),
            )
            for one in items
        ),
        class_="columns",
    )


def named(item: Item) -> str:
    return item.topic if item.topic == item.asks else f"{item.topic}: {_lowered(item.asks)}"


def _lowered(words: str) -> str:
    return words[:1].lower() + words[1:]


def _contents(facts: Facts) -> Iterator[Markup]:
    for section, items in groupby(ITEMS, key=lambda one: one.section):
        yield p(section, class_="section")
        yield tag(
            "ul",
            *(
                tag(
                    "li",
                    tag("a", f"{one.number} {named(one)}", href=f"#{one.anchor}"),
                    *([" ", tag("span", "missing", class_="mark")] if _lacks(one, facts) else []),
                )
                for one in items
            ),
            class_="columns",
        )


def _lacks(item: Item, facts: Facts) -> bool:
    return bool(item.key) and not stated(item, facts.params)


def _sections(facts: Facts) -> Iterator[Markup]:
    for section, items in groupby(ITEMS, key=lambda one: one.section):
        anchor = f"section-{section.lower().replace(' ', '-')}"
        yield tag(
            "section",
            tag("h2", section, id=anchor),
            *(_item(one, facts) for one in items),
            aria_labelledby=anchor,
        )


def _item(item: Item, facts: Facts) -> Markup:
    answer = ANSWERS.get(item.number)
    return tag(
        "article",
        tag(
            "h3",
            tag("span", item.number, class_="number"),
            " ",
            named(item),
            id=f"{item.anchor}-title",
        ),
        *(answer(facts) if answer else ()),
        *_people(item, facts),
        id=item.anchor,
        aria_labelledby=f"{item.anchor}-title",
    )


def _people(item: Item, facts: Facts) -> Iterator[Markup]:
    """Yield what people state for an item, or mark it as missing."""
    if not item.key:
        return
    if words := stated(item, facts.params):
        yield tag("div", p("Stated by the study", class_="who"), paragraphs(words), class_="stated")
        return
    yield tag(
        "p",
        tag("strong", "Missing statement"),
        ": ",
        code(f"study.report.{item.key}"),
        " in the study's params.yaml is still empty.",
        class_="yours",
        data_missing=item.key,
    )
