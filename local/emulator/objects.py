"""Repair objects in S3 that a crash left half-written.

Ministack writes an object's bytes, and then the file that describes them, each atomically. A crash
between the two leaves the bytes of a write that was never confirmed. They are rolled back to the
previous version, which is in a folder of its own.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

DESCRIBED = ".meta.json"
VERSIONS = ".versions"


def mend(root: Path) -> list[Path]:
    """Repair the objects in S3's folder, and list those that were half-written."""
    mended = []
    for path in list(_objects(root)):
        if path.suffix == ".tmp" or not _describes(path):
            mended.append(path)
            before = _version_before(root, path)
            if before and before.exists():
                beside = path.with_name(f"{path.name}.tmp")
                shutil.copyfile(before, beside)
                beside.replace(path)
            elif not _description(path).exists():
                path.unlink()
    return mended


def _objects(root: Path) -> Iterator[Path]:
    for account in root.glob("[0-9]*"):
        for path in account.rglob("*"):
            if path.is_file() and not path.name.endswith(DESCRIBED):
                yield path


def _description(path: Path) -> Path:
    return path.with_name(path.name + DESCRIBED)


def _describes(path: Path) -> bool:
    """Whether the description beside an object matches its bytes, as far as the ETag shows."""
    try:
        said = json.loads(_description(path).read_bytes())
    except OSError:
        return False
    tag = str(said.get("etag", "")).strip('"')
    if said.get("is_delete_marker") or "-" in tag:
        return True
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest() == tag


def _version_before(root: Path, path: Path) -> Path | None:
    """Return the path of the version that is described."""
    try:
        version = json.loads(_description(path).read_bytes()).get("version_id") or "null"
    except OSError:
        return None
    account, bucket, *key = path.relative_to(root).parts
    return root.joinpath(VERSIONS, account, bucket, version, *key)
