"""Zip a build once, for all its deployments; `sam deploy` would zip it each time.

The template beside it is JSON, which sam and the local cloud read in a fiftieth of the time.
"""

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import yaml

PACKED = "packed.json"
FOLDER_OF = {  # the property that names a part's folder, by the type of the part
    "AWS::Serverless::Function": "CodeUri",
    "AWS::Serverless::LayerVersion": "ContentUri",
}
QUICKLY = 1  # zlib's fastest level, because the zip only goes over loopback

type Template = dict[str, Any]


def pack(build: Path) -> None:
    """Zip each built layer and function, and write a template that refers to the zips.

    Those with the same files share a zip, as the stages of a pipeline do.
    """
    template: Template = yaml.safe_load((build / "template.yaml").read_text())
    zips: dict[str, str] = {}
    for name, folder in folders(template).items():
        same = digest(build / folder)
        if same not in zips:
            zips[same] = write_zip(build / folder).name
        refer(template, name, zips[same])
    write(template, build)


def pack_beside(base: Path, build: Path) -> None:
    """Zip the parts of a build that has few, and write a template that else refers to another.

    base: the packed build beside it, with every part.
    """
    template: Template = json.loads((base / PACKED).read_text())
    for name, zipped in folders(template).items():
        own = build / name
        refer(template, name, write_zip(own).name if own.exists() else f"../{base.name}/{zipped}")
    write(template, build)


def folders(template: Template) -> dict[str, str]:
    """Return the folder or zip of each layer and function, by its name in the template."""
    return {
        name: resource["Properties"][FOLDER_OF[resource["Type"]]]
        for name, resource in template["Resources"].items()
        if resource["Type"] in FOLDER_OF
    }


def refer(template: Template, name: str, zipped: str) -> None:
    """Let a layer or function be of a zip."""
    resource = template["Resources"][name]
    resource["Properties"][FOLDER_OF[resource["Type"]]] = zipped


def write(template: Template, build: Path) -> None:
    (build / PACKED).write_text(json.dumps(template))


def files_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def digest(folder: Path) -> str:
    """Digest a folder: the names, modes and bytes of its files."""
    whole = hashlib.sha256()
    for file in files_in(folder):
        with file.open("rb") as opened:
            own = hashlib.file_digest(opened, "sha256").hexdigest()
        whole.update(json.dumps([str(file.relative_to(folder)), file.stat().st_mode, own]).encode())
    return whole.hexdigest()


def write_zip(folder: Path) -> Path:
    """Write a folder as a zip: the same bytes for the same files, whatever their times."""
    zipped = folder.with_suffix(".zip")
    with zipfile.ZipFile(zipped, "w") as archive:
        for file in files_in(folder):
            entry = zipfile.ZipInfo(str(file.relative_to(folder)))
            entry.external_attr = file.stat().st_mode << 16
            archive.writestr(entry, file.read_bytes(), zipfile.ZIP_DEFLATED, QUICKLY)
    return zipped
