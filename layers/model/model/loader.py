"""Load versions from the registry for scoring, and the champion for serving."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from clinical import telemetry
from clinical.artefacts import Bucket, read_verified
from clinical.card import Card, LearningCurve, LedgerEntry, ServedCard
from clinical.contract import Skill, Violation
from clinical.errors import ArtefactCorrupted, ClinicalError, ModelUnavailable
from clinical.groups import groups_by
from clinical.kinds import Feature, Value
from clinical.monitored import MONITORING, Monitoring
from clinical.obstore_bucket import ObstoreBucket
from clinical.params import Params, params
from clinical.recorded import Choice, Names
from clinical.reference import Reference, Row, read_reference
from clinical.registry import LEARNING_CURVE, REFERENCE_PROPERTY, Champion, Registry, Version
from pydantic import BaseModel, ValidationError

from model.answering import check_answers
from model.explanation import Explainer, Explanation
from model.later import Later, Latest
from model.scored import interval_around, served
from model.scorer import Scorer, Scores
from model.winning import Floats, win_probability

LEDGER_ENTRIES = 20  # of the last promotions, which a card tells
CARD_SECONDS = 3.0  # a card and its promotions are so many small reads, one after the other
COMPARES_NOTHING = (
    "The current model was trained by a release that could not compare treatments; start the "
    "retrain state machine."
)
RETRY_SECONDS = 60
UNREAD = {
    LEARNING_CURVE: "The learning curve could not be read; the card is served without it.",
    MONITORING: "The monitoring results could not be read; the card is served with earlier ones.",
}
CERTAIN = (Choice((), 1.0),)  # where nothing is unknown

type Values = tuple[Value, ...]


class Score(NamedTuple):
    """A score as it is served, with its interval and support.

    low, high: the ends of the interval. support: the training rows with the same combination.
    averaged_over: the unknown columns; the score is the mean over their recorded values.
    """

    score: float
    low: float
    high: float
    support: int
    averaged_over: Names = ()


@dataclass(frozen=True)
class Scored:
    """Raw scores of patients (n,), and the unknown columns of each.

    half_widths: of the intervals (n,), in units of the target.
    """

    scores: Scores
    half_widths: Scores
    unknown: list[Names]


@dataclass(frozen=True)
class Loaded:
    """A published version, ready to score, with the combinations recorded in its data."""

    version: str
    scorer: Scorer
    reference: Reference
    params: Params
    training_rows: dict[Values, int]

    def unknown(self, patient: Row) -> Names:
        """Name the columns known only after treatment that a patient lacks."""
        later = self.params.roles.known_after_treatment
        unknown = [name for name in later if patient.get(name) is None]
        return tuple(unknown)

    def unrecorded(self, patient: Row) -> Violation | None:
        """Return a violation if the data never recorded these values together.

        A model from an earlier release also refuses a patient with unknown columns, because it
        cannot average over them.
        """
        unknown = self.unknown(patient)
        if unknown not in self.reference.intervals:
            return Violation(
                loc=("body", unknown[0]),
                msg="Field required: the current model was trained before this field became "
                "optional",
                type="missing",
            )
        if self.support(patient, unknown) is not None:
            return None
        *rest, last = self._together(unknown)
        what = f"{', '.join(rest)} and {last} were" if rest else f"This {last} was"
        return Violation(
            loc=("body",),
            msg=f"{what} never recorded{' together' if rest else ''}; "
            "see valid_combinations in GET /dropdown-values",
            type="unrecorded_combination",
        )

    def predict(self, patients: Sequence[Row]) -> list[Score]:
        """Score patients with recorded combinations, with one call of ONNX Runtime."""
        return self.served(patients, self.scored(patients))

    def scored(self, patients: Sequence[Row]) -> Scored:
        """Score patients; unknown columns are averaged over."""
        unknown = [self.unknown(one) for one in patients]
        intervals = [self.reference.intervals[one] for one in unknown]
        half_widths = np.array(
            [
                interval.half_width_of(self.group_of(patient))
                if interval.by
                else interval.half_width
                for patient, interval in zip(patients, intervals, strict=True)
            ]
        )
        return Scored(self.scores(patients, unknown), half_widths, unknown)

    def scores(self, patients: Sequence[Row], unknown: Sequence[Names]) -> Scores:
        """Return the model's raw scores of patients, float array (n,)."""
        if not any(unknown):
            return self.scorer.predict([self.params.features_of(one) for one in patients])
        return self._averaged(patients, unknown)

    def _averaged(self, patients: Sequence[Row], unknown: Sequence[Names]) -> Scores:
        rows: list[dict[str, Feature]] = []
        weights: list[float] = []
        starts: list[int] = []
        for patient, columns in zip(patients, unknown, strict=True):
            starts.append(len(rows))
            for choice in self.reference.later.choices(patient, columns) if columns else CERTAIN:
                known = dict(zip(columns, choice.values, strict=True))
                rows.append(self.params.features_of({**patient, **known}))
                weights.append(choice.weight)
        scores: Scores = np.add.reduceat(self.scorer.predict(rows) * np.array(weights), starts)
        return scores

    def served(self, patients: Sequence[Row], scored: Scored) -> list[Score]:
        """Turn raw scores into scores as served."""
        lows, highs = interval_around(scored.scores, scored.half_widths, self.params)
        return [
            Score(score, low, high, self.support(patient, unknown) or 0, unknown)
            for patient, unknown, score, low, high in zip(
                patients,
                scored.unknown,
                served(scored.scores, self.params),
                lows.tolist(),
                highs.tolist(),
                strict=True,
            )
        ]

    def support(self, patient: Row, unknown: Names) -> int | None:
        """Count the training rows with a patient's combination; None if it was never recorded."""
        if not unknown:
            names = self.params.roles.recorded_together
            return self.training_rows.get(tuple([patient.get(name) for name in names]))
        names = self._together(unknown)
        counts = self.reference.together.grouped(names, ()).get(
            tuple(patient.get(name) for name in names)
        )
        return None if counts is None else counts[()]

    def _together(self, unknown: Names) -> Names:
        return tuple(one for one in self.params.roles.recorded_together if one not in unknown)

    @cached_property
    def group_of(self) -> Callable[[Row], tuple[str, ...]]:
        """Name a patient's group, if intervals are by group."""
        return groups_by(self.reference.interval.by, self.params)


@dataclass(frozen=True)
class Model(Loaded):
    """The champion, ready to serve, with its card and explanations."""

    bucket: ObstoreBucket
    champion: Champion

    @cached_property
    def skill(self) -> Skill:
        verdict = self.champion.verdict
        return Skill(r2=round(verdict.candidate.r2.value, 4), beats_average=verdict.beats_average)

    @cached_property
    def explainer(self) -> Explainer:
        background = [self.params.features_of(row) for row in self.reference.background]
        return Explainer(self.scorer, background, list(self.params.features))

    def explain(self, patient: Row) -> Explanation:
        """Return each feature's contribution to a patient's score.

        For a mean of scores, this is the mean of the contributions to each.
        """
        unknown = self.unknown(patient)
        if not unknown:
            return self.explainer.explain(self.params.features_of(patient))
        choices = self.reference.later.choices(patient, unknown)
        return mean_of(
            [
                (choice.weight, self.explainer.explain(self.params.features_of(known)))
                for choice in choices
                for known in [{**patient, **dict(zip(unknown, choice.values, strict=True))}]
            ]
        )

    @property
    def card(self) -> ServedCard:
        """Return its card with the last promotions, learning curve and monitoring.

        Raises ArtefactMissing, ArtefactCorrupted, and the storage errors of `Bucket`.
        """
        card = self._card  # without which the rest need not be read
        return card.model_copy(
            update={
                "learning_curve": self._learning_curve.now(),
                "monitoring": self._monitoring.now(),
            }
        )

    @cached_property
    def _card(self) -> ServedCard:
        bucket = self.bucket.within(CARD_SECONDS)
        body = read_verified(bucket, self.champion.card)
        try:
            card = Card.model_validate_json(body)
        except ValidationError as error:
            raise ArtefactCorrupted(
                f"{self.champion.card.key} is not in this release's format"
            ) from error
        promotions = Registry(bucket).ledger(self.champion, LEDGER_ENTRIES)
        return ServedCard(**dict(card), ledger=tuple(map(LedgerEntry.of, promotions)))

    @cached_property
    def _learning_curve(self) -> Later[LearningCurve]:
        return Later(
            lambda: self._read_annex(LEARNING_CURVE, LearningCurve),
            self.params.serving.refresh_seconds,
        )

    @cached_property
    def _monitoring(self) -> Latest[Monitoring]:
        return Latest(
            lambda: self._read_annex(MONITORING, Monitoring), self.params.serving.refresh_seconds
        )

    def _read_annex[Annex: BaseModel](self, name: str, kind: type[Annex]) -> Annex | None:
        """Read an annex if there is one; a failure is only logged, because the card is optional."""
        registry = Registry(self.bucket.within(CARD_SECONDS))
        try:
            return registry.annex(self.version, name, kind)
        except ClinicalError as error:
            telemetry.logger().error(
                UNREAD[name],
                extra={"error": type(error).__name__, "reason": str(error)},
            )
            if isinstance(error, ArtefactCorrupted):
                telemetry.count(telemetry.Metric.ARTEFACTS_REFUSED)
            return None

    @cached_property
    def probability(self) -> Callable[[Floats], Floats]:
        """Return the function from differences of scores to win probabilities.

        Raises ModelUnavailable if the model is from a release that could not compare.
        """
        if self.reference.differences is None:
            raise ModelUnavailable(COMPARES_NOTHING, RETRY_SECONDS)
        return win_probability(self.reference.differences, self.params.target.higher_is)


def mean_of(weighted: Sequence[tuple[float, Explanation]]) -> Explanation:
    """Explain a mean of scores by the means of the contributions.

    weighted: weights, which add up to 1, and explanations. Standard errors add up linearly, because
    the same orders are drawn for all explanations; this is conservative.
    """

    def mean(of: Callable[[Explanation], Mapping[str, float]]) -> dict[str, float]:
        names = of(weighted[0][1])
        return {name: sum(weight * of(one)[name] for weight, one in weighted) for name in names}

    is_exact = weighted[0][1].standard_errors is None
    return Explanation(
        base_value=sum(weight * one.base_value for weight, one in weighted),
        contributions=mean(lambda one: one.contributions),
        standard_errors=None if is_exact else mean(lambda one: one.standard_errors or {}),
    )


def load(bucket: ObstoreBucket, champion: Champion) -> Model:
    """Load a champion for serving; raises what `opened` raises."""
    return Model(**vars(opened(bucket, champion)), bucket=bucket, champion=champion)


def opened(bucket: Bucket, version: Version, decided: Params | None = None) -> Loaded:
    """Fetch a version's files, verify their digests, and only then open them.

    decided: the params that requests are validated against, by default the deployed ones. Raises
    ArtefactMissing, ArtefactCorrupted, ModelOfAnotherStudy, ModelUnanswerable, and the storage
    errors of `Bucket`.
    """
    decided = decided or params()
    # Small files first: once the model has been read, nothing else can miss the deadline.
    reference = read_reference(bucket, version.reference)
    reference.check_contract(decided)
    scorer = Scorer(read_verified(bucket, version.model))
    if scorer.properties.get(REFERENCE_PROPERTY) != version.reference.sha256:
        raise ArtefactCorrupted(f"{version.version}: model and reference do not belong together")
    return ready(version.version, scorer, reference, decided)


def ready(version: str, scorer: Scorer, reference: Reference, decided: Params) -> Loaded:
    """Build what scores from a version's parts; raises ModelUnanswerable."""
    check_answers(scorer, reference, decided)
    names = decided.roles.recorded_together
    return Loaded(
        version=version,
        scorer=scorer,
        reference=reference,
        params=decided,
        training_rows={
            tuple(combination.values.get(name) for name in names): combination.training_rows
            for combination in reference.combinations
        },
    )
