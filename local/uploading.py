"""Upload a file in parts, and show the progress."""

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boto3.exceptions import S3UploadFailedError
from boto3.s3.transfer import TransferConfig
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from local.cloud import CloudFailed
from local.machines import RETRAIN, UploadMachine
from local.stack import Stack

MEGABYTE = 1_000_000
PART_BYTES = 8 * 1024 * 1024
IN_PARTS = TransferConfig(
    multipart_threshold=PART_BYTES, multipart_chunksize=PART_BYTES, max_concurrency=4
)
WRITTEN_BY = ("PutObject", "CompleteMultipartUpload")  # their responses have the version

type Told = Callable[[int], None]


@dataclass(frozen=True)
class Uploaded:
    """The key and version of an uploaded object."""

    key: str
    version_id: str


def unheard(_: int) -> None:
    """Ignore the progress of an upload."""


def upload(
    stack: Stack,
    path: Path,
    machine: UploadMachine = RETRAIN,
    told: Told = unheard,
    name: str | None = None,
) -> Uploaded:
    """Upload a file to the folder where it starts a state machine.

    told: called with the number of bytes uploaded since the last call.
    name: of the file, if it is stored under another one.
    Raises CloudFailed if it cannot be read or S3 rejects it, and KeyboardInterrupt, which says
    whether it was uploaded, if it is interrupted. Neither leaves a partial upload.
    """
    return put(stack, path, machine.key(name or path.name), told)


def put(stack: Stack, path: Path, key: str, told: Told = unheard) -> Uploaded:
    """Upload a file to a key of the uploads' bucket; raises the same as `upload`."""
    size_of(path)
    s3 = stack.new_s3()
    written: list[str] = []

    def hear(parsed: dict[str, Any], **_: object) -> None:
        if version := parsed.get("VersionId"):
            written.append(version)

    for operation in WRITTEN_BY:
        s3.meta.events.register(f"after-call.s3.{operation}", hear)
    try:
        s3.upload_file(str(path), stack.outputs.raw_bucket, key, Callback=told, Config=IN_PARTS)
    except KeyboardInterrupt:
        became = f"was uploaded as {key}" if written else "was not uploaded, not even in part"
        raise KeyboardInterrupt(f"Interrupted. {path.name} {became}.") from None
    except S3UploadFailedError as error:
        raise CloudFailed(f"{path} was not uploaded: {error.__context__ or error}") from error
    return Uploaded(key, written[-1])


@contextmanager
def shown(path: Path, console: Console) -> Iterator[Told]:
    """Show the progress of an upload: as a bar on a terminal, and at the end as a sentence."""
    began, size = time.monotonic(), size_of(path)
    columns = (
        TextColumn("Uploading {task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        task = progress.add_task(escape(path.name), total=size)
        yield lambda sent: progress.advance(task, sent)
    took = time.monotonic() - began
    console.print(f"Uploaded {escape(path.name)}: {megabytes(size)} in {took:.1f} s.")


def on_terminal(
    stack: Stack, path: Path, console: Console, machine: UploadMachine = RETRAIN
) -> Uploaded:
    """Upload a file, and show the progress."""
    with shown(path, console) as told:
        return upload(stack, path, machine, told)


def size_of(path: Path) -> int:
    """Return a file's size in bytes; raises CloudFailed if it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.seek(0, 2)
    except OSError as error:
        raise CloudFailed(f"{path} cannot be read: {error.strerror}") from error


def tag_of(path: Path) -> str:
    """Return S3's ETag of a file that was uploaded from here.

    For a file in parts, this is the digest of its parts' digests.
    """
    size = size_of(path)
    digests = []
    with path.open("rb") as file:
        while part := file.read(PART_BYTES):
            digests.append(hashlib.md5(part, usedforsecurity=False))
    if size < PART_BYTES:
        return f'"{digests[0].hexdigest() if digests else _md5(b"")}"'
    return f'"{_md5(b"".join(one.digest() for one in digests))}-{len(digests)}"'


def megabytes(size: int) -> str:
    """Format a size; in bytes if it is less than a tenth of a megabyte."""
    return f"{size / MEGABYTE:,.1f} MB" if size >= MEGABYTE / 10 else f"{size:,} bytes"


def _md5(body: bytes) -> str:
    return hashlib.md5(body, usedforsecurity=False).hexdigest()
