"""`make bench-burst`: 50 requests a second for two minutes, to the deployed API.

It deploys the stack with its throttle raised, and with the template's own afterwards. Requests are
sent when their time has come, whether or not those before them were answered.
"""

import json
import statistics
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path

from rich.console import Console

from local.cloud import ROOT
from local.emulators import stack_at
from local.stack import Stack

RATE = 50
SECONDS = 120
PATIENCE_SECONDS = 30
CLIENTS = 200
RAISED = {"ThrottlingRate": "1000", "ThrottlingBurst": "2000"}


class Burst:
    """Requests at a steady rate, each timed from when it was due."""

    def __init__(self, url: str, body: bytes) -> None:
        self.request = urllib.request.Request(  # noqa: S310 - the local API
            url, body, {"Content-Type": "application/json"}
        )
        self.took: list[float] = []
        self.answers: Counter[str] = Counter()
        self._due = iter(range(RATE * SECONDS))
        self._lock = threading.Lock()

    def run(self) -> None:
        """Send them all, and wait for the last answer."""
        self._began = time.monotonic()
        clients = [threading.Thread(target=self._send) for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()

    def _send(self) -> None:
        while True:
            with self._lock:
                number = next(self._due, None)
            if number is None:
                return
            due = self._began + number / RATE
            time.sleep(max(0.0, due - time.monotonic()))
            answer = self._answer()
            with self._lock:
                self.answers[answer] += 1
                self.took.append(time.monotonic() - due)

    def _answer(self) -> str:
        try:
            with urllib.request.urlopen(self.request, timeout=PATIENCE_SECONDS) as response:  # noqa: S310
                response.read()
                return str(response.status)
        except urllib.error.HTTPError as error:
            return str(error.code)
        except (OSError, ValueError) as error:
            return type(error).__name__


def unpacked(stack: Stack) -> tuple[int, float]:
    """Count the folders of Lambda workers, and the MB that they hold but for shared layers."""
    scratch = stack.cloud.home / "tmp"
    folders = list(scratch.glob("ministack-lambda-*"))
    seen: dict[int, int] = {}
    for path in scratch.rglob("*"):
        if path.is_file() and not path.is_symlink():
            about = path.stat()
            seen[about.st_ino] = about.st_blocks * 512
    return len(folders), sum(seen.values()) / 1e6


def patient() -> bytes:
    body: str = json.loads(Path(ROOT / "events" / "predict.json").read_text())["body"]
    return body.encode()


def main() -> None:
    """Raise the throttle, send the burst, print what came of it, and lower the throttle."""
    stack, console = stack_at(ROOT / ".local"), Console()
    before = unpacked(stack)
    stack.deploy(**RAISED)
    try:
        burst = Burst(f"{stack.outputs.api_url}/predict", patient())
        burst.run()
    finally:
        stack.deploy()
    cuts = statistics.quantiles(burst.took, n=100)
    folders, megabytes = unpacked(stack)
    console.print(
        f"{RATE} requests a second for {SECONDS} s: p50 {cuts[49] * 1e3:.0f} ms, "
        f"p99 {cuts[98] * 1e3:.0f} ms, longest {max(burst.took) * 1e3:.0f} ms; answers "
        f"{dict(burst.answers)}"
    )
    console.print(
        f"Worker folders: {before[0]} before, {folders} after; "
        f"unpacked: {before[1]:.0f} MB before, {megabytes:.0f} MB after"
    )


if __name__ == "__main__":
    main()
