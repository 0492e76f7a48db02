"""`sam`, as it is, which builds each image once: `python -m tests.sam_local.building_once local …`.

Where a template defines layers, sam builds the image of a function each time that it makes a
container of it: it packs them, hundreds of megabytes, for the engine to find that it has that
image. Here the build stays as it is for as long as this process runs, and so does an image of it.
"""

import sys
from typing import Any

from samcli.cli.main import cli
from samcli.local.docker.lambda_image import LambdaImage

_build_image = LambdaImage._build_image


def build_once() -> None:
    built: set[tuple[str, str]] = set()

    def build(image: LambdaImage, base: str, tag: str, *rest: Any, **named: Any) -> None:
        if (base, tag) not in built:
            _build_image(image, base, tag, *rest, **named)
            built.add((base, tag))

    LambdaImage._build_image = build


if __name__ == "__main__":
    build_once()
    sys.exit(cli(prog_name="sam"))
