"""Choose the stack's emulator: the one requested, or the one of the last `up`."""

from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import ValidationError

from local.cloud import Cloud, CloudFailed
from local.localstack import LocalStack
from local.ministack import Ministack
from local.stack import Outputs, Stack, folders_in
from local.studies import THE_DRUG_STUDY, Study

DEFAULT_PORT = 4566
EMULATORS: dict[str, type[Cloud]] = {cloud.name: cloud for cloud in (Ministack, LocalStack)}


def stack_at(
    home: Path,
    emulator: str | None = None,
    port: int | None = None,
    study: Study = THE_DRUG_STUDY,
) -> Stack:
    """Return the stack of a study, on the cloud whose state is in a folder.

    EMULATOR= and PORT= are remembered from the last `up`. Raises CloudFailed if there is no such
    emulator.
    """
    last = _last_outputs(home)
    name = emulator or (last.emulator if last else Ministack.name)
    if name not in EMULATORS:
        raise CloudFailed(f"EMULATOR={name} is unknown; use {' or '.join(EMULATORS)}")
    port = port or (last and urlsplit(last.endpoint_url).port) or DEFAULT_PORT
    return Stack(EMULATORS[name](home, port), study)


def _last_outputs(home: Path) -> Outputs | None:
    """Read the outputs of the stack that was deployed last, of any study."""
    files = [folder / "outputs.json" for folder in folders_in(home)]
    for file in sorted(files, key=lambda file: file.stat().st_mtime, reverse=True):
        with suppress(ValidationError):
            return Outputs.model_validate_json(file.read_text())
    return None
