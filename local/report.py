"""Fetch the TRIPOD+AI report of the model that serves, and say what it still lacks."""

import re
import urllib.error
import urllib.request
from pathlib import Path

from clinical.report import ITEMS, Item
from rich.console import Console
from rich.markup import escape

from local.cloud import CloudFailed
from local.stack import Stack

NAME = "report.html"
PATIENCE_SECONDS = 120
MISSING = re.compile(r'data-missing="(\w+)"')  # the mark of an item that only people can answer


def write(stack: Stack, file: Path | None, console: Console) -> None:
    """Write the report into a file, and print which items only people can state, and have not.

    file: where to; None for report.html in .local, and in the study's folder there. Raises
    CloudFailed where no model serves.
    """
    page = fetched(f"{stack.outputs.api_url}/report")
    path = (file or stack.folder / NAME).resolve()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise CloudFailed(f"{path} cannot be written: {error.strerror}") from error
    lacking = missing(page)
    console.print(f"[bold]{escape(str(path))}[/]")
    if not lacking:
        console.print("The study states all that only people can.")
        return
    console.print(
        f"{len(lacking)} items are yours to state: under study.report in "
        f"{escape(stack.study.told_path)}, then `make up`."
    )
    for one in lacking:
        console.print(f"  {one.number:<4} {one.key:<22} {one.topic}: {one.asks}", markup=False)


def fetched(url: str) -> str:
    """Ask the API for the report; raises CloudFailed."""
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE_SECONDS) as response:  # noqa: S310
            page: str = response.read().decode()
            return page
    except urllib.error.HTTPError as error:
        problem = error.read().decode()
        raise CloudFailed(f"the API answered {error.code}: {problem}") from error
    except urllib.error.URLError as error:
        raise CloudFailed(f"the API cannot be reached: {error.reason}") from error


def missing(page: str) -> list[Item]:
    """Find the items that a report marks, in its order."""
    marked = set(MISSING.findall(page))
    return [one for one in ITEMS if one.key in marked]
