"""`make bench-retrain`: how long a warm retrain on 1,000 rows takes, beside its fits.

It needs the local cloud. Each data set is the sample without three rows drawn by chance, so that
nothing is answered from the cache. What a retrain cannot do without is fitted in this process in
the same run: the forest once, and once for each fold that intervals come from.
"""

import secrets
import statistics
import sys
import time
from typing import TYPE_CHECKING

from clinical.params import params
from retrain.encoding import encoder_of, table_of
from retrain.families import family_of, model_of, on_one_thread
from retrain.folds import folds
from rich.console import Console
from sklearn.base import clone

from bench.uploads import ended
from local import executions
from local.cloud import ROOT
from local.emulators import stack_at
from local.stack import Stack
from tests.pipeline import rows_of

if TYPE_CHECKING:
    from datetime import datetime

RUNS = 5
CONCLUDED = "Concluded"  # the state in which it is promoted by then, or not
WARMING = 2  # runs that are not counted
LEFT_OUT = 3


def data_set() -> bytes:
    """Give the sample without some of its rows."""
    header, *rows = (ROOT / "data/sample.csv").read_bytes().splitlines(keepends=True)
    for _ in range(LEFT_OUT):
        del rows[secrets.randbelow(len(rows))]
    return b"".join([header, *rows])


def retrained(stack: Stack, body: bytes) -> tuple[float, float]:
    """Retrain on a data set: seconds to what came of it, and to the end of the execution."""
    version = stack.s3.put_object(Bucket=stack.outputs.raw_bucket, Key="raw/bench.csv", Body=body)[
        "VersionId"
    ]
    (described,) = ended(stack, [version])
    began: datetime = described["startDate"]
    concluded = [
        event["timestamp"]
        for event in executions.history(stack, described["executionArn"])
        if event.get("stateExitedEventDetails", {}).get("name") == CONCLUDED
    ]
    if described["status"] != "SUCCEEDED" or not concluded:
        raise SystemExit(f"{described['name']} ended as {described['status']}")
    return (
        (concluded[-1] - began).total_seconds(),
        (described["stopDate"] - began).total_seconds(),
    )


def fitted(body: bytes) -> float:
    """Fit as often as no retrain can do without, on the same rows: seconds."""
    whole = rows_of(body, params())
    table, target = table_of(whole), whole.target()
    model = model_of(family_of(params().model, params()), encoder_of(params()))
    began = time.perf_counter()
    with on_one_thread():
        for training, _ in folds(params().intervals.folds, params()).split(table):
            clone(model).fit(table.iloc[training], target[training])
        clone(model).fit(table, target)
    return time.perf_counter() - began


def main() -> int:
    """Time, and print medians."""
    stack = stack_at(ROOT / ".local")
    bodies = [data_set() for _ in range(WARMING + RUNS)]
    took = [(*retrained(stack, body), fitted(body)) for body in bodies]
    concluded, whole, fits = (statistics.median(one) for one in zip(*took[WARMING:], strict=True))
    Console().print(
        f"{RUNS} warm retrains on 997 rows, medians: promoted or not after {concluded:.1f} s, the "
        f"end after {whole:.1f} s; {fits:.1f} s for the fits alone. Ratios "
        f"{concluded / fits:.2f} and {whole / fits:.2f}."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
