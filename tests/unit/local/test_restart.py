from pathlib import Path

import pytest

from local.cloud import Start
from local.restart import Restart


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "restarted.json"


def test_a_start_is_noted_until_all_is_done(file: Path) -> None:
    Restart(file).note(Start(fresh=True, crashed=True), 100.0)

    noted = Restart(file)
    assert (noted.is_open, noted.since, noted.crashed) == (True, 100.0, True)

    noted.close()
    assert not Restart(file).is_open


def test_a_cloud_that_was_up_is_no_restart(file: Path) -> None:
    Restart(file).note(Start(fresh=False), 100.0)

    assert not Restart(file).is_open


def test_a_second_start_before_all_is_done_forgets_nothing_of_the_first(file: Path) -> None:
    Restart(file).note(Start(fresh=True, crashed=True), 100.0)
    Restart(file).note(Start(fresh=True), 200.0)

    noted = Restart(file)
    assert (noted.since, noted.crashed) == (100.0, True)


def test_a_note_that_cannot_be_read_is_none(file: Path) -> None:
    file.write_text("{")

    assert not Restart(file).crashed
