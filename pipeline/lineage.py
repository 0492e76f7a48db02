"""A run's lineage: the digests of each stage's inputs and outputs, in one file."""

import json
from datetime import datetime
from typing import Any

from clinical.artefacts import Bucket, canonical_json
from clinical.errors import ArtefactMissing, PreconditionFailed, StorageUnavailable
from clinical.frozen import Frozen

ATTEMPTS = 20


class Entry(Frozen):
    """A stage's entry: its inputs, and its output or its error.

    from_cache_of: the execution that computed the output, if it was cached.
    """

    fingerprint: str
    started_at: datetime
    inputs: dict[str, Any]
    output: dict[str, Any] | None = None
    from_cache_of: str | None = None
    error: str | None = None


class Lineage:
    """`runs/<execution>/lineage.json`."""

    def __init__(self, bucket: Bucket, execution: str) -> None:
        self.bucket = bucket
        self.execution = execution
        self.key = f"runs/{execution}/lineage.json"

    def read(self) -> bytes:
        """Read the file; raises ArtefactMissing before the first entry."""
        return self.bucket.get(self.key).body

    def enter(self, stage: str, entry: Entry, params_sha256: str) -> None:
        """Add a stage's entry; parallel stages do so one after the other.

        Raises StorageUnavailable if others keep writing.
        """
        for _ in range(ATTEMPTS):
            try:
                self._enter_once(stage, entry, params_sha256)
            except PreconditionFailed:
                continue
            return
        raise StorageUnavailable(f"{self.key} was changed by others {ATTEMPTS} times in a row")

    def _enter_once(self, stage: str, entry: Entry, params_sha256: str) -> None:
        try:
            stored = self.bucket.get(self.key)
        except ArtefactMissing:
            empty = {"execution": self.execution, "params_sha256": params_sha256, "stages": {}}
            self.bucket.put_new(self.key, _with(empty, stage, entry))
        else:
            entered = _with(json.loads(stored.body), stage, entry)
            self.bucket.put_over(self.key, entered, stored.etag)


def _with(lineage: dict[str, Any], stage: str, entry: Entry) -> bytes:
    stages = lineage["stages"] | {stage: entry.model_dump(mode="json")}
    return canonical_json(lineage | {"stages": stages})
