"""What serving needs from the training rows besides the model: `reference.json`.

The model's graph contains its digest, so that graph and reference form one version.
"""

from collections.abc import Mapping
from functools import cached_property

from pydantic import ValidationError

from clinical.artefacts import Artefact, Bucket, read_verified
from clinical.errors import ArtefactCorrupted, ModelOfAnotherStudy
from clinical.frozen import Frozen
from clinical.kinds import Value
from clinical.params import Params
from clinical.recorded import Combination, Recorded

type Row = Mapping[str, Value]


class GroupWidth(Frozen):
    """The half-width of the interval for a group with enough residuals of its own.

    of: the group's name in each column of `Conformal.by`.
    """

    of: tuple[str, ...]
    half_width: float
    residuals: int


class Conformal(Frozen):
    """The half-width of prediction intervals, from out-of-fold residuals.

    over: the columns that the score is averaged over because they are not known yet.
    by: the columns whose groups have a half-width of their own; other groups have the overall one.
    """

    coverage: float
    half_width: float
    residuals: int
    folds: int
    over: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    groups: tuple[GroupWidth, ...] = ()

    def half_width_of(self, group: tuple[str, ...]) -> float:
        """Return a group's half-width, by its name in each column of `by`."""
        return self._of_group.get(group, self.half_width)

    @cached_property
    def _of_group(self) -> dict[tuple[str, ...], float]:
        return {group.of: group.half_width for group in self.groups}


class Differences(Frozen):
    """The distribution of differences between two out-of-fold residuals.

    quantiles: of the absolute difference of two independent residuals, at equally spaced
    probabilities from 0 to 1, in units of the target. residuals: how many there were.
    If intervals are by group, residuals were first scaled to the overall width.
    """

    quantiles: tuple[float, ...]
    residuals: int


class Reference(Frozen):
    """Recorded combinations, intervals, and background rows for explanations.

    combinations: of the columns in roles.recorded_together.
    known_later: of these and the columns known after treatment; treatments: of those and the
    treatment columns. Each is present only if the one before lacks some of the columns.
    averaged: the intervals of scores for which some columns are not known yet.
    differences: None in files of earlier releases, which cannot compare treatments.
    background: rows of the training data, in the form of requests.
    contract: the digest of the contract that the model was trained under; None in files of earlier
    releases.
    """

    combinations: tuple[Combination, ...]
    interval: Conformal
    background: tuple[dict[str, Value], ...]
    contract: str | None = None
    known_later: tuple[Combination, ...] = ()
    treatments: tuple[Combination, ...] = ()
    averaged: tuple[Conformal, ...] = ()
    differences: Differences | None = None

    def check_contract(self, params: Params) -> None:
        """Raise ModelOfAnotherStudy unless the model was trained under the current contract."""
        if self.contract is None:
            is_known = all(set(row) == set(params.features) for row in self.background)
        else:
            is_known = self.contract == params.contract_digest
        if not is_known:
            raise ModelOfAnotherStudy(
                "the model was trained under a different data contract from the one now in force; "
                "train a new model"
            )

    @cached_property
    def together(self) -> Recorded:
        return Recorded(self.combinations)

    @cached_property
    def later(self) -> Recorded:
        """The combinations that include the columns known after treatment."""
        return Recorded(self.known_later) if self.known_later else self.together

    @cached_property
    def treated(self) -> Recorded:
        """The combinations that include the treatment columns."""
        return Recorded(self.treatments) if self.treatments else self.together

    @cached_property
    def intervals(self) -> dict[tuple[str, ...], Conformal]:
        """The intervals, by the columns that the score is averaged over."""
        return {one.over: one for one in (self.interval, *self.averaged)}


def read_reference(bucket: Bucket, artefact: Artefact) -> Reference:
    """Read a reference; raises ArtefactMissing, ArtefactCorrupted."""
    body = read_verified(bucket, artefact)
    try:
        return Reference.model_validate_json(body)
    except ValidationError as error:
        raise ArtefactCorrupted(f"{artefact.key} is not in this release's format") from error


def example_request(reference: Reference, params: Params) -> dict[str, Value]:
    """Return a recorded row in the form of a request, which the model can answer."""
    row = reference.background[0]
    return {name: row.get(name, kind.example) for name, kind in params.asked.items()}
