"""`make bench-replay`: what the replay of captured requests takes, beside asking both models alone.

One process publishes a champion of the sample, has it answer synthetic patients, half of whose side
effects are not known yet, captures the answers, and replays them for a candidate of other rows.
"""

import argparse
import contextlib
import io
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import batched
from pathlib import Path

from clinical.boto3_bucket import Boto3Bucket
from clinical.captures import Captures
from clinical.kinds import Value
from clinical.params import params
from clinical.registry import CHAMPION_KEY, Registry
from clinical.verdict import Replayed
from model.loader import Loaded, opened
from requested import newest
from retrain.replaying import AT_ONCE
from retrain.stages.replay import replay
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

from data.generate import as_csv, patients
from tests.captures import answered, capture
from tests.pipeline import State, own_cloud, ran, retrain

ROOT = Path(__file__).parent.parent
REPEATS = 3
MONDAY = datetime(2026, 11, 23, tzinfo=UTC)

type Patients = Sequence[dict[str, Value]]


def taken(act: Callable[[], object]) -> tuple[float, float]:
    """Give the least CPU seconds and the least seconds that something took, of some tries."""

    def once() -> tuple[float, float]:
        cpu, began = time.process_time(), time.perf_counter()
        act()
        return time.process_time() - cpu, time.perf_counter() - began

    cpu, clock = zip(*(once() for _ in range(REPEATS)), strict=True)
    return min(cpu), min(clock)


def retrained(bucket: Boto3Bucket, body: bytes, execution: str) -> State:
    bucket.client.put_object(Bucket="raw", Key="raw/sample.csv", Body=body)
    return retrain(execution)


def serving(bucket: Boto3Bucket) -> Loaded:
    pointer = Registry(bucket).champion()
    if pointer is None:
        raise SystemExit("No version was promoted.")
    return opened(bucket, pointer.champion)


def ask(models: Sequence[Loaded], asked: Patients) -> None:
    for model in models:
        for some in batched(asked, AT_ONCE, strict=False):
            model.predict([one for one in some if model.unrecorded(one) is None])


def main() -> None:
    """Measure, and print what so many requests take."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=10_000)
    requests = parser.parse_args().requests
    asked: Patients = [
        one | {"Side_Effects": None} if place % 2 else one
        for place, one in enumerate(patients(requests + requests // 5, seed=9))
    ]
    with own_cloud() as bucket, threadpool_limits(1), contextlib.redirect_stdout(io.StringIO()):
        retrained(bucket, (ROOT / "data/sample.csv").read_bytes(), "first")
        first, champion = bucket.get(CHAMPION_KEY).body, serving(bucket)
        captures = answered(champion, asked, MONDAY, step=1)[:requests]
        capture(bucket, captures)
        came_to = retrained(bucket, as_csv(patients(1000, seed=3)).encode(), "second")
        candidate = serving(bucket)
        bucket.put(CHAMPION_KEY, first)
        inputs = {name: came_to[name] for name in ("preprocessed", "trained")}
        inputs["evaluated"] = came_to["before_replay"]
        both = (candidate, champion)
        patients_asked = [one.features for one in captures]
        took = {
            "The stage": taken(lambda: ran(replay, "second", inputs)),
            "Both models alone": taken(lambda: ask(both, patients_asked)),
            "Reading the captures alone": taken(
                lambda: newest(Captures(bucket), requests, params())
            ),
        }
        found = Replayed.model_validate(came_to["evaluated"]["verdict"]["replay"])
    told(took, found)


def told(took: dict[str, tuple[float, float]], found: Replayed) -> None:
    table = Table("", "CPU seconds", "seconds", "of the stage's")
    whole, _ = next(iter(took.values()))
    for name, (cpu, clock) in took.items():
        table.add_row(name, f"{cpu:.2f}", f"{clock:.2f}", f"{cpu / whole:.2f}")
    console = Console()
    console.print(table)
    console.print(
        f"{found.requests:,} requests, {found.refused:,} more that the candidate would refuse; of "
        f"{found.reproduced:,} of its own, the champion answered {found.mismatches:,} otherwise."
    )


if __name__ == "__main__":
    main()
