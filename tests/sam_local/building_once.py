"""`sam`, as it is, which builds each image once: `python -m tests.sam_local.building_once local …`.

Where a template defines layers, sam builds the image of a function each time that it makes a
container of it: it packs them, hundreds of megabytes, for the engine to find that it has that
image. Here the build stays as it is for as long as the tests run, and so does an image of it: in
the folder that BUILT names, each command notes which ones it built, for itself and the next.
"""

import os
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

from samcli.cli.main import cli
from samcli.local.docker.lambda_image import LambdaImage

_build_image = LambdaImage._build_image


def build_once(noted: Path) -> None:
    def build(image: LambdaImage, base: str, tag: str, *rest: Any, **named: Any) -> None:
        built = noted / quote(f"{tag} of {base}", safe="")
        if not built.exists():
            _build_image(image, base, tag, *rest, **named)
            built.touch()

    LambdaImage._build_image = build


if __name__ == "__main__":
    build_once(Path(os.environ["BUILT"]))
    sys.exit(cli(prog_name="sam"))
