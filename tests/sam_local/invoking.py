"""`sam local` as often as it is asked for, loaded once, with each image built once.

Where a template defines layers, sam builds the image of a function at every invocation: it packs
them, hundreds of megabytes, for the engine to find that it has that image. Here the template's
build stays as it is for as long as this process runs, and so does an image that was made of it.
Each command runs in a fork, and prints and ends as `sam` does. (Loading it takes longer than most
of the functions.)

It reads a line of JSON a command, and answers with the exit code.
"""

import json
import os
import signal
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

from samcli.cli.main import cli  # type: ignore[import-untyped]  # sam has no types
from samcli.commands.local.invoke import cli as loaded  # type: ignore[import-untyped]
from samcli.local.docker.lambda_image import LambdaImage  # type: ignore[import-untyped]

from tests.patience import PATIENCE_SECONDS

_build_image = LambdaImage._build_image


def build_once(folder: Path) -> None:
    """Have an image built unless a command before did; folder: to note in which were."""

    def build(image: LambdaImage, base: str, tag: str, *rest: Any, **named: Any) -> None:
        built = folder / sha256(f"{base} {tag}".encode()).hexdigest()
        if not built.exists():
            _build_image(image, base, tag, *rest, **named)
            built.touch()

    LambdaImage._build_image = build


def run(arguments: list[str], stdout: str, stderr: str) -> int:
    """Run a command in a fork, and give its exit code.

    stdout, stderr: the files into which it prints.
    """
    if child := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    signal.alarm(PATIENCE_SECONDS)
    for path, stream in ((stdout, sys.stdout), (stderr, sys.stderr)):
        with Path(path).open("wb") as file:
            os.dup2(file.fileno(), stream.fileno())
    sys.exit(cli(arguments, prog_name="sam"))


if __name__ == "__main__":
    assert loaded
    build_once(Path(sys.argv[1]))
    for line in sys.stdin:
        sys.stdout.write(f"{run(**json.loads(line))}\n")
        sys.stdout.flush()
