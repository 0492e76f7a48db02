"""Store the cloud's state in complete generations, so that a crash leaves the previous one.

A generation is a folder with one JSON file per service, and a manifest with their digests. It is
written beside the others and then renamed, so that it is always complete; unchanged files are hard
links. If the disk lost data, the digests reveal it, and the previous generation is used. Long
values, such as layers, are stored once under their digests.
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

MANIFEST = "manifest.json"
RUNNING = "running"  # is there from a start to a stop, and so after a crash
KEPT = 2
CODE = "lambda-blobs"
KINDS = (b"__long__", b"code_blob_ref")
REFERENCE = re.compile(rb'"(%b)": "([0-9a-f]{64})"' % b"|".join(KINDS))


@dataclass(frozen=True)
class Generation:
    """One state of the cloud; files: the digest of each, by its name."""

    folder: Path
    files: Mapping[str, str]


@dataclass(frozen=True)
class Generations:
    """The generations in a folder, and the long values that they share.

    referred: what the files of the last ones refer to, by their digests: most do not change.
    """

    folder: Path
    referred: dict[str, list[str]] = field(default_factory=dict, repr=False, compare=False)

    def newest(self) -> tuple[Generation | None, list[str]]:
        """Return the newest complete generation, and the names of damaged newer ones."""
        refused: list[str] = []
        for path in self._paths():
            generation = _read(path)
            if generation and self._is_whole(generation):
                return generation, refused
            refused.append(path.name)
        return None, refused

    def write(self, files: Mapping[str, bytes], last: Generation | None) -> Generation:
        """Write the next generation, unless nothing has changed; raises OSError."""
        digests = {name: digest(body) for name, body in files.items()}
        if last and digests == last.files:
            return last
        number = max((int(path.name) for path in self._paths()), default=0) + 1
        folder = self.folder / f"{number:09}"
        beside = folder.with_suffix(".tmp")
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True)
        for name, body in files.items():
            if last and last.files.get(name) == digests[name]:
                beside.joinpath(name).hardlink_to(last.folder / name)
            else:
                _write(beside / name, body)
        _write(beside / MANIFEST, json.dumps({"files": digests}, indent=1).encode())
        beside.rename(folder)
        self._forget()
        return Generation(folder, digests)

    def write_long(self, value: bytes) -> str:
        """Store a long value, and return its digest."""
        name = digest(value)
        path = self.long(name)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            beside = path.with_suffix(".tmp")
            _write(beside, value)
            beside.rename(path)
        return name

    def long(self, name: str) -> Path:
        """Return the path of a long value."""
        return self.folder / "long" / name

    def _is_whole(self, generation: Generation) -> bool:
        """Whether all files match their digests, and all that they refer to exists."""
        try:
            bodies = [(generation.folder / name).read_bytes() for name in generation.files]
        except OSError:
            return False
        return list(map(digest, bodies)) == list(generation.files.values()) and all(
            (self.folder / place).exists() for body in bodies for place in _referred(body)
        )

    def _paths(self) -> list[Path]:
        """List the generations, newest first."""
        found = [path for path in self.folder.glob("*") if re.fullmatch(r"\d{9}", path.name)]
        return sorted(found, reverse=True)

    def _forget(self) -> None:
        """Remove old generations, and what only they refer to."""
        kept, old = self._paths()[:KEPT], self._paths()[KEPT:]
        if not old:
            return
        for path in old:
            shutil.rmtree(path)
        files = {
            digest: path / name
            for path in kept
            if (generation := _read(path))
            for name, digest in generation.files.items()
        }
        referred = {digest: self._referred_in(digest, path) for digest, path in files.items()}
        self.referred.clear()
        self.referred.update(referred)
        needed = {self.folder / place for places in referred.values() for place in places}
        before_generations = self.folder.glob("*.json")  # as ministack leaves its state
        for path in (
            *self.folder.glob("long/*"),
            *self.folder.glob(f"{CODE}/*"),
            *before_generations,
        ):
            if path not in needed:
                path.unlink()

    def _referred_in(self, digest: str, file: Path) -> list[str]:
        if digest not in self.referred:
            return _referred(file.read_bytes())
        return self.referred[digest]


def digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _referred(body: bytes) -> list[str]:
    """List what a file refers to: long values, and the functions' code, which is ministack's."""
    if not any(kind in body for kind in KINDS):  # which is soon found; most files refer to nothing
        return []
    return [
        f"long/{name.decode()}" if kind == b"__long__" else f"{CODE}/{name.decode()}.zip"
        for kind, name in REFERENCE.findall(body)
    ]


def _read(folder: Path) -> Generation | None:
    try:
        files = json.loads((folder / MANIFEST).read_bytes())["files"]
        return Generation(folder, dict(files))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write(path: Path, body: bytes) -> None:
    """Write a file and flush it to disk, so that a power failure after a rename is harmless."""
    with path.open("wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
