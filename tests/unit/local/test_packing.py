import json
import os
import re
import shutil
import zipfile
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from local import packing
from local.packing import pack, pack_beside

if TYPE_CHECKING:
    from collections.abc import Callable

TEMPLATE = """\
Resources:
  Light:
    Type: AWS::Serverless::LayerVersion
    Properties:
      ContentUri: Light
  Heavy:
    Type: AWS::Serverless::LayerVersion
    Properties:
      ContentUri: Heavy
  Serve:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: Serve
  First:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: First
  Second:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: Second
  Machine:
    Type: AWS::Serverless::StateMachine
    Properties:
      DefinitionUri: ../../machine.asl.json
"""
STAGES = ("First", "Second")


@pytest.fixture
def build(tmp_path: Path) -> Path:
    build = tmp_path / "build"
    for file in ("Light/python/a.py", "Light/python/b/c.so", "Heavy/python/d.py", "Serve/app.py"):
        write(build / file, file)
    for stage in STAGES:
        write(build / stage / "stages.py", "of all stages")
    (build / "Light/python/b/c.so").chmod(0o755)
    (build / "template.yaml").write_text(TEMPLATE)
    return build


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def artefacts(build: Path) -> dict[str, str]:
    """What the packed template says that each part is made of."""
    packed = json.loads((build / "packed.json").read_text())
    return {
        name: value
        for name, resource in packed["Resources"].items()
        for value in resource["Properties"].values()
    }


def test_the_template_has_each_part_as_its_zip_and_nothing_else_is_another(build: Path) -> None:
    pack(build)

    packed = json.loads((build / "packed.json").read_text())
    expected = re.sub(r"((?:Content|Code)Uri: \w+)", r"\1.zip", TEMPLATE)
    assert packed == yaml.safe_load(expected.replace("Second.zip", "First.zip"))
    assert (build / "template.yaml").read_text() == TEMPLATE


def test_parts_share_a_zip_only_where_every_file_of_theirs_is_the_same(build: Path) -> None:
    pack(build)
    assert artefacts(build)["Second"] == "First.zip"

    changes: tuple[Callable[[Path], object], ...] = (
        lambda file: file.write_text("of one stage"),
        lambda file: file.chmod(0o755),
        lambda file: file.rename(file.with_name("other.py")),
        lambda file: file.unlink(),
    )
    for change in changes:
        write(build / "Second/stages.py", "of all stages")
        change(build / "Second/stages.py")
        pack(build)

        assert artefacts(build)["Second"] == "Second.zip"
        (build / "Second/stages.py").unlink(missing_ok=True)
        (build / "Second/other.py").unlink(missing_ok=True)


def test_what_is_still_the_same_is_not_zipped_again(
    build: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack(build)
    later = build.with_name("later")
    shutil.copytree(build, later, ignore=shutil.ignore_patterns("*.zip", "*.json"))
    write(later / "Serve/app.py", "changed")
    (build / "Light.zip").write_bytes(b"half a zip")
    written: list[str] = []
    write_zip = packing.write_zip

    def noting(folder: Path, *arguments: Any) -> None:
        written.append(folder.name)
        write_zip(folder, *arguments)

    monkeypatch.setattr(packing, "write_zip", noting)

    pack(later, build)

    assert written == ["Light", "Serve"]
    monkeypatch.undo()
    taken = {file.name: file.read_bytes() for file in later.glob("*.zip")}
    pack(later)
    assert taken == {file.name: file.read_bytes() for file in later.glob("*.zip")}
    pack(later, build.with_name("never built"))


def test_a_build_beside_another_has_zips_of_its_own_parts_alone(build: Path) -> None:
    pack(build)
    beside = build.with_name("beside")
    for part in ("Light", "Second"):
        write(beside / part / "own.py", part)

    pack_beside(build, beside)

    assert artefacts(beside) == {
        "Light": "Light.zip",
        "Heavy": "../build/Heavy.zip",
        "Serve": "../build/Serve.zip",
        "First": "../build/First.zip",
        "Second": "Second.zip",
        "Machine": "../../machine.asl.json",
    }
    assert {path.name for path in beside.glob("*.zip")} == {"Light.zip", "Second.zip"}
    for name, made_of in artefacts(beside).items():
        assert name == "Machine" or (beside / made_of).is_file()


def test_others_read_yaml_as_before(build: Path) -> None:
    """Sam's own parser would change the one of the whole process."""
    pack(build)

    read = yaml.safe_load("day: 2026-11-26")
    assert (type(read), read) == (dict, {"day": date(2026, 11, 26)})


def test_a_zip_holds_what_its_part_holds(build: Path) -> None:
    pack(build)

    with zipfile.ZipFile(build / "Light.zip") as archive:
        assert archive.testzip() is None
        modes = {one.filename: one.external_attr >> 16 & 0o111 for one in archive.infolist()}
        assert {name: archive.read(name).decode() for name in modes} == {
            "python/a.py": "Light/python/a.py",
            "python/b/c.so": "Light/python/b/c.so",
        }
    assert modes == {"python/a.py": 0, "python/b/c.so": 0o111}


def test_the_same_files_are_the_same_bytes_whenever_they_were_written(build: Path) -> None:
    pack(build)
    before = (build / "Light.zip").read_bytes()
    for path in build.rglob("*"):
        os.utime(path, (10**9, 10**9))

    pack(build)

    assert (build / "Light.zip").read_bytes() == before
