"""Zip a build once, for all its deployments; `sam deploy` would zip it each time.

The template beside it is JSON, which sam and the local cloud read in a fiftieth of the time.
"""

import hashlib
import json
import shutil
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


def pack(build: Path, before: Path | None = None) -> None:
    """Zip each built layer and function, and write a template that refers to the zips.

    Those with the same files share a zip, as the stages of a pipeline do. before: an earlier build
    that was packed, whose zip is taken where the files are still the same.
    """
    template: Template = yaml.safe_load((build / "template.yaml").read_text())
    zips: dict[str, str] = {}
    for name, folder in folders(template).items():
        files = digest(build / folder)
        if files not in zips:
            zips[files] = zipped(build / folder, files, before).name
        refer(template, name, zips[files])
    write(template, build)


def pack_beside(base: Path, build: Path) -> None:
    """Zip the parts of a build that has few, and write a template that else refers to another.

    base: the packed build beside it, with every part.
    """
    template: Template = json.loads((base / PACKED).read_text())
    for name, made in folders(template).items():
        own = build / name
        uri = zipped(own, digest(own)).name if own.exists() else f"../{base.name}/{made}"
        refer(template, name, uri)
    write(template, build)


def folders(template: Template) -> dict[str, str]:
    """Return the folder or zip of each layer and function, by its name in the template."""
    return {
        name: resource["Properties"][FOLDER_OF[resource["Type"]]]
        for name, resource in template["Resources"].items()
        if resource["Type"] in FOLDER_OF
    }


def refer(template: Template, name: str, uri: str) -> None:
    """Let a layer or function be of a zip."""
    resource = template["Resources"][name]
    resource["Properties"][FOLDER_OF[resource["Type"]]] = uri


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


def zipped(folder: Path, files: str, before: Path | None = None) -> Path:
    """Zip a folder beside it, or copy the zip of a build before if that is of the same files.

    files: their digest, which the zip has as its comment.
    """
    made = folder.with_suffix(".zip")
    if before and comment_of(before / made.name) == files:
        shutil.copyfile(before / made.name, made)
    else:
        write_zip(folder, made, files)
    return made


def comment_of(archive: Path) -> str | None:
    """Read a zip's comment; None if there is no such zip."""
    try:
        with zipfile.ZipFile(archive) as opened:
            return opened.comment.decode(errors="replace")  # another tool's may be anything
    except (FileNotFoundError, zipfile.BadZipFile):
        return None


def write_zip(folder: Path, to: Path, comment: str) -> None:
    """Write a folder as a zip: the same bytes for the same files, whatever their times."""
    with zipfile.ZipFile(to, "w") as archive:
        archive.comment = comment.encode()
        for file in files_in(folder):
            entry = zipfile.ZipInfo(str(file.relative_to(folder)))
            entry.external_attr = file.stat().st_mode << 16
            archive.writestr(entry, file.read_bytes(), zipfile.ZIP_DEFLATED, QUICKLY)
