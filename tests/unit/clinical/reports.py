"""What tests of the report share: cards to write it of, and a reader of what was written."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from xml.etree import ElementTree as ET

from clinical.card import Card, LearningCurve, LearningPoint, LedgerEntry, ServedCard
from clinical.monitored import Monitoring
from clinical.params import Params, Report
from clinical.report import render
from clinical.verdict import Estimate

from tests.unit.conftest import NOW


def served(
    card: Card,
    learning_curve: LearningCurve | None = None,
    monitoring: Monitoring | None = None,
) -> ServedCard:
    """A card as the API has it."""
    return ServedCard(
        **dict(card),
        learning_curve=learning_curve,
        monitoring=monitoring,
        ledger=(promotion(card, NOW),),
    )


def promotion(card: Card, at: datetime) -> LedgerEntry:
    return LedgerEntry(
        sequence=1,
        model_version=card.model_version,
        previous=None,
        promoted_at=at,
        why="to see it serve",
        execution="execution-1",
        model_sha256="0" * 64,
        r2=0.5,
        beats_average=True,
    )


def learned() -> LearningCurve:
    """Four points of a learning curve."""
    points = tuple(
        LearningPoint(fraction=rows / 800, rows=rows, rmse=around(rmse), draws=(rmse, rmse))
        for rows, rmse in ((200, 0.9), (400, 0.85), (600, 0.83), (800, 0.82))
    )
    return LearningCurve(held_out_rows=200, confidence=0.95, points=points, says="No sign of it.")


def around(value: float, by: float = 0.05) -> Estimate:
    return Estimate(value=value, low=value - by, high=value + by)


def stating(decisions: Params, **words: str) -> Params:
    """The same study, where people state nothing but these."""
    study = decisions.study.model_copy(update={"report": Report(**words)})
    return decisions.model_copy(update={"study": study})


@dataclass(frozen=True)
class Page:
    """A report as a strict reader has it: it is well-formed XML, too."""

    text: str

    @classmethod
    def of(cls, card: Card, decisions: Params) -> "Page":
        return cls(render(card, decisions))

    @cached_property
    def root(self) -> ET.Element:
        doctype, _, document = self.text.partition("\n")
        assert doctype == "<!DOCTYPE html>"
        return ET.fromstring(document)  # noqa: S314 - our own

    @cached_property
    def elements(self) -> list[ET.Element]:
        return list(self.root.iter())

    def item(self, number: str) -> ET.Element:
        (found,) = [one for one in self.elements if one.get("id") == f"item-{number}"]
        return found

    def said(self, number: str) -> str:
        return words(self.item(number))

    @property
    def first(self) -> str:
        """What stands on the first page."""
        header = self.root.find("body/header")
        assert header is not None
        return words(header)


def words(element: ET.Element) -> str:
    """The text of an element, with single blanks."""
    return " ".join("".join(element.itertext()).split())
