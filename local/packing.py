"""Zip what was built once, for every deployment of it: `sam deploy` would at each."""

import re
import zipfile
from pathlib import Path

PACKED = "packed.yaml"
LAYER = re.compile(r"^( +ContentUri: )(\w+)$", re.MULTILINE)
QUICKLY = 1  # of zlib's levels, for it goes over loopback


def pack(build: Path) -> None:
    """Put a zip beside each built layer, and a template of them beside the one that sam wrote."""
    template = (build / "template.yaml").read_text()
    for _, name in LAYER.findall(template):
        write_zip(build / name)
    (build / PACKED).write_text(LAYER.sub(r"\1\2.zip", template))


def write_zip(folder: Path) -> None:
    """Write the same bytes for the same files, whenever these were written."""
    with zipfile.ZipFile(folder.with_suffix(".zip"), "w") as archive:
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(str(file.relative_to(folder)))
            entry.external_attr = file.stat().st_mode << 16
            archive.writestr(entry, file.read_bytes(), zipfile.ZIP_DEFLATED, QUICKLY)
