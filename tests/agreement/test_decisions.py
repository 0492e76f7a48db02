"""Every decision record has its number, its parts and its line in the index."""

import re
from pathlib import Path

import pytest

from tests.conftest import ROOT

FOLDER = ROOT / "docs/decisions"
RECORDS = sorted(FOLDER.glob("[0-9]*.md"))
PARTS = ["Context", "Decision", "Consequences"]
PAGE = 45  # lines


def title_and_status(record: Path) -> tuple[str, str]:
    found = re.match(r"# \d+\. (.+)\n\nStatus: (.+)\n", record.read_text("utf-8"))
    assert found, record
    return found[1], found[2]


def test_records_are_numbered_one_after_the_other() -> None:
    numbers = [int(record.name[:4]) for record in RECORDS]

    assert numbers == list(range(1, len(RECORDS) + 1))


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.stem)
def test_a_record_is_one_page_with_its_number_status_and_parts(record: Path) -> None:
    text = record.read_text("utf-8")

    assert text.startswith(f"# {int(record.name[:4])}. ")
    _, status = title_and_status(record)
    superseded = re.fullmatch(r"superseded by \[\d+\]\((\d{4}-[a-z0-9-]+\.md)\)", status)
    assert status in {"proposed", "accepted"} or (superseded and (FOLDER / superseded[1]).exists())
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == PARTS
    assert text.count("\n") <= PAGE


def test_the_index_lists_every_record_with_its_title_and_status() -> None:
    index = (FOLDER / "README.md").read_text("utf-8")

    listed = re.findall(r"^\| (\d+) \| \[(.+?)\]\((.+?)\) \| (.+?) \|$", index, re.MULTILINE)

    assert listed == [
        (str(number), *(title, record.name, status))
        for number, record in enumerate(RECORDS, 1)
        for title, status in [title_and_status(record)]
    ]
