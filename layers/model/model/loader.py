"""Make of the champion in the registry what the predict function serves."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from clinical.artefacts import Bucket, read_verified
from clinical.contract import Violation
from clinical.errors import ArtefactCorrupted
from clinical.params import params
from clinical.registry import COMBINATIONS_PROPERTY, Champion

from model.scorer import Scorer

type Combination = tuple[object, ...]


@dataclass(frozen=True)
class Model:
    """A champion, ready: it scores, and knows which combinations the data recorded."""

    version: str
    scorer: Scorer
    combinations: frozenset[Combination]

    def unrecorded(self, features: Mapping[str, object]) -> Violation | None:
        """Say so if the data never recorded this condition, drug, dosage and side effect."""
        columns = params().features.combination
        if tuple(features[column] for column in columns) in self.combinations:
            return None
        return Violation(
            loc=("body",),
            msg=f"{', '.join(columns[:-1])} and {columns[-1]} were never recorded together; "
            "GET /dropdown-values lists the valid_combinations",
            type="unrecorded_combination",
        )


def load(bucket: Bucket, champion: Champion) -> Model:
    """Fetch a champion's files, check their digests, and only then open them.

    Raises ArtefactMissing, ArtefactCorrupted, and the storage errors of `Bucket`.
    """
    combinations = json.loads(read_verified(bucket, champion.combinations))
    scorer = Scorer(read_verified(bucket, champion.model))
    if scorer.properties.get(COMBINATIONS_PROPERTY) != champion.combinations.sha256:
        raise ArtefactCorrupted(f"{champion.version} was not made with its combinations")
    return Model(
        version=champion.version,
        scorer=scorer,
        combinations=frozenset(
            tuple(one[column] for column in params().features.combination) for one in combinations
        ),
    )
