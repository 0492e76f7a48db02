import hashlib
import json
from pathlib import Path

import pytest

from local.emulator.objects import mend

ACCOUNT = "000000000000"


def write(root: Path, key: str, body: bytes, version: str | None = "v1", tag: str = "") -> Path:
    """An object as ministack keeps it, with what describes it."""
    path = root / ACCOUNT / "bucket" / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    tag = tag or hashlib.md5(body, usedforsecurity=False).hexdigest()
    described = {"etag": f'"{tag}"', "version_id": version}
    path.with_name(f"{path.name}.meta.json").write_text(json.dumps(described))
    return path


def displace(root: Path, key: str, body: bytes, version: str) -> None:
    path = root / ".versions" / ACCOUNT / "bucket" / version / key
    path.parent.mkdir(parents=True)
    path.write_bytes(body)


def test_objects_that_are_whole_stay(tmp_path: Path) -> None:
    whole = write(tmp_path, "raw/a.csv", b"a")
    in_parts = write(tmp_path, "raw/b.csv", b"b", tag="0123456789abcdef0123456789abcdef-2")

    assert mend(tmp_path) == []
    assert (whole.read_bytes(), in_parts.read_bytes()) == (b"a", b"b")


@pytest.mark.parametrize("key", ["raw/a.csv", "models/champion.json", "März 1.csv"])
def test_a_write_of_which_nobody_was_told_is_taken_back(tmp_path: Path, key: str) -> None:
    path = write(tmp_path, key, b"before")
    displace(tmp_path, key, b"before", "v1")
    path.write_bytes(b"half a write")

    assert mend(tmp_path) == [path]
    assert path.read_bytes() == b"before"
    assert mend(tmp_path) == []


def test_a_first_write_of_which_nobody_was_told_is_removed(tmp_path: Path) -> None:
    path = write(tmp_path, "raw/a.csv", b"a")
    path.with_name("a.csv.meta.json").unlink()
    half = path.with_name("b.csv.tmp")
    half.write_bytes(b"b")

    assert set(mend(tmp_path)) == {path, half}
    assert not path.exists()
    assert not half.exists()


def test_nothing_is_removed_that_is_described(tmp_path: Path) -> None:
    """Where no version before it lies there, what there is may still be of use."""
    path = write(tmp_path, "raw/a.csv", b"a")
    path.write_bytes(b"ab")

    assert mend(tmp_path) == [path]
    assert path.read_bytes() == b"ab"


def test_without_objects_there_is_nothing_to_mend(tmp_path: Path) -> None:
    assert mend(tmp_path / "s3") == []
