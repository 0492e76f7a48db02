import os
from pathlib import Path

import pytest

from local.cloud import CloudFailed
from local.lock import held


@pytest.mark.parametrize(
    ("first", "second"),
    [("up", "up"), ("up", "down"), ("up", "retrain"), ("retrain", "down"), ("rollback", "up")],
)
def test_a_second_command_is_told_who_is_at_work(tmp_path: Path, first: str, second: str) -> None:
    with held(tmp_path, first), pytest.raises(CloudFailed) as refused, held(tmp_path, second):
        pass

    running = f"`make {first}` (process {os.getpid()}) is already running on {tmp_path}"
    assert running in str(refused.value)
    assert "Ctrl-C" in str(refused.value)


@pytest.mark.parametrize(
    ("first", "second"),
    [("retrain", "retrain"), ("retrain", "rollback"), ("up", "predict"), ("down", "models")],
)
def test_what_does_no_harm_runs_beside_it(tmp_path: Path, first: str, second: str) -> None:
    with held(tmp_path, first), held(tmp_path, second):
        pass


def test_it_is_free_again_afterwards_however_the_command_ended(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), held(tmp_path, "up"):
        raise KeyboardInterrupt

    with held(tmp_path, "up"):
        pass


def test_where_there_is_no_home_there_is_nothing_to_hold(tmp_path: Path) -> None:
    with held(tmp_path / "none", "down"):
        pass

    assert not (tmp_path / "none").exists()
