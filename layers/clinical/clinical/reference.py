"""What serving says around a score, and knows from the training rows: `reference.json`.

The model's graph carries its digest, so that a graph and its reference are one version.
"""

from collections.abc import Mapping

from pydantic import ValidationError

from clinical.artefacts import Artefact, Bucket, read_verified
from clinical.errors import ArtefactCorrupted, ModelOfAnotherStudy
from clinical.frozen import Frozen
from clinical.kinds import Value
from clinical.params import Params

type Row = Mapping[str, Value]


class Combination(Frozen):
    """Values that the data set records together, and in how many training rows."""

    values: dict[str, Value]
    training_rows: int


class Conformal(Frozen):
    """Half the width of the interval around a score, from residuals of rows left out of the fit."""

    coverage: float
    half_width: float
    residuals: int
    folds: int


class Reference(Frozen):
    """The recorded combinations, the interval, and the rows to explain a score against.

    background: rows of the training data, as requests would have them.
    contract: the digest of that under which the model was trained; None in what an earlier release
    wrote.
    """

    combinations: tuple[Combination, ...]
    interval: Conformal
    background: tuple[dict[str, Value], ...]
    contract: str | None = None

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
