import os
import zipfile
from io import BytesIO
from pathlib import Path

from local.emulator.unpacking import KEPT_LAYERS, UNUSED_SECONDS, Layers


def archive(text: str) -> bytes:
    held = BytesIO()
    with zipfile.ZipFile(held, "w") as file:
        file.writestr("python/module.py", text)
    return held.getvalue()


def test_a_layer_is_unpacked_once_for_all_clouds(tmp_path: Path) -> None:
    one, other = Layers(tmp_path), Layers(tmp_path)

    folder = one.unpacked(archive("x = 1"))
    (folder / "compiled").touch()  # as Python does

    assert (folder / "python/module.py").read_text() == "x = 1"
    assert other.unpacked(archive("x = 1")) == folder
    assert (folder / "compiled").exists()
    assert other.unpacked(archive("x = 2")) != folder


def test_a_layer_that_somebody_deleted_is_unpacked_again(tmp_path: Path) -> None:
    layers, packed = Layers(tmp_path), archive("x = 1")
    folder = layers.unpacked(packed)
    (folder / "python/module.py").unlink()
    (folder / "python").rmdir()
    folder.rmdir()

    assert (layers.unpacked(packed) / "python/module.py").exists()


def test_what_no_cloud_has_used_for_long_is_deleted_but_for_the_last_few(tmp_path: Path) -> None:
    layers = Layers(tmp_path)
    folders = [layers.unpacked(archive(f"x = {number}")) for number in range(KEPT_LAYERS + 3)]
    for number, folder in enumerate(folders):
        os.utime(folder, (number, number))
    used = folders[0]
    os.utime(used, (UNUSED_SECONDS, UNUSED_SECONDS))

    layers.forget_unused(now=UNUSED_SECONDS + 100)

    assert used.exists()
    assert [folder for folder in folders if not folder.exists()] == folders[1:4]
