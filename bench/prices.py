"""What AWS takes at list prices (prices.json), and what the template says that bears on it."""

import json
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
WHOLE_CPU = 1769  # MB at which Lambda gives a function one


def prices() -> dict[str, float]:
    """Read the prices in USD; what else the file says is not among them."""
    read = json.loads((ROOT / "bench/prices.json").read_text())
    return {name: price for name, price in read.items() if isinstance(price, float)}


def memory_of(handler: str) -> int:
    """Tell the MB that the template gives the function of a handler."""
    template = (ROOT / "template.yaml").read_text()
    return int(re.findall(rf"Handler: {re.escape(handler)}\n\s+MemorySize: (\d+)", template)[0])


def lambda_usd(cpu_seconds: float, memory: int) -> float:
    """Price an invocation that takes so long on one CPU.

    memory: in MB; less than a whole CPU's takes as much longer, more is no faster.
    """
    billed = cpu_seconds / min(1.0, memory / WHOLE_CPU)
    of = prices()
    return of["lambda_request"] + billed * memory / 1024 * of["lambda_gb_second"]
