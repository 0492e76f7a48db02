"""`make cost`: what a stack costs a month, by the predictions that it makes.

LOG: a log of the predict function with Lambda's own START and REPORT lines, such as `sam local
start-api` prints or CloudWatch keeps. Billed milliseconds, cold and warm, and logged bytes are read
from it and kept in bench/cost.json; without one, the kept ones are used. Prices are
bench/prices.json's, and metrics are counted in the code, alarms in the template. What is assumed is
printed beside the table.
"""

import json
import re
import statistics
import sys
import textwrap
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml
from clinical.telemetry import Metric

from local.console.widgets import span

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs/how-to/deploy-to-aws.md"
TEMPLATE, DASHBOARD = ROOT / "template.yaml", ROOT / "dashboard.yaml"
PRICES, KEPT = ROOT / "bench/prices.json", ROOT / "bench/cost.json"
REPORTED = re.compile(r"\| USD a month .*?data\s+transfer\.\n", re.DOTALL)
REPORT = re.compile(
    r"^REPORT RequestId: \S+\s+(?P<init>Init Duration: [\d.]+ ms\s+)?Duration: [\d.]+ ms\s+"
    r"Billed Duration: (?P<billed>\d+) ms\s+Memory Size: (?P<memory>\d+) MB"
)
ACCESS_LINE = 300  # bytes of the API's access log a request, by its format in the template
COLD = {
    0: 0.0,
    1_000: 1.0,
    1_000_000: 0.01,
    100_000_000: 0.001,
}  # requests that start an environment
TRACED = 0.05  # X-Ray's default, besides one a second
SECONDS = 30 * 24 * 3600
CHECKS = SECONDS // 60  # of health, while nobody asks


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


def standing(prices: dict[str, float]) -> float:
    """Price what costs the same with no request at all: metrics, alarms and the dashboard."""
    template = TEMPLATE.read_text()
    return (
        len(Metric) * prices["metric"]
        + template.count("Type: AWS::CloudWatch::Alarm") * prices["alarm"]
        + template.count("Type: AWS::CloudWatch::Dashboard") * prices["dashboard"]
    )


def checks(of: Measured, prices: dict[str, float]) -> float:
    """Price the health check of every minute: warm requests that come through no gateway."""
    seconds = CHECKS * of.warm / 1e3
    return (
        CHECKS * (prices["lambda_request"] + prices["trace"] + of.logged / 1e9 * prices["log_gb"])
        + seconds * of.memory / 1024 * prices["lambda_gb_second"]
    )


def look(predictions: int, of: Measured, prices: dict[str, float]) -> float:
    """Price one look at the dashboard: what its queries scan of the API's log."""
    whole = json.loads(
        re.sub(r"\$\{[^}]+\}", "0", yaml.safe_load(DASHBOARD.read_text())["Fn::Sub"])
    )
    asked = re.findall(r"SOURCE '\$\{(\w+)\}'", DASHBOARD.read_text())
    widgets = [one for one in whole["widgets"] if one["type"] == "log"]
    seconds = sum(
        span(one, whole).total_seconds()
        for one, group in zip(widgets, asked, strict=True)
        if group == "ApiLogGroup"
    )
    return (predictions + CHECKS) * of.logged * seconds / SECONDS / 1e9 * prices["insights_gb"]


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


def report(of: Measured, prices: dict[str, Any]) -> str:
    """Make the table as Markdown, with what it was made of."""
    fixed, checked = standing(prices), checks(of, prices)
    columns = [monthly(predictions, of, prices) for predictions in COLD]
    sums = [fixed + checked + sum(column.values()) for column in columns]
    rows = {
        f"{prices['currency']} a month": [f"{predictions:,}" for predictions in COLD],
        "---": ["---:"] * len(COLD),
        **{one: [f"{column[one]:,.2f}" for column in columns] for one in columns[0]},
        "health check": [f"{checked:,.2f}"] * len(COLD),
        "metrics, alarms, dashboard": [f"{fixed:,.2f}"] * len(COLD),
        "**all**": [f"**{total:,.2f}**" for total in sums],
    }
    table = "\n".join(f"| {' | '.join([head, *cells])} |" for head, cells in rows.items())
    cold = ", ".join(
        f"{share:.1%} of {predictions:,}" for predictions, share in COLD.items() if share
    )
    looks = ", ".join(
        f"{look(predictions, of, prices):,.4f} at {predictions:,}" for predictions in COLD
    )
    said = (
        f"Measured over {of.requests} requests: {of.warm:.1f} ms billed warm and {of.cold:,.0f} ms "
        f"cold at {of.memory:,} MB, {of.logged:,.0f} bytes of log. {len(Metric)} metrics. Assumed "
        f"cold: {cold}. Beside that, one look at the dashboard costs what Logs Insights scans for "
        f"it: {looks}. Prices: {prices['region']}, {prices['as_of']}, without free tier and data "
        "transfer."
    )
    return f"{table}\n\n{textwrap.fill(said, 100)}\n"


def of_today() -> str:
    """Make the table of the measurement that is kept."""
    return report(Measured(**json.loads(KEPT.read_text())), json.loads(PRICES.read_text()))


def written_into(page: str, made: str) -> str:
    """Put the table into a page in place of the one that it has."""
    return REPORTED.sub(lambda _: made, page, count=1)


def main(log: Path | None) -> None:
    """Keep what a log says, if one is given, and write the table into the documentation."""
    if log:
        KEPT.write_text(json.dumps(asdict(measured(log.read_text())), indent=1) + "\n")
    made = of_today()
    PAGE.write_text(written_into(PAGE.read_text(), made))
    sys.stdout.write(made)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
