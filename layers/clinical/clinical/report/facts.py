"""The facts behind a report, and sentences about the verdict that several items share."""

from collections.abc import Iterator
from dataclasses import dataclass

from clinical.card import Card, LearningCurve, LedgerEntry, ServedCard
from clinical.monitored import Monitoring
from clinical.params import Params
from clinical.report import wording
from clinical.report.markup import Markup, joined, said
from clinical.verdict import Baseline, Estimate, Verdict


@dataclass(frozen=True)
class Facts:
    """A version's card, and its study's current params."""

    card: Card
    params: Params

    @property
    def verdict(self) -> Verdict:
        return self.card.verdict

    @property
    def target(self) -> Markup:
        return self.label(self.params.target.column)

    @property
    def unit(self) -> str:
        return self.params.unit

    @property
    def confidence(self) -> str:
        return wording.level(self.verdict.confidence)

    @property
    def learning_curve(self) -> LearningCurve | None:
        return self.card.learning_curve if isinstance(self.card, ServedCard) else None

    @property
    def monitoring(self) -> Monitoring | None:
        return self.card.monitoring if isinstance(self.card, ServedCard) else None

    @property
    def ledger(self) -> tuple[LedgerEntry, ...]:
        return self.card.ledger if isinstance(self.card, ServedCard) else ()

    @property
    def decimals(self) -> int:
        """The decimals of errors: one more than the target's."""
        return self.params.target.decimals + 1

    def label(self, name: str) -> Markup:
        return said(self.params.label(name) if name in self.params.columns else name)

    def scaled(self, found: Estimate | None, *, signed: bool = False) -> str:
        """Format an estimate in units of the target."""
        return wording.estimate(found, self.decimals, signed=signed)

    def value(self, found: float, *, signed: bool = False) -> str:
        return wording.number(found, self.decimals, signed=signed)

    def difference(self, found: Estimate) -> str:
        """Format a difference with its interval and confidence."""
        if not any(round(one, self.decimals) for one in (found.low, found.value, found.high)):
            return f"no difference (to {wording.counted(self.decimals, 'decimal')})"
        low, high = self.value(found.low, signed=True), self.value(found.high, signed=True)
        return (
            f"a difference of {self.value(found.value, signed=True)} ({self.confidence} interval "
            f"{low} to {high})"
        )


def on_the_average(facts: Facts) -> str:
    """Say whether the model beats the average baseline."""
    verdict = facts.verdict
    return (
        f"The model {compared(verdict.beats_average, verdict.rmse_difference)} the average "
        f"baseline: its RMSE is {facts.value(verdict.candidate.rmse.value)} {facts.unit}, the "
        f"baseline's is {facts.value(verdict.average.rmse.value)}, "
        f"{facts.difference(verdict.rmse_difference)}."
    )


def compared(beats: bool, difference: Estimate) -> str:  # noqa: FBT001 - a verb
    """Return the verb: an interval that contains 0 does not prove that the model does worse."""
    if beats:
        return "beats"
    return "does worse than" if difference.low > 0 else "does not beat"


def on_the_baseline(facts: Facts) -> Iterator[str]:
    """Say the same about the simpler model, and which of the two is better."""
    simpler = facts.verdict.baseline
    if simpler is None:
        unknown = lowered(wording.NOT_MEASURED)
        yield f"Compared with a simpler model, such as ridge regression: {unknown}"
        return
    difference = facts.difference(simpler.average_difference)
    yield (
        f"{simpler.name} on the same training rows {_also(facts, simpler)}: its RMSE is "
        f"{facts.value(simpler.scores.rmse.value)} {facts.unit}, {difference} from the average's."
    )
    yield f"{_better(simpler)}: {facts.difference(simpler.rmse_difference)} in RMSE."


def _also(facts: Facts, simpler: Baseline) -> str:
    """Say whether the simpler model beats the average, compared with the model."""
    beats = simpler.average_difference.high < 0
    if facts.verdict.beats_average:
        return "also beats the average" if beats else "does not beat the average"
    return "does beat the average" if beats else "does not beat the average either"


def _better(simpler: Baseline) -> str:
    """Say which of the two is better, if the rows tell."""
    name = lowered(simpler.name)
    if simpler.rmse_difference.high < 0:
        return f"The model is better than {name}"
    if simpler.rmse_difference.low > 0:
        return f"The model is worse than {name}"
    return f"The held-out rows do not show whether the model or {name} is better"


def lowered(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def in_words(facts: Facts, names: tuple[str, ...]) -> Markup:
    """Format columns as a list of their labels."""
    return wording.enumerated([facts.label(one) for one in names]) if names else joined(("none",))
