"""What serving says around a score, and knows from the training rows: `reference.json`.

The model's graph carries its digest, so that a graph and its reference are one version.
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
    """Half the width of the interval for one group, which has residuals enough of its own.

    of: what the group is called, for each column of `Conformal.by`.
    """

    of: tuple[str, ...]
    half_width: float
    residuals: int


class Conformal(Frozen):
    """Half the width of the interval around a score, from residuals of rows left out of the fit.

    over: the columns that this score is averaged over, for they are not known yet.
    by: the columns whose groups have a width of their own; others have that of all.
    """

    coverage: float
    half_width: float
    residuals: int
    folds: int
    over: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    groups: tuple[GroupWidth, ...] = ()

    def half_width_of(self, group: tuple[str, ...]) -> float:
        """Give half the width for a group, by what it is called in each column of `by`."""
        return self._of_group.get(group, self.half_width)

    @cached_property
    def _of_group(self) -> dict[tuple[str, ...], float]:
        return {group.of: group.half_width for group in self.groups}


class Differences(Frozen):
    """How far the residuals of two rows lie apart, which were left out of the fit.

    quantiles: of the size of the difference of two independent residuals, at equally spaced
    probabilities from 0 to 1, in units of the target. residuals: how many there were.
    Where intervals go by groups, residuals were first made as wide as those of all.
    """

    quantiles: tuple[float, ...]
    residuals: int


class Reference(Frozen):
    """What was recorded together, the intervals, and the rows to explain a score against.

    combinations: of the columns that roles.recorded_together names.
    known_later, treatments: of these and of what is known after treatment, and of those and of the
    treatment's columns; only where the former have not all of them.
    averaged: the intervals of scores for which something is not known yet.
    differences: None in what an earlier release wrote, which compares no treatments.
    background: rows of the training data, as requests would have them.
    contract: the digest of that under which the model was trained; None in what an earlier release
    wrote.
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
        """Raise ModelOfAnotherStudy unless requests under these decisions are what it knows."""
        if self.contract is None:
            is_known = all(set(row) == set(params.features) for row in self.background)
        else:
            is_known = self.contract == params.contract_digest
        if not is_known:
            raise ModelOfAnotherStudy(
                "the model was trained under another contract than requests are held to now; train "
                "one under this"
            )

    @cached_property
    def together(self) -> Recorded:
        return Recorded(self.combinations)

    @cached_property
    def later(self) -> Recorded:
        """What was recorded with what is known after treatment."""
        return Recorded(self.known_later) if self.known_later else self.together

    @cached_property
    def treated(self) -> Recorded:
        """What was recorded with which treatment."""
        return Recorded(self.treatments) if self.treatments else self.together

    @cached_property
    def intervals(self) -> dict[tuple[str, ...], Conformal]:
        """The interval of a score, by the columns that it is averaged over."""
        return {one.over: one for one in (self.interval, *self.averaged)}


def read_reference(bucket: Bucket, artefact: Artefact) -> Reference:
    """Read a reference; raises ArtefactMissing, ArtefactCorrupted."""
    body = read_verified(bucket, artefact)
    try:
        return Reference.model_validate_json(body)
    except ValidationError as error:
        raise ArtefactCorrupted(f"{artefact.key} is no reference of this code") from error


def example_request(reference: Reference, params: Params) -> dict[str, Value]:
    """Give a recorded row as a request: what is known to be answered."""
    row = reference.background[0]
    return {name: row.get(name, kind.example) for name, kind in params.asked.items()}
