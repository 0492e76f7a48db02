"""A params.yaml compiled to JSON by the build, so that a cold start needs no YAML parser.

`python -m clinical.compiled params.yaml` writes it. It contains the digest of its source, so that
an edited params.yaml is parsed instead.
"""

import hashlib
import json
import sys
from pathlib import Path

_OF, _DECIDED = "sha256", "decided"


def write(path: Path) -> None:
    """Write the JSON next to a params.yaml; raises what `yaml_file.plain` raises."""
    # Imported here because reading the JSON does not need it.
    from clinical.yaml_file import plain  # noqa: PLC0415

    body = path.read_bytes()
    said = {_OF: hashlib.sha256(body).hexdigest(), _DECIDED: plain(body)}
    path.with_suffix(".json").write_text(json.dumps(said, default=str), encoding="utf-8")


def read(path: Path) -> object:
    """Return the compiled content of a params.yaml; None unless it matches the file's bytes."""
    beside = path.with_suffix(".json")
    if not beside.exists():
        return None
    said = json.loads(beside.read_bytes())
    is_same = said[_OF] == hashlib.sha256(path.read_bytes()).hexdigest()
    return said[_DECIDED] if is_same else None


if __name__ == "__main__":
    write(Path(sys.argv[1]))
