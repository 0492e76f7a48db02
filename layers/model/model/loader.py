"""Make of the champion in the registry what the predict function serves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from clinical.artefacts import read_verified
from clinical.card import Card, LedgerEntry, ServedCard
from clinical.contract import PredictionInterval, Skill, Violation
from clinical.errors import ArtefactCorrupted
from clinical.obstore_bucket import ObstoreBucket
from clinical.params import params
from clinical.reference import Conformal, Reference, read_reference
from clinical.registry import REFERENCE_PROPERTY, Champion, Registry
from pydantic import ValidationError

from model.explanation import Explainer
from model.interval import interval_around
from model.scorer import Row, Scorer, as_improvement_score

LEDGER_ENTRIES = 20  # of the last promotions, which a card tells
CARD_SECONDS = 3.0  # a card and its promotions are so many small reads, one after the other

type Values = tuple[object, ...]


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
        return Explainer(self.scorer, self.reference.background, params().features.names)

    @cached_property
    def card(self) -> ServedCard:
        """Read its card, and the last promotions, once they can be read.

        Raises ArtefactMissing, ArtefactCorrupted, and the storage errors of `Bucket`.
        """
        bucket = self.bucket.within(CARD_SECONDS)
        body = read_verified(bucket, self.champion.card)
        try:
            card = Card.model_validate_json(body)
        except ValidationError as error:
            raise ArtefactCorrupted(f"{self.champion.card.key} is no card of this code") from error
        promotions = Registry(bucket).ledger(self.champion, LEDGER_ENTRIES)
        return ServedCard(**dict(card), ledger=tuple(map(LedgerEntry.of, promotions)))

    def unrecorded(self, features: Mapping[str, object]) -> Violation | None:
        """Say so if the data never recorded this condition, drug, dosage and side effect."""
        columns = params().features.combination
        if _values(features) in self.training_rows:
            return None
        return Violation(
            loc=("body",),
            msg=f"{', '.join(columns[:-1])} and {columns[-1]} were never recorded together; "
            "GET /dropdown-values lists the valid_combinations",
            type="unrecorded_combination",
        )

    def predict(self, rows: Sequence[Row]) -> list[Score]:
        """Score recorded combinations, in one call of ONNX Runtime."""
        scores = self.scorer.predict(rows)
        conformal: Conformal = self.reference.interval
        lows, highs = interval_around(scores, conformal.half_width)
        return [
            Score(
                score=as_improvement_score(score),
                interval=PredictionInterval(low=low, high=high, coverage=conformal.coverage),
                support=self.training_rows[_values(row)],
            )
            for row, score, low, high in zip(
                rows, scores.tolist(), lows.tolist(), highs.tolist(), strict=True
            )
        ]


def load(bucket: ObstoreBucket, champion: Champion) -> Model:
    """Fetch a champion's files, check their digests, and only then open them.

    Raises ArtefactMissing, ArtefactCorrupted, and the storage errors of `Bucket`.
    """
    scorer = Scorer(read_verified(bucket, champion.model))
    reference = read_reference(bucket, champion.reference)
    if scorer.properties.get(REFERENCE_PROPERTY) != champion.reference.sha256:
        raise ArtefactCorrupted(f"{champion.version} was not made with its reference")
    return Model(
        bucket=bucket,
        champion=champion,
        scorer=scorer,
        reference=reference,
        training_rows={
            _values(combination.values): combination.training_rows
            for combination in reference.combinations
        },
    )


def _values(features: Mapping[str, object]) -> Values:
    return tuple(features[column] for column in params().features.combination)
