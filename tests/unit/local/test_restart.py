from pathlib import Path

from local.__main__ import note
from local.cloud import Start
from local.ministack import Ministack
from local.restart import Restart
from local.stack import Stack


def test_a_start_is_noted_until_all_is_done(tmp_path: Path) -> None:
    Restart(tmp_path).note(Start(fresh=True, crashed=True), 100.0)

    noted = Restart(tmp_path)
    assert (noted.is_open, noted.since, noted.crashed) == (True, 100.0, True)

    noted.close()
    assert not Restart(tmp_path).is_open


def test_a_second_start_before_all_is_done_forgets_nothing_of_the_first(tmp_path: Path) -> None:
    Restart(tmp_path).note(Start(fresh=True, crashed=True), 100.0)
    Restart(tmp_path).note(Start(fresh=True), 200.0)

    noted = Restart(tmp_path)
    assert (noted.since, noted.crashed) == (100.0, True)


def test_a_note_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    (tmp_path / "restarted.json").write_text("{")

    noted = Restart(tmp_path)
    assert not noted.crashed
    noted.note(Start(fresh=True), 100.0)
    assert noted.since == 100.0


def test_a_start_is_noted_for_each_study_and_forgets_nothing_of_another(tmp_path: Path) -> None:
    stack, other = Stack(Ministack(tmp_path, 1)), tmp_path / "studies" / "other"
    for folder in (stack.folder, other):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "outputs.json").write_text("{}")
    Restart(other).note(Start(fresh=True, crashed=True), 100.0)

    note(Start(fresh=True), stack)

    own = Restart(stack.folder)
    assert own.is_open
    assert own.since > 100.0
    assert not own.crashed
    assert (Restart(other).since, Restart(other).crashed) == (100.0, True)
