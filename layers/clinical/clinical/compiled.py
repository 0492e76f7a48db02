"""A params.yaml as JSON, which a build has beside it: a cold start then needs no YAML parser.

`python -m clinical.compiled params.yaml` writes it. It names the bytes that it was made of, so that
a file edited since is read itself.
"""

import hashlib
import json
import sys
from pathlib import Path

_OF, _DECIDED = "sha256", "decided"


def write(path: Path) -> None:
    """Write beside a params.yaml what it says; raises what `yaml_file.plain` does."""
    # Imported here: reading what is written needs none.
    from clinical.yaml_file import plain  # noqa: PLC0415

    body = path.read_bytes()
    said = {_OF: hashlib.sha256(body).hexdigest(), _DECIDED: plain(body)}
    path.with_suffix(".json").write_text(json.dumps(said, default=str), encoding="utf-8")


def read(path: Path) -> object:
    """Give what a params.yaml says, as it was written beside; None unless it is of these bytes."""
    beside = path.with_suffix(".json")
    if not beside.exists():
        return None
    said = json.loads(beside.read_bytes())
    is_same = said[_OF] == hashlib.sha256(path.read_bytes()).hexdigest()
    return said[_DECIDED] if is_same else None


if __name__ == "__main__":
    write(Path(sys.argv[1]))
