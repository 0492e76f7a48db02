"""A run's lineage: what each stage read and wrote, by digest, in one file that all enter."""

import json
from datetime import datetime
from typing import Any

from clinical.artefacts import Bucket, canonical_json
from clinical.errors import ArtefactMissing, PreconditionFailed, StorageUnavailable
from clinical.frozen import Frozen

ATTEMPTS = 20


class Entry(Frozen):
    """What a stage leaves: its inputs, and its output or the error that it ended in.

    from_cache_of: the execution whose work the output is, where it was not computed anew.
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
        """Read the file as it is; raises ArtefactMissing before the first entry."""
        return self.bucket.get(self.key).body

    def enter(self, stage: str, entry: Entry, params_sha256: str) -> None:
        """Add a stage's entry; stages that run in parallel do so one after the other.

        Raises StorageUnavailable where others write without a pause.
        """
        for _ in range(ATTEMPTS):
            try:
                self._enter_once(stage, entry, params_sha256)
            except PreconditionFailed:
                continue
            return
        raise StorageUnavailable(f"{self.key} was written by others {ATTEMPTS} times in a row")

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
