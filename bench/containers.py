"""`make bench-containers`: the first request that a Lambda container answers, as Lambda bills it.

`sam local start-lambda` makes a container of the build for each invocation. The first one reads the
image from disk, and is left out. The image is the tests' stand-in for AWS's, on the Docker engine
that answers, or on one of this program's own.
"""

import json
import os
import re
import statistics
import tempfile
from contextlib import ExitStack
from http import HTTPStatus
from pathlib import Path

from rich.console import Console

from local.cloud import ROOT
from tests.sam_local import engine, stand_in
from tests.sam_local.commands import SamLocal

TIMES = 11
BILLED = re.compile(r"Billed Duration: (\d+) ms")
FUNCTION = "PredictFunction"


def billed_first_requests(sam: SamLocal, *arguments: str | Path) -> list[int]:
    """Give what the first request of each container is billed, in milliseconds."""
    event = json.loads((ROOT / "events/predict.json").read_text("utf-8"))
    billed = []
    with sam.start_lambda(*arguments) as functions:
        for _ in range(TIMES + 1):
            answer, log = functions.invoke(FUNCTION, event)
            if answer.get("statusCode") != HTTPStatus.OK:
                raise SystemExit(f"{FUNCTION} answered {answer}")
            billed.append(int(BILLED.findall(log)[-1]))
    return billed[1:]


def main() -> None:
    with ExitStack() as ended:
        folder = Path(ended.enter_context(tempfile.TemporaryDirectory()))
        docker = dict(os.environ)
        if not engine.answers():
            if not engine.can_be_started():
                raise SystemExit("no Docker engine answers: start one")
            (folder / "docker").mkdir()
            docker["DOCKER_HOST"] = ended.enter_context(engine.started(folder / "docker"))
        image = stand_in.build(folder / "image", docker)
        billed = billed_first_requests(SamLocal(docker, image, folder))
    median = statistics.median(billed)
    Console().print(
        f"The first request of a container is billed {median:.0f} ms (median of {TIMES}; "
        f"{min(billed)} to {max(billed)})."
    )


if __name__ == "__main__":
    main()
