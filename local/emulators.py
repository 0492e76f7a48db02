"""Which emulator the stack is on: as somebody says, or else as the last `up` left it."""

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import ValidationError

from local.cloud import Cloud, CloudFailed
from local.localstack import LocalStack
from local.ministack import Ministack
from local.stack import Outputs, Stack

DEFAULT_PORT = 4566
EMULATORS: dict[str, type[Cloud]] = {cloud.name: cloud for cloud in (Ministack, LocalStack)}


def stack_at(home: Path, emulator: str | None = None, port: int | None = None) -> Stack:
    """Find the stack whose cloud keeps all that it has in a folder.

    EMULATOR= and PORT= have to be said once: the last `up` is remembered.
    Raises CloudFailed where there is no such emulator.
    """
    last = _last_outputs(home)
    name = emulator or (last.emulator if last else Ministack.name)
    if name not in EMULATORS:
        raise CloudFailed(f"EMULATOR= may be {' or '.join(EMULATORS)}, and not {name}")
    port = port or (last and urlsplit(last.endpoint_url).port) or DEFAULT_PORT
    return Stack(EMULATORS[name](home, port))


def _last_outputs(home: Path) -> Outputs | None:
    try:
        return Outputs.model_validate_json((home / "outputs.json").read_text())
    except (FileNotFoundError, ValidationError):
        return None
