"""A published version that scores the champion's requests, only into the log."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from clinical.artefacts import Bucket
from clinical.errors import ModelUnanswerable, VersionUnknown
from clinical.params import params
from clinical.reference import Row
from clinical.registry import Registry

from model.loader import Loaded, Model, opened
from model.scored import served


@dataclass(frozen=True)
class Shadowed:
    """A shadow's scores of rows, compared with the champion's.

    scores: as served. differences: from the champion's scores. Both are None for a row that the
    shadow would refuse. refused: the violation type of such a row, otherwise None. failed: the type
    of the error, if the shadow could not score at all.
    """

    version: str
    scores: Sequence[float | None] = ()
    differences: Sequence[float | None] = ()
    refused: Sequence[str | None] = ()
    failed: str = ""

    def fact(self) -> dict[str, object]:
        """Return the only row's comparison, as a property of the log line."""
        if self.failed:
            return self._failed()
        (refused,), (score,), (difference,) = self.refused, self.scores, self.differences
        if refused:
            return {"model_version": self.version, "refused": refused}
        return self._said(score, difference)

    def facts(self, some: slice) -> dict[str, object]:
        """Return the comparison of some rows, as a property of the log line."""
        if self.failed:
            return self._failed()
        said = self._said(self.scores[some], self.differences[some])
        refused = self.refused[some]
        return {**said, "refused": refused} if any(refused) else said

    def _said(self, scores: object, differences: object) -> dict[str, object]:
        return {
            "model_version": self.version,
            "prediction": {params().target.column: scores},
            "difference": differences,
        }

    def _failed(self) -> dict[str, object]:
        return {"model_version": self.version, "failed": self.failed}


class Shadow:
    """Keeps a version loaded beside the champion, and scores the champion's requests with it.

    name: of the version; None for no shadow.
    """

    def __init__(self, name: str | None) -> None:
        self.name = name
        self._loaded: Loaded | None = None

    def look(self, bucket: Bucket, champion: Model) -> None:
        """Load the version unless it is loaded already, or has become the champion.

        Raises VersionUnknown, and what `opened` raises: then nothing is loaded, and the next call
        tries again.
        """
        if self.name is None or self.name == champion.version:
            self._loaded = None
        elif self._loaded is None:
            version = Registry(bucket).version(self.name)
            if version is None:
                raise VersionUnknown(
                    f"the registry has no version {self.name}, which is serving.shadow in "
                    "params.yaml; `make models` lists the versions"
                )
            self._loaded = opened(bucket, version)

    def beside(self, patients: Sequence[Row], scores: Sequence[float]) -> Shadowed | None:
        """Score the champion's patients; None if no shadow is loaded.

        scores: the champion's, as served. Never raises, because the answer is already decided.
        """
        if self._loaded is None:
            return None
        try:
            return _shadowed(self._loaded, patients, scores)
        except Exception as error:  # noqa: BLE001 - whatever it is, the champion has answered
            return Shadowed(self._loaded.version, failed=type(error).__name__)


def _shadowed(loaded: Loaded, patients: Sequence[Row], scores: Sequence[float]) -> Shadowed:
    wrong = [loaded.unrecorded(one) for one in patients]
    taken = [one for one, refusal in zip(patients, wrong, strict=True) if refusal is None]
    unknown = [loaded.unknown(one) for one in taken]
    own = served(loaded.scores(taken, unknown), loaded.params) if taken else []
    if not all(map(math.isfinite, own)):
        raise ModelUnanswerable("a score is not a number")
    left, decimals = iter(own), loaded.params.target.decimals
    by_row = [next(left) if refusal is None else None for refusal in wrong]
    return Shadowed(
        version=loaded.version,
        scores=by_row,
        differences=[
            None if one is None else round(one - score, decimals)
            for one, score in zip(by_row, scores, strict=True)
        ],
        refused=[refusal.type if refusal else None for refusal in wrong],
    )
