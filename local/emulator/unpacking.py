"""Unpack the layers and the code of functions once for all clouds on a machine."""

import hashlib
import os
import shutil
import tempfile
import threading
import zipfile
from io import BytesIO
from pathlib import Path

KEPT = 2 * (4 + 5)  # of two builds, the layers and the code of five kinds of functions
BYTECODE = "__pycache__"
UNUSED_SECONDS = 24 * 3600


class Unpacked:
    """Archives unpacked once each, in a folder named by the digest of its archive.

    folder: of them all, which other clouds may share at the same time.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._unpacked: dict[int, tuple[bytes, Path]] = {}
        self._lock = threading.Lock()

    def folder_of(self, archive: bytes) -> Path:
        """Return the folder with the contents of an archive, and a place for their bytecode."""
        with self._lock:
            known = self._unpacked.get(id(archive))
            if not (known and known[0] is archive):
                known = archive, self._folder / hashlib.sha256(archive).hexdigest()
                self._unpacked[id(archive)] = known
            folder = known[1]
            if not folder.exists():
                self._unpack(archive, folder)
            os.utime(folder)
            return folder

    def _unpack(self, archive: bytes, folder: Path) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(dir=self._folder))
        with zipfile.ZipFile(BytesIO(archive)) as file:
            file.extractall(beside)
        (beside / BYTECODE).mkdir(exist_ok=True)
        try:
            beside.rename(folder)
        except OSError:  # another cloud was first
            if not folder.exists():
                raise
            shutil.rmtree(beside)

    def forget_unused(self, now: float) -> None:
        """Delete what no cloud has used for long, except the last few."""
        found = sorted(self._folder.glob("*"), key=lambda folder: folder.stat().st_mtime)
        for folder in found[:-KEPT]:
            if now - folder.stat().st_mtime > UNUSED_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)
