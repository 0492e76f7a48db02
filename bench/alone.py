"""One stage in a process of its own: `python -m bench.alone`, with a job on stdin.

It imports no more than the stage's function does on AWS, so that memory and start are the stage's.
"""

import importlib
import re
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import stage
from clinical.boto3_bucket import s3_client
from clinical.frozen import Frozen

from bench.folder import Folder, Requests

# What Powertools writes of a handler's context.
CONTEXT = SimpleNamespace(
    aws_request_id="11111111-2222-3333-4444-555555555555",
    function_name="function",
    memory_limit_in_mb=512,
    invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:function",
)


class Job(Frozen):
    """A stage to run.

    handler: as the template names it. folder: where each bucket is a folder.
    """

    handler: str
    event: dict[str, Any]
    folder: Path


class Taken(Frozen):
    """What a stage took: seconds, bytes and requests.

    start: CPU seconds from the interpreter's to the handler that is there.
    """

    output: dict[str, Any]
    start: float
    cpu: float
    wall: float
    peak: int
    reads: int
    writes: int
    written: int


def run(job: Job) -> Taken:
    """Run a stage in this process, by its very handler."""
    module_name, _, name = job.handler.rpartition(".")
    module = importlib.import_module(module_name)
    requests = Requests()

    def bucket(_client: object, name: str) -> Folder:
        return Folder(job.folder / name, requests)

    def artefacts_bucket() -> Folder:
        return bucket(s3_client(), "artifacts")  # the client has its share on AWS, too

    with ExitStack() as patches:
        patches.enter_context(mock.patch.object(stage, "artefacts_bucket", artefacts_bucket))
        patches.enter_context(mock.patch.object(stage, "Boto3Bucket", bucket))
        if hasattr(module, "s3_bucket"):  # whence models are loaded
            patches.enter_context(
                mock.patch.object(module, "s3_bucket", lambda name: bucket(None, name))
            )
        start, began = time.process_time(), time.perf_counter()
        output = getattr(module, name)(job.event, CONTEXT)
        cpu, wall = time.process_time() - start, time.perf_counter() - began
    return Taken(
        output=output,
        start=start,
        cpu=cpu,
        wall=wall,
        peak=peak(),
        reads=requests.reads,
        writes=requests.writes,
        written=requests.written,
    )


def peak() -> int:
    """Tell the most memory that this process had resident, in bytes.

    Linux's own figure: getrusage's begins with what the parent had when this process was made.
    """
    status = Path("/proc/self/status").read_text()
    return 1024 * int(re.findall(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)[0])


def in_a_process(job: Job) -> Taken:
    """Run a stage in a process of its own; raises RuntimeError with what a failed one wrote."""
    written = job.folder / "taken.json"
    ended = subprocess.run(
        [sys.executable, "-m", "bench.alone", written],
        input=job.model_dump_json(),
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent.parent,
    )
    if ended.returncode:
        raise RuntimeError(f"{job.handler} failed:\n{ended.stderr}")
    return Taken.model_validate_json(written.read_text())


if __name__ == "__main__":
    taken = run(Job.model_validate_json(sys.stdin.read()))
    Path(sys.argv[1]).write_text(taken.model_dump_json())  # stdout is the log's
