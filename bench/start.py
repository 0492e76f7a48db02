"""`make bench-start`: from the start of a process to its first prediction, part by part.

The predict function as it was built, on the champion of the running local cloud: each time a fresh
interpreter, which sees the built layers and the botocore of a Lambda runtime, no more. In the
same run, the same without the bytecode that the layers are built with, on a disk that keeps none,
as Lambda's; and what the predecessor imports before it can serve: scikit-learn and pandas. These
are imported from the built layer for training, too, and from sources on such a disk.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from local.cloud import ROOT, CloudFailed
from local.emulators import stack_at
from local.stack import BUILD, Stack

TIMES = 15
EVENT = ROOT / "events/predict.json"
SERVING = ("PredictFunction", "ClinicalLayer/python", "ModelLayer/python")
TRAINING = ("TrainingLayer/python", "ClinicalLayer/python")
IMPORT = "import scikit-learn and pandas"
INSTALLED = Path(sysconfig.get_path("purelib"))

type Parts = dict[str, float]  # milliseconds


def process(stack: Stack, what: str, *path: Path, **environment: str) -> Parts:
    """Start one process and go with it to its first answer."""
    (runtime,) = (ROOT / ".local/ministack/lib").glob("python*/site-packages")  # for its botocore
    interpreter = Path(sys.base_prefix) / "bin/python3"
    places = os.pathsep.join(map(str, (*path, runtime)))
    options = ("-S", "-P", ROOT / "bench/parts.py", str(time.time()), what, places)
    done = subprocess.run(
        [interpreter, *options, EVENT.read_text()],
        env={
            **stack.cloud.environment,
            "ARTIFACTS_BUCKET": stack.outputs.artifacts_bucket,
            "POWERTOOLS_SERVICE_NAME": "predict",
            "PYTHONPATH": "",  # make's leads to the sources
            **environment,
        },
        capture_output=True,
        text=True,
        check=True,
    )
    parts: Parts = json.loads(done.stdout.splitlines()[-1])
    return parts


def medians(runs: list[Parts]) -> Parts:
    return {part: statistics.median(run[part] for run in runs) for part in runs[0]}


def main() -> int:
    """Measure and print; the processes take turns, so that a noisy moment hits all alike."""
    stack = stack_at(ROOT / ".local")
    console = Console()
    try:
        stack.outputs  # noqa: B018 - says where the cloud is not up
    except CloudFailed as error:
        console.print(str(error))
        return 1
    compiled = [BUILD / part for part in SERVING]
    served, uncompiled, trained, layered, from_sources = [], [], [], [], []
    with tempfile.TemporaryDirectory() as folder:
        sources = [Path(folder) / part for part in SERVING]
        for built, source in zip(compiled, sources, strict=True):
            shutil.copytree(built, source, ignore=shutil.ignore_patterns("__pycache__"))
        read_only = {"PYTHONDONTWRITEBYTECODE": "1"}
        kept = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": f"{folder}/bytecode"}
        nowhere = {"PYTHONPYCACHEPREFIX": f"{folder}/nowhere"}
        training = [BUILD / part for part in TRAINING]
        process(stack, "train", INSTALLED, **kept)  # compiles, as the predecessor's image is
        for _ in range(TIMES):
            served.append(process(stack, "serve", *compiled, **read_only))
            uncompiled.append(process(stack, "serve", *sources, **read_only))
            trained.append(process(stack, "train", INSTALLED, **kept))
            layered.append(process(stack, "train", *training, **read_only))
            from_sources.append(process(stack, "train", INSTALLED, **read_only, **nowhere))
    predecessor = medians(trained)[IMPORT]

    table = Table(title=f"To the first prediction, medians of {TIMES}", title_justify="left")
    for heading in ("", "ms", "without bytecode"):
        table.add_column(heading, justify="right" if heading else "left")
    with_bytecode, without = medians(served), medians(uncompiled)
    for part, took in with_bytecode.items():
        table.add_row(part, f"{took:.0f}", f"{without[part]:.0f}")
    total, slow = sum(with_bytecode.values()), sum(without.values())
    table.add_section()
    table.add_row("all of it", f"{total:.0f}", f"{slow:.0f}")
    table.add_row(IMPORT, f"{predecessor:.0f}", "")
    table.add_row("ratio to that import", f"{total / predecessor:.2f}", f"{slow / predecessor:.2f}")
    table.add_section()
    of_layer, of_sources = medians(layered)[IMPORT], medians(from_sources)[IMPORT]
    table.add_row("that import, from the training layer", f"{of_layer:.0f}", f"{of_sources:.0f}")
    console.print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
