"""Hand in what came of predictions, and bring back the rows that retraining takes: `make outcomes`.

What is handed in is a CSV of prediction_id, the target and observed_at, and lies under outcomes/ of
the bucket of uploads. What is brought back are the predictions that have an outcome, as a data set.
"""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from uuid import uuid4

from clinical.boto3_bucket import Boto3Bucket
from clinical.captures import Captures
from clinical.outcomes import Outcomes
from clinical.params import params
from exporting import LeftOut, joined_csv, told
from rich.console import Console
from rich.markup import escape

from local import monitoring, uploading
from local.cloud import CloudFailed
from local.machines import OUTCOMES, fit_for_a_key
from local.scoring import check_writable, removed
from local.stack import Stack


def outcomes(stack: Stack, data: Path | None, out: Path | None, console: Console) -> None:
    """Hand in a file of outcomes and run the monitor, write joined rows, or do both in this order.

    Raises CloudFailed where a file cannot be read or written, or nothing is asked for.
    """
    if not data and not out:
        raise CloudFailed(
            "which outcomes? make outcomes DATA=outcomes.csv hands them in, and make outcomes "
            "OUT=joined.csv writes what came of predictions as rows to train on"
        )
    if out:
        check_writable(out, "joined.csv")
    if data:
        hand_in(stack, data, console)
        monitoring.monitor(stack, None, console)
    if out:
        bring_back(stack, out, console)


def hand_in(stack: Stack, data: Path, console: Console) -> str:
    """Upload a file of outcomes, and give its key; the monitor's next run takes it in."""
    if not uploading.size_of(data):
        raise CloudFailed(f"{data} is empty: there are no outcomes in it")
    key = f"{OUTCOMES}{fit_for_a_key(data.name)}"
    if not key.lower().endswith(".csv"):
        raise CloudFailed(f"{data} is to end in .csv: outcomes are handed in as CSV")
    with uploading.shown(data, console) as sent:
        uploading.put(stack, data, key, sent)
    return key


def bring_back(stack: Stack, out: Path, console: Console) -> None:
    """Write the predictions that have an outcome as a data set: all of them, or no file."""
    bucket = Boto3Bucket(stack.s3, stack.outputs.artifacts_bucket)
    came = Outcomes(bucket).all()
    found = Captures(bucket).find(came).values()
    left_out: LeftOut = Counter()
    lines = joined_csv(
        sorted(found, key=lambda one: (one.predicted_at, one.prediction_id)),
        came,
        params(),
        left_out,
    )
    beside = out.with_name(f".{out.name}.{uuid4().hex[:8]}")
    try:
        with removed(beside):
            rows = written(lines, beside)
            if rows:
                beside.replace(out)
    except OSError as error:
        raise CloudFailed(f"{out} cannot be written: {error.strerror or error}") from error
    for sentence in told(left_out):
        console.print(f"• {escape(sentence)}")
    if not rows:
        raise CloudFailed(
            f"{out} was not written: no captured prediction has an outcome that can be trained on. "
            "`make monitor` captures what was predicted so far, and takes in files of outcomes"
        )
    named = params().identifier
    console.print(
        f"[bold]{escape(str(out))}[/] has {rows:,} {'row' if rows == 1 else 'rows'}, each a "
        f"prediction with what came of it{f'; its {named} is the id of that' if named else ''}."
    )
    console.print(f"`make retrain DATA={escape(str(out))}` trains on them, and on nothing else.")


def written(lines: Iterable[str], file: Path) -> int:
    """Write a CSV's lines into a file that is new, and say how many rows it has."""
    number = -1  # the first line is the header
    with file.open("x", encoding="utf-8", newline="") as open_file:
        for line in lines:
            open_file.write(line)
            number += 1
    return number
