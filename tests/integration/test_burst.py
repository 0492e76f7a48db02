"""More requests at once than the laptop has cores for: they wait for their turn."""

import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from tests.integration.conftest import ROOT, Laptop

WORKERS_PER_CORE = 2
AT_ONCE = 100
REQUESTS = 400
THROTTLED = 429  # by the stack's own throttle, where the machine is faster than that admits


def test_a_burst_is_answered_by_few_workers_which_share_their_layers_and_their_code(
    laptop: Laptop, patient: dict[str, object]
) -> None:
    with ThreadPoolExecutor(AT_ONCE) as clients:
        answers = Counter(
            answer.status
            for answer in clients.map(lambda _: laptop.post("/predict", patient), range(REQUESTS))
        )

    assert set(answers) <= {200, THROTTLED}
    assert answers[200] >= AT_ONCE
    scratch = laptop.home / "tmp"
    workers = list(scratch.glob("ministack-lambda-*-PredictFunction-*"))
    assert 1 <= len(workers) <= WORKERS_PER_CORE * (os.cpu_count() or 1)
    layers = [path for worker in workers for path in worker.glob("layer_?")]
    assert len(layers) >= 2 * len(workers)
    assert all(path.is_symlink() for path in layers)
    unpacked = {path.resolve() for path in layers}
    assert {path.parent for path in unpacked} == {ROOT / ".local" / "unpacked"}
    assert len(unpacked) * len(workers) == len(layers)
    code = {part.resolve().parent for worker in workers for part in worker.glob("code/*")}
    assert {folder.parent for folder in code} == {ROOT / ".local" / "unpacked"}
    assert len(code) == 1
