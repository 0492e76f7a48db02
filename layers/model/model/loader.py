"""Make of the champion in the registry what the predict function serves."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from clinical import telemetry
from clinical.artefacts import read_verified
from clinical.card import Card, LearningCurve, LedgerEntry, ServedCard
from clinical.contract import PredictionInterval, Skill, Violation
from clinical.errors import ArtefactCorrupted, ClinicalError
from clinical.kinds import Value
from clinical.obstore_bucket import ObstoreBucket
from clinical.params import Params, params
from clinical.reference import Conformal, Reference, Row, read_reference
from clinical.registry import LEARNING_CURVE, REFERENCE_PROPERTY, Champion, Registry
from pydantic import ValidationError

from model.answering import check_answers
from model.explanation import Explainer, Explanation
from model.later import Later
from model.scored import interval_around, served
from model.scorer import Scorer

LEDGER_ENTRIES = 20  # of the last promotions, which a card tells
CARD_SECONDS = 3.0  # a card and its promotions are so many small reads, one after the other

type Values = tuple[Value, ...]


@dataclass(frozen=True)
class Score:
    """A score as it is served, with what it takes to know what it is worth."""

    score: float
    interval: PredictionInterval
    support: int


@dataclass(frozen=True)
class Model:
    """A champion, ready: it scores, explains, and knows what its data recorded."""

    bucket: ObstoreBucket
    champion: Champion
    scorer: Scorer
    reference: Reference
    params: Params
    training_rows: dict[Values, int]

    @property
    def version(self) -> str:
        return self.champion.version

    @property
    def skill(self) -> Skill:
        verdict = self.champion.verdict
        return Skill(r2=round(verdict.candidate.r2.value, 4), beats_average=verdict.beats_average)

    @cached_property
    def explainer(self) -> Explainer:
        background = [self.params.features_of(row) for row in self.reference.background]
        return Explainer(self.scorer, background, list(self.params.features))

    def explain(self, patient: Row) -> Explanation:
        """Say what each feature adds to a patient's score."""
        return self.explainer.explain(self.params.features_of(patient))

    @property
    def card(self) -> ServedCard:
        """Give its card with the last promotions, and its learning curve once it is measured.

        Raises ArtefactMissing, ArtefactCorrupted, and the storage errors of `Bucket`.
        """
        return self._card.model_copy(update={"learning_curve": self._learning_curve.now()})

    @cached_property
    def _card(self) -> ServedCard:
        bucket = self.bucket.within(CARD_SECONDS)
        body = read_verified(bucket, self.champion.card)
        try:
            card = Card.model_validate_json(body)
        except ValidationError as error:
            raise ArtefactCorrupted(f"{self.champion.card.key} is no card of this code") from error
        promotions = Registry(bucket).ledger(self.champion, LEDGER_ENTRIES)
        return ServedCard(**dict(card), ledger=tuple(map(LedgerEntry.of, promotions)))

    @cached_property
    def _learning_curve(self) -> Later[LearningCurve]:
        return Later(self._read_learning_curve, self.params.serving.refresh_seconds)

    def _read_learning_curve(self) -> LearningCurve | None:
        """Read it if it is there; a card is none the worse without, so a failure is only told."""
        registry = Registry(self.bucket.within(CARD_SECONDS))
        try:
            return registry.annex(self.version, LEARNING_CURVE, LearningCurve)
        except ClinicalError as error:
            telemetry.logger().error(
                "The learning curve could not be read; the card is served without.",
                extra={"error": type(error).__name__, "reason": str(error)},
            )
            if isinstance(error, ArtefactCorrupted):
                telemetry.count(telemetry.Metric.ARTEFACTS_REFUSED)
            return None

    def unrecorded(self, patient: Row) -> Violation | None:
        """Say so if the data never recorded these values together."""
        if self._together(patient) in self.training_rows:
            return None
        *rest, last = self.params.roles.recorded_together
        what = f"{', '.join(rest)} and {last} were" if rest else f"This {last} was"
        return Violation(
            loc=("body",),
            msg=f"{what} never recorded{' together' if rest else ''}; "
            "GET /dropdown-values lists the valid_combinations",
            type="unrecorded_combination",
        )

    def predict(self, patients: Sequence[Row]) -> list[Score]:
        """Score patients with recorded combinations, in one call of ONNX Runtime."""
        scores = self.scorer.predict([self.params.features_of(one) for one in patients])
        conformal: Conformal = self.reference.interval
        lows, highs = interval_around(scores, conformal.half_width, self.params)
        return [
            Score(
                score=served(score, self.params),
                interval=PredictionInterval(low=low, high=high, coverage=conformal.coverage),
                support=self.training_rows[self._together(patient)],
            )
            for patient, score, low, high in zip(
                patients, scores.tolist(), lows.tolist(), highs.tolist(), strict=True
            )
        ]

    def _together(self, patient: Row) -> Values:
        return tuple(patient.get(name) for name in self.params.roles.recorded_together)


def load(bucket: ObstoreBucket, champion: Champion) -> Model:
    """Fetch a champion's files, check their digests, and only then open them.

    Raises ArtefactMissing, ArtefactCorrupted, ModelOfAnotherStudy, ModelUnanswerable, and the
    storage errors of `Bucket`.
    """
    scorer = Scorer(read_verified(bucket, champion.model))
    reference = read_reference(bucket, champion.reference)
    reference.check_contract(params())
    if scorer.properties.get(REFERENCE_PROPERTY) != champion.reference.sha256:
        raise ArtefactCorrupted(f"{champion.version} was not made with its reference")
    together = params().roles.recorded_together
    model = Model(
        bucket=bucket,
        champion=champion,
        scorer=scorer,
        reference=reference,
        params=params(),
        training_rows={
            tuple(combination.values.get(name) for name in together): combination.training_rows
            for combination in reference.combinations
        },
    )
    check_answers(scorer, reference, params())
    return model
