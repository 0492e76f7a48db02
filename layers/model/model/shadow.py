"""A published version that scores what the champion scores, into the log alone."""

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
    """What a shadow says of rows, beside what the champion said.

    scores: as they are served. differences: of them from the champion's. Both are None for a row
    that the shadow would refuse. refused: the type of the violation of such a row, else None.
    failed: the type of the error, where it could say nothing.
    """

    version: str
    scores: Sequence[float | None] = ()
    differences: Sequence[float | None] = ()
    refused: Sequence[str | None] = ()
    failed: str = ""

    def fact(self) -> dict[str, object]:
        """Say it of the only row, as a property of a line."""
        if self.failed:
            return self._failed()
        (refused,), (score,), (difference,) = self.refused, self.scores, self.differences
        if refused:
            return {"model_version": self.version, "refused": refused}
        return self._said(score, difference)

    def facts(self, some: slice) -> dict[str, object]:
        """Say it of some rows, as a property of a line."""
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
    """Keeps a version loaded beside the champion, and asks it what it would have said.

    name: of the version; None where there is none.
    """

    def __init__(self, name: str | None) -> None:
        self.name = name
        self._loaded: Loaded | None = None

    def look(self, bucket: Bucket, champion: Model) -> None:
        """Load the version unless it is loaded, or serves by now.

        Raises VersionUnknown, and what `opened` does: then nothing is loaded, and the next look
        tries again.
        """
        if self.name is None or self.name == champion.version:
            self._loaded = None
        elif self._loaded is None:
            version = Registry(bucket).version(self.name)
            if version is None:
                raise VersionUnknown(
                    f"the registry holds no version {self.name}, which params.yaml names as "
                    "serving.shadow; `make models` lists them"
                )
            self._loaded = opened(bucket, version)

    def beside(self, patients: Sequence[Row], scores: Sequence[float]) -> Shadowed | None:
        """Score patients as the champion did; None where no shadow is loaded.

        scores: the champion's, as they are served. Never raises: the answer stands already.
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
        raise ModelUnanswerable("a score is no number")
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
