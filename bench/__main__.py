"""`make bench`: every figure comes from this run, on this machine."""

import sys

from rich.console import Console
from rich.table import Table

from bench.requests import time_requests
from bench.sizes import LAMBDA_LIMIT, function_sizes
from local.stack import BUILD


def main() -> int:
    """Measure and print; the exit code says whether every function fits into Lambda."""
    console = Console()
    timings = time_requests()
    predecessor = list(timings.values())[-1].p50
    requests = Table(title="Requests, in process", title_justify="left")
    for heading in ("", "p50 ms", "p99 ms", "of the predecessor's"):
        requests.add_column(heading, justify="right" if heading else "left")
    for what, timing in timings.items():
        ratio = f"{timing.p50 / predecessor:.3g}"
        requests.add_row(what, f"{timing.p50:.3f}", f"{timing.p99:.3f}", ratio)
    console.print(requests)

    if not BUILD.exists():
        console.print("Nothing is built yet: `make up` builds what is weighed here.")
        return 0
    sizes = function_sizes(BUILD)
    weights = Table(title="Built functions with their layers, unzipped", title_justify="left")
    for heading in ("function", "MB", "of Lambda's 262.144 MB"):
        weights.add_column(heading, justify="left" if heading == "function" else "right")
    for name, size in sizes.items():
        weights.add_row(name, f"{size / 1e6:.1f}", f"{size / LAMBDA_LIMIT:.0%}")
    console.print(weights)
    return int(max(sizes.values()) >= LAMBDA_LIMIT)


if __name__ == "__main__":
    sys.exit(main())
