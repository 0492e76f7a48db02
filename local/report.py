"""Fetch the TRIPOD+AI report of the champion, and list the statements that it lacks."""

import re
import urllib.error
import urllib.request
from pathlib import Path

from clinical.report import ITEMS, Item
from rich.console import Console
from rich.markup import escape
from wording import counted

from local.cloud import CloudFailed
from local.stack import Stack

NAME = "report.html"
PATIENCE_SECONDS = 120
MISSING = re.compile(r'data-missing="(\w+)"')  # the mark of an item that only people can answer


def write(stack: Stack, file: Path | None, console: Console) -> None:
    """Write the report to a file, and print the items whose statements are missing.

    file: the path; None for report.html in .local, or in the study's folder there. Raises
    CloudFailed if there is no champion.
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
        console.print("No statements are missing.")
        return
    console.print(
        f"Missing: {counted(len(lacking), 'statement')} that only people can make. Add them under "
        f"study.report in {escape(stack.study.told_path)}, then run `make up`."
    )
    for one in lacking:
        console.print(f"  {one.number:<4} {one.key:<22} {one.topic}: {one.asks}", markup=False)


def fetched(url: str) -> str:
    """Fetch the report from the API; raises CloudFailed."""
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE_SECONDS) as response:  # noqa: S310
            page: str = response.read().decode()
            return page
    except urllib.error.HTTPError as error:
        problem = error.read().decode()
        raise CloudFailed(f"the API returned {error.code}: {problem}") from error
    except urllib.error.URLError as error:
        raise CloudFailed(f"cannot reach the API: {error.reason}") from error


def missing(page: str) -> list[Item]:
    """Return the items that a report marks as missing, in its order."""
    marked = set(MISSING.findall(page))
    return [one for one in ITEMS if one.key in marked]
