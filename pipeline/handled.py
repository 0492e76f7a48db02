"""Which execution handles an upload: a repeated event finds the first execution's claim."""

import hashlib
from datetime import datetime

from clinical.artefacts import Bucket, canonical_json
from clinical.errors import ArtefactMissing, PreconditionFailed
from clinical.frozen import Frozen
from clinical.upload import Upload


class Claim(Frozen):
    """The execution that handles an upload, and since when."""

    execution: str
    upload: Upload
    claimed_at: datetime

    @property
    def told(self) -> str:
        """The reason for a later execution to end."""
        return (
            f"The execution {self.execution} has been handling this version of {self.upload.key} "
            f"since {self.claimed_at:%Y-%m-%d %H:%M:%S} UTC; to handle it again, start an "
            "execution manually."
        )


class Handled:
    """The claims under `uploads/` in the artefacts bucket, one per version of an object."""

    def __init__(self, bucket: Bucket) -> None:
        self.bucket = bucket

    def claim(self, claim: Claim) -> Claim:
        """Claim an upload for an execution, and return the claim that counts: the first."""
        key = _key(claim.upload)
        try:
            self.bucket.put_new(key, canonical_json(claim))
        except PreconditionFailed:
            return Claim.model_validate_json(self.bucket.get(key).body)
        return claim

    def take_over(self, claim: Claim) -> None:
        """Claim an upload for a manually started execution, replacing any other claim."""
        self.bucket.put(_key(claim.upload), canonical_json(claim))

    def of(self, upload: Upload) -> Claim | None:
        """Return the claim on an upload, if there is one."""
        try:
            return Claim.model_validate_json(self.bucket.get(_key(upload)).body)
        except ArtefactMissing:
            return None


def _key(upload: Upload) -> str:
    """Return a claim's key, a digest, because object keys may contain unsuitable characters."""
    named = f"{upload.key}\0{upload.version_id}".encode()
    return f"uploads/{hashlib.sha256(named).hexdigest()}.json"
