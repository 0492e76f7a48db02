"""`make change-control`: the page as of the last promotion, in a file."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from clinical.boto3_bucket import Boto3Bucket
from rich.console import Console

from local import controlling
from local.cloud import CloudFailed
from tests.unit.pipeline.change_control.made import with_a_history


def stack(folder: Path) -> Any:
    outputs = SimpleNamespace(artifacts_bucket="artifacts")
    return SimpleNamespace(s3=boto3.client("s3"), folder=folder, outputs=outputs)


def printed(folder: Path, file: Path | None = None) -> str:
    console = Console(width=200, no_color=True, soft_wrap=True)
    with console.capture() as captured:
        controlling.write(stack(folder), file, console)
    return captured.get()


def test_the_page_is_written_and_its_last_change_is_told(
    tmp_path: Path, bucket: Boto3Bucket
) -> None:
    with_a_history(bucket)

    text = printed(tmp_path)

    path = tmp_path / "change-control.html"
    assert "As of change" in path.read_text(encoding="utf-8")
    assert text.splitlines() == [
        str(path),
        "It lists 3 changes; the last is promotion 3, of v-0a1b2c3d.",
    ]


def test_it_goes_where_somebody_wants_it(tmp_path: Path, bucket: Boto3Bucket) -> None:
    path = tmp_path / "there" / "[it].html"

    assert str(path) in printed(tmp_path, path)
    assert path.exists()


def test_before_any_promotion_it_says_what_to_do(tmp_path: Path, bucket: Boto3Bucket) -> None:
    assert printed(tmp_path).endswith(
        "No model has been promoted yet. Run `make retrain` to train one.\n"
    )


def test_a_damaged_ledger_is_told(tmp_path: Path, bucket: Boto3Bucket) -> None:
    with_a_history(bucket)
    bucket.put("models/ledger/000002.json", b"{")

    with pytest.raises(CloudFailed, match=r"000002\.json is not valid JSON"):
        printed(tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path, bucket: Boto3Bucket) -> None:
    with pytest.raises(CloudFailed, match="cannot be written: Is a directory"):
        printed(tmp_path, tmp_path)
