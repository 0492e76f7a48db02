"""Files that are written completely or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from local.cloud import CloudFailed


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """Yield a path beside a file, to write what then replaces it; removed at the end if it is left.

    Whatever interrupts the writing, the file stays as it was.
    """
    new = path.with_name(f".{path.name}.{uuid4().hex[:8]}")
    try:
        yield new
    finally:
        new.unlink(missing_ok=True)


def replace_text(path: Path, text: str) -> None:
    """Write a text file in one step, whether or not it exists; raises OSError."""
    with beside(path) as new:
        new.write_text(text, encoding="utf-8")
        new.replace(path)


def check_writable(out: Path, name: str) -> None:
    """Raise CloudFailed if a file cannot be written, before anything is done.

    name: to suggest for the file, if only a folder is given.
    """
    if not out.parent.is_dir():
        raise CloudFailed(f"OUT={out} cannot be written: the folder {out.parent} does not exist")
    if not os.access(out.parent, os.W_OK):
        raise CloudFailed(f"OUT={out} cannot be written: permission denied for its folder")
    if out.is_dir():
        raise CloudFailed(f"OUT={out} is a folder; name a file in it: OUT={out / name}")
