"""The change-control page: printable, no script, no third party."""

from collections.abc import Iterator

from clinical.params import Params
from clinical.report.document import document
from clinical.report.markup import Markup, code, joined, p, said, tag

from change_control import changes, impact, modifications, protocol
from change_control.history import History
from change_control.modifications import DATA, EVALUATION, PROTOCOL, TRAINING, UPDATE
from change_control.sources import Decisions, Template, template

GUIDANCE = "https://www.federalregister.gov/d/2024-28361"  # where it was announced
SECTIONS = (
    ("1", "Description of modifications", "modifications"),
    ("2", "Modification protocol", "protocol"),
    ("3", "Impact assessment", "impact"),
    ("4", "History of changes", "history"),
)


def render(history: History, params: Params) -> str:
    """Render the page of a study and the changes to its model.

    history: of the ledger up to the promotion that the page is about.
    """
    decisions, deployed = Decisions(params), template()
    written = {
        "modifications": modifications.described(decisions, deployed),
        "protocol": _protocol(decisions, deployed),
        "impact": impact.assessed(decisions),
        "history": changes.told(history, params),
    }
    return document(
        f"{params.study.title}: change control",
        skip="Skip to the modifications",
        first=joined(_first_page(history, params)),
        contents=joined(_contents(history)),
        main=joined(
            tag(
                "section",
                tag("h2", f"{number} {name}", id=anchor),
                *written[anchor],
                aria_labelledby=anchor,
            )
            for number, name, anchor in SECTIONS
        ),
        disclaimer=params.study.disclaimer,
    )


def _first_page(history: History, params: Params) -> Iterator[Markup]:
    yield p("Change control", class_="kind")
    yield tag("h1", said(params.study.title))
    if last := history.last:
        yield p(
            "As of change ",
            tag("a", f"{last.entry.sequence}", href=f"#change-{last.entry.sequence}"),
            f" at {last.entry.promoted_at:%Y-%m-%d %H:%M} UTC, which promoted version ",
            code(last.entry.version),
            " serves.",
        )
    yield p(
        tag("strong", "This is not a submission to any authority and not regulatory advice."),
        " It describes what this system does. It does not answer whether the system is a medical "
        "device, or which obligations its manufacturer has.",
        class_="verdict",
    )
    yield p(
        "Sections 1 to 3 follow the order of the elements in the ",
        tag("a", "FDA's guidance", href=GUIDANCE),
        " on predetermined change control plans for AI-enabled device software functions (docket "
        "FDA-2022-D-2628). The wording is ours, and has not been reviewed by the FDA.",
    )
    yield p(
        "Each statement names its source: a file of the system with the key, state, resource, "
        "function or heading in it, or an object in the registry with its key. It is read from "
        "there when this page is written. Descriptions of alarms, parameters and states are quoted "
        "from these files."
    )


def _contents(history: History) -> Iterator[Markup]:
    for number, name, anchor in SECTIONS:
        yield p(tag("a", f"{number} {name}", href=f"#{anchor}"), class_="section")
        yield tag("ul", *(tag("li", one) for one in _parts(anchor, history)), class_="columns")


def _parts(section: str, history: History) -> Iterator[Markup]:
    """Render links to a section's parts."""
    match section:
        case "modifications":
            for one in modifications.MODIFICATIONS:
                yield tag("a", f"{one.number} {one.name}", href=f"#{one.anchor}")
            yield tag("a", "What no run changes", href="#fixed")
        case "protocol":
            for part, (number, name) in PROTOCOL.items():
                yield tag("a", f"{number} {name}", href=f"#{part}")
            yield tag("a", "2.5 Traceability", href="#traceability")
        case "history":
            for change in history.changes:
                entry = change.entry
                yield tag(
                    "a",
                    f"{entry.sequence}: {entry.version}, {entry.promoted_at:%Y-%m-%d}",
                    href=f"#change-{entry.sequence}",
                )


def _protocol(decisions: Decisions, deployed: Template) -> Iterator[Markup]:
    written = {
        DATA: protocol.data(decisions, deployed),
        TRAINING: protocol.training(decisions),
        EVALUATION: protocol.evaluation(decisions),
        UPDATE: protocol.update(decisions, deployed),
    }
    for part, (number, name) in PROTOCOL.items():
        yield tag("article", tag("h3", f"{number} {name}"), *written[part], id=part)
    yield tag("article", tag("h3", "2.5 Traceability"), *modifications.traced(), id="traceability")
