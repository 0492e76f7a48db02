"""Upload outcomes of predictions, and download predictions as training rows: `make outcomes`.

The upload is a CSV of prediction_id, the target and observed_at, and goes to outcomes/ in the
uploads' bucket. The download has the predictions with an outcome, as a data set.
"""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from clinical.boto3_bucket import Boto3Bucket
from clinical.captures import Captures
from clinical.outcomes import Outcomes
from clinical.params import params
from exporting import LeftOut, joined_csv, told
from rich.console import Console
from rich.markup import escape

from local import monitoring, uploading
from local.cloud import CloudFailed
from local.files import beside, check_writable
from local.machines import OUTCOMES, fit_for_a_key
from local.stack import Stack


def outcomes(stack: Stack, data: Path | None, out: Path | None, console: Console) -> None:
    """Upload a file of outcomes and run the monitor, write joined rows, or both in this order.

    Raises CloudFailed if a file cannot be read or written, or if neither is requested.
    """
    if not data and not out:
        raise CloudFailed(
            "DATA= or OUT= is required: `make outcomes DATA=outcomes.csv` uploads outcomes, and "
            "`make outcomes OUT=joined.csv` writes predictions with their outcomes as training rows"
        )
    if out:
        check_writable(out, "joined.csv")
    if data:
        hand_in(stack, data, console)
        monitoring.monitor(stack, None, console)
    if out:
        bring_back(stack, out, console)


def hand_in(stack: Stack, data: Path, console: Console) -> str:
    """Upload a file of outcomes, and return its key; the monitor's next run reads it."""
    if not uploading.size_of(data):
        raise CloudFailed(f"{data} is empty: it has no outcomes")
    key = f"{OUTCOMES}{fit_for_a_key(data.name)}"
    if not key.lower().endswith(".csv"):
        raise CloudFailed(
            f"{data} must have a name that ends in .csv: outcomes are uploaded as CSV"
        )
    with uploading.shown(data, console) as sent:
        uploading.put(stack, data, key, sent)
    return key


def bring_back(stack: Stack, out: Path, console: Console) -> None:
    """Write all predictions that have an outcome as a data set; if that fails, no file is left."""
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
    try:
        with beside(out) as new:
            rows = written(lines, new)
            if rows:
                new.replace(out)
    except OSError as error:
        raise CloudFailed(f"{out} cannot be written: {error.strerror or error}") from error
    for sentence in told(left_out):
        console.print(f"• {escape(sentence)}")
    if not rows:
        raise CloudFailed(
            f"{out} was not written: no captured prediction has an outcome that can be trained on. "
            "Run `make monitor` to capture recent predictions and read uploaded outcomes"
        )
    named = params().identifier
    console.print(
        f"[bold]{escape(str(out))}[/] has {rows:,} {'row' if rows == 1 else 'rows'}, each a "
        f"prediction with its outcome{f'; {named} has the prediction ID' if named else ''}."
    )
    console.print(f"`make retrain DATA={escape(str(out))}` trains on these rows only.")


def written(lines: Iterable[str], file: Path) -> int:
    """Write a CSV's lines to a new file, and return the number of rows."""
    number = -1  # the first line is the header
    with file.open("x", encoding="utf-8", newline="") as open_file:
        for line in lines:
            open_file.write(line)
            number += 1
    return number
