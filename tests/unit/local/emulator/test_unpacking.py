import os
import shutil
import zipfile
from io import BytesIO
from pathlib import Path

from local.emulator.unpacking import KEPT, UNUSED_SECONDS, Unpacked


def archive(text: str) -> bytes:
    held = BytesIO()
    with zipfile.ZipFile(held, "w") as file:
        file.writestr("python/module.py", text)
    return held.getvalue()


def test_a_layer_is_unpacked_once_for_all_clouds(tmp_path: Path) -> None:
    one, other = Unpacked(tmp_path), Unpacked(tmp_path)

    folder = one.folder_of(archive("x = 1"))
    (folder / "compiled").touch()  # as Python does

    assert (folder / "python/module.py").read_text() == "x = 1"
    assert other.folder_of(archive("x = 1")) == folder
    assert (folder / "compiled").exists()
    assert other.folder_of(archive("x = 2")) != folder


def test_a_layer_that_somebody_deleted_is_unpacked_again(tmp_path: Path) -> None:
    unpacked, packed = Unpacked(tmp_path), archive("x = 1")
    folder = unpacked.folder_of(packed)
    shutil.rmtree(folder)

    assert (unpacked.folder_of(packed) / "python/module.py").exists()


def test_what_no_cloud_has_used_for_long_is_deleted_but_for_the_last_few(tmp_path: Path) -> None:
    unpacked = Unpacked(tmp_path)
    folders = [unpacked.folder_of(archive(f"x = {number}")) for number in range(KEPT + 3)]
    for number, folder in enumerate(folders):
        os.utime(folder, (number, number))
    used = folders[0]
    os.utime(used, (UNUSED_SECONDS, UNUSED_SECONDS))

    unpacked.forget_unused(now=UNUSED_SECONDS + 100)

    assert used.exists()
    assert [folder for folder in folders if not folder.exists()] == folders[1:4]
