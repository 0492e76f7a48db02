"""`make bench-retrain`: how long a warm retrain on 1,000 rows takes, beside the fits it needs.

It needs the local cloud. Each data set is the sample without another of its rows, so that nothing
is answered from the cache. What a retrain cannot do without is fitted in this process in the same
run: the forest once, and once for each fold that intervals come from.
"""

import statistics
import sys
import time
from typing import TYPE_CHECKING

from clinical.params import params
from encoding import encoder_of, table_of
from families import family_of, model_of, on_one_thread
from folds import folds
from rich.console import Console
from rows import Rows
from sklearn.base import clone

from bench.uploads import data_set, ended
from local import executions
from local.cloud import ROOT
from local.emulators import stack_at
from local.stack import Stack

if TYPE_CHECKING:
    from datetime import datetime

RUNS = 5
WARMING = 2  # runs that are not counted
FIRST = 900  # which row is left out first: no other bench leaves these out


def retrained(stack: Stack, number: int) -> tuple[float, float]:
    """Retrain on another data set: seconds to the promotion, and to the end of the execution."""
    key = f"raw/bench-{number % 2}.csv"
    version = stack.s3.put_object(Bucket=stack.outputs.raw_bucket, Key=key, Body=data_set(number))[
        "VersionId"
    ]
    (described,) = ended(stack, [version])
    began: datetime = described["startDate"]
    promoted = [
        event["timestamp"]
        for event in executions.history(stack, described["executionArn"])
        if event.get("stateExitedEventDetails", {}).get("name") == "Promote"
    ]
    if described["status"] != "SUCCEEDED" or not promoted:
        raise SystemExit(f"{described['name']} promoted nothing: {described['status']}")
    return (
        (promoted[-1] - began).total_seconds(),
        (described["stopDate"] - began).total_seconds(),
    )


def fitted(number: int) -> float:
    """Fit as often as no retrain can do without, on the same rows: seconds."""
    whole = Rows(data_set(number), params())
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
    took = [(*retrained(stack, FIRST + run), fitted(FIRST + run)) for run in range(WARMING + RUNS)]
    promoted, whole, fits = (statistics.median(one) for one in zip(*took[WARMING:], strict=True))
    Console().print(
        f"{RUNS} warm retrains on 999 rows, medians: the promotion after {promoted:.1f} s, the end "
        f"after {whole:.1f} s; {fits:.1f} s for the fits alone. Ratios {promoted / fits:.2f} and "
        f"{whole / fits:.2f}."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
