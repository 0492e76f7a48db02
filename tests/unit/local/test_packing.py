import json
import os
import zipfile
from datetime import date
from pathlib import Path

import pytest
import yaml

from local.packing import pack

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
"""


@pytest.fixture
def build(tmp_path: Path) -> Path:
    for file in ("Light/python/a.py", "Light/python/b/c.so", "Heavy/python/d.py", "Serve/app.py"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(file)
    (tmp_path / "Light/python/b/c.so").chmod(0o755)
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    return tmp_path


def test_the_template_has_each_layer_as_its_zip_and_nothing_else_is_another(build: Path) -> None:
    pack(build)

    packed = json.loads((build / "packed.json").read_text())
    expected = TEMPLATE.replace("Uri: Light", "Uri: Light.zip").replace(
        "Uri: Heavy", "Uri: Heavy.zip"
    )
    assert packed == yaml.safe_load(expected)
    assert (build / "template.yaml").read_text() == TEMPLATE
    assert not (build / "Serve.zip").exists()


def test_others_read_yaml_as_before(build: Path) -> None:
    """Sam's own parser would change the one of the whole process."""
    pack(build)

    read = yaml.safe_load("day: 2026-11-26")
    assert (type(read), read) == (dict, {"day": date(2026, 11, 26)})


def test_a_zip_holds_what_its_layer_holds(build: Path) -> None:
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
