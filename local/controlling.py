"""Write the change-control page of the deployed stack: `make change-control`."""

from pathlib import Path

from change_control import history, render
from clinical.boto3_bucket import Boto3Bucket
from clinical.errors import ArtefactCorrupted
from clinical.params import params
from rich.console import Console
from rich.markup import escape

from local.cloud import CloudFailed
from local.stack import Stack

NAME = "change-control.html"


def write(stack: Stack, file: Path | None, console: Console) -> None:
    """Write the page to a file, as of the last promotion.

    file: the path; None for change-control.html in .local, or in the study's folder there. Raises
    CloudFailed if the registry is damaged or the file cannot be written.
    """
    try:
        found = history(Boto3Bucket(stack.s3, stack.outputs.artifacts_bucket))
    except ArtefactCorrupted as error:
        raise CloudFailed(str(error)) from error
    path = (file or stack.folder / NAME).resolve()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(render(found, params()), encoding="utf-8")
    except OSError as error:
        raise CloudFailed(f"{path} cannot be written: {error.strerror}") from error
    console.print(f"[bold]{escape(str(path))}[/]")
    if found.last is None:
        console.print("No model has been promoted yet. Run `make retrain` to train one.")
        return
    made = f"{len(found.changes):,} {'change' if len(found.changes) == 1 else 'changes'}"
    console.print(
        f"It lists {made}; the last is promotion {found.last.entry.sequence}, of "
        f"{found.last.entry.version}."
    )
