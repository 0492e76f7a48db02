"""`make cost LOG=…`: what predictions cost a month, from what a Lambda log says of real requests.

LOG: a log of the predict function with Lambda's own START and REPORT lines, such as `sam local
start-api` prints or CloudWatch keeps. Billed milliseconds, cold and warm, and logged bytes are read
from it; prices are bench/prices.json's. What is assumed is printed beside the table.
"""

import json
import re
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
REPORT = re.compile(
    r"^REPORT RequestId: \S+\s+(?P<init>Init Duration: [\d.]+ ms\s+)?Duration: [\d.]+ ms\s+"
    r"Billed Duration: (?P<billed>\d+) ms\s+Memory Size: (?P<memory>\d+) MB"
)
ACCESS_LINE = 300  # bytes of the API's access log a request, by its format in the template
COLD = {1_000: 1.0, 1_000_000: 0.01, 100_000_000: 0.001}  # requests that start an environment
TRACED = 0.05  # X-Ray's default, besides one a second
SECONDS = 30 * 24 * 3600


@dataclass(frozen=True)
class Measured:
    """What the log says of a request."""

    requests: int
    warm: float  # billed milliseconds, mean
    cold: float
    memory: int  # MB
    logged: float  # bytes


def measured(log: str) -> Measured:
    """Read a log; raises SystemExit where it has no cold or no warm request."""
    reports = [match for line in log.splitlines() if (match := REPORT.match(line))]
    cold = [int(one["billed"]) for one in reports if one["init"]]
    warm = [int(one["billed"]) for one in reports if not one["init"]]
    if not cold or not warm:
        raise SystemExit(f"{len(cold)} cold and {len(warm)} warm requests in it: it takes both")
    requests = re.findall(r"^START .*?^REPORT .*?$", log, re.MULTILINE | re.DOTALL)
    return Measured(
        requests=len(reports),
        warm=statistics.mean(warm),
        cold=statistics.mean(cold),
        memory=int(reports[0]["memory"]),
        logged=statistics.median(len(one.encode()) for one in requests),
    )


def standing(prices: dict[str, float], metrics: int) -> float:
    """Price what costs the same with no request at all: metrics, alarms, the dashboard, a key."""
    template = (ROOT / "template.yaml").read_text()
    return (
        metrics * prices["metric"]
        + template.count("Type: AWS::CloudWatch::Alarm") * prices["alarm"]
        + template.count("Type: AWS::CloudWatch::Dashboard") * prices["dashboard"]
        + template.count("Type: AWS::KMS::Key\n") * prices["kms_key"]
    )


def monthly(predictions: int, of: Measured, prices: dict[str, float]) -> dict[str, float]:
    """Price so many single predictions a month, by service."""
    cold = COLD[predictions]
    seconds = (of.warm * (1 - cold) + of.cold * cold) / 1e3
    traces = min(predictions, SECONDS + TRACED * predictions)
    return {
        "API Gateway": predictions * prices["api_request"],
        "Lambda": predictions
        * (prices["lambda_request"] + seconds * of.memory / 1024 * prices["lambda_gb_second"]),
        "logs": predictions * (of.logged + ACCESS_LINE) / 1e9 * prices["log_gb"],
        "X-Ray": traces * prices["trace"],
        "CloudFront": predictions * prices["cloudfront_request"],
    }


def main(log: Path, metrics: int) -> None:
    """Print the table as Markdown, with what it was made of."""
    prices = json.loads((ROOT / "bench/prices.json").read_text())
    of = measured(log.read_text())
    fixed = standing(prices, metrics)
    columns = [monthly(predictions, of, prices) for predictions in COLD]
    sums = [fixed + sum(column.values()) for column in columns]
    rows = {
        f"{prices['currency']} a month": [f"{predictions:,}" for predictions in COLD],
        "---": ["---:"] * len(COLD),
        **{one: [f"{column[one]:,.2f}" for column in columns] for one in columns[0]},
        "metrics, alarms, dashboard, key": [f"{fixed:,.2f}"] * len(COLD),
        "**all**": [f"**{total:,.2f}**" for total in sums],
    }
    table = "\n".join(f"| {' | '.join([head, *cells])} |" for head, cells in rows.items())
    cold = ", ".join(f"{share:.1%} of {predictions:,}" for predictions, share in COLD.items())
    sys.stdout.write(
        f"{table}\n\n"
        f"Measured over {of.requests} requests: {of.warm:.1f} ms billed warm and {of.cold:,.0f} ms "
        f"cold at {of.memory:,} MB, {of.logged:,.0f} bytes of log, {metrics} metrics. "
        f"Assumed cold: {cold}. Prices: {prices['region']}, {prices['as_of']}, without free tier "
        "and data transfer.\n"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
