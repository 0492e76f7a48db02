"""The scored file, as bytes in the raw bucket: read in ranges, never all of it in memory."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from clinical.artefacts import RawObject
from clinical.boto3_bucket import Boto3Bucket
from clinical.errors import ArtefactMissing, DatasetUnreadable

PIECE = 8 * 1024 * 1024  # bytes that are read at once
BEGINNING = 1024 * 1024  # bytes by which a file is known


@dataclass
class Source:
    """A version of an object, and its digest once it has been read to the end."""

    bucket: Boto3Bucket
    object: RawObject
    size: int
    _digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    @property
    def name(self) -> str:
        return self.object.key

    @cached_property
    def beginning(self) -> bytes:
        return self.range(0, min(BEGINNING, self.size))

    def range(self, start: int, end: int) -> bytes:
        """Read a range of bytes; raises DatasetUnreadable if the version is gone."""
        try:
            return self.bucket.get_range(self.object, start, min(end, self.size))
        except ArtefactMissing as error:
            raise DatasetUnreadable(
                f"{self.name} was deleted while it was being scored; upload it again"
            ) from error

    def pieces(self, piece: int = PIECE) -> Iterator[bytes]:
        """Read all of it, piece by piece."""
        self._digest = hashlib.sha256()
        for start in range(0, self.size, piece):
            body = self.range(start, start + piece)
            self._digest.update(body)
            yield body

    @property
    def sha256(self) -> str:
        """The digest of what `pieces` read."""
        return self._digest.hexdigest()
