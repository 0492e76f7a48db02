"""Which execution handles an upload: an event that comes twice finds the first one's claim."""

import hashlib
from datetime import datetime

from clinical.artefacts import Bucket, canonical_json
from clinical.errors import ArtefactMissing, PreconditionFailed
from clinical.frozen import Frozen
from clinical.upload import Upload


class Claim(Frozen):
    """The execution that an upload is handled by, and since when."""

    execution: str
    upload: Upload
    claimed_at: datetime

    @property
    def told(self) -> str:
        """What is said to an execution that comes later."""
        return (
            f"The execution {self.execution} handles this version of {self.upload.key} since "
            f"{self.claimed_at:%Y-%m-%d %H:%M:%S} UTC; to handle it again, start an execution by "
            "hand."
        )


class Handled:
    """The claims under `uploads/` in the artefacts bucket, one a version of an object."""

    def __init__(self, bucket: Bucket) -> None:
        self.bucket = bucket

    def claim(self, claim: Claim) -> Claim:
        """Claim an upload for an execution, and give the claim that stands, the first one."""
        key = _key(claim.upload)
        try:
            self.bucket.put_new(key, canonical_json(claim))
        except PreconditionFailed:
            return Claim.model_validate_json(self.bucket.get(key).body)
        return claim

    def take_over(self, claim: Claim) -> None:
        """Claim an upload for an execution that somebody started, whoever had it before."""
        self.bucket.put(_key(claim.upload), canonical_json(claim))

    def of(self, upload: Upload) -> Claim | None:
        """Find the claim that stands on an upload, if there is one."""
        try:
            return Claim.model_validate_json(self.bucket.get(_key(upload)).body)
        except ArtefactMissing:
            return None


def _key(upload: Upload) -> str:
    """Name a claim by what it is about; keys of objects may hold what a key here should not."""
    named = f"{upload.key}\0{upload.version_id}".encode()
    return f"uploads/{hashlib.sha256(named).hexdigest()}.json"
