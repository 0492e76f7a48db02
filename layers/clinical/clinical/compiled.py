"""A params.yaml as JSON, which a build writes beside it, so that a cold start needs no YAML parser.

`python -m clinical.compiled params.yaml` writes it. It holds the digest of its source: if the
params.yaml was edited since, the params.yaml is read.
"""

import hashlib
import json
import sys
from pathlib import Path

_OF, _DECIDED = "sha256", "decided"


def write(path: Path) -> None:
    """Write a params.yaml as JSON beside it; raises what `yaml_file.plain` does."""
    # Imported here because reading needs no YAML parser.
    from clinical.yaml_file import plain  # noqa: PLC0415

    body = path.read_bytes()
    said = {_OF: hashlib.sha256(body).hexdigest(), _DECIDED: plain(body)}
    path.with_suffix(".json").write_text(json.dumps(said, default=str), encoding="utf-8")


def read(path: Path) -> object:
    """Return the values of a params.yaml from the JSON beside it; None if it is out of date."""
    beside = path.with_suffix(".json")
    if not beside.exists():
        return None
    said = json.loads(beside.read_bytes())
    is_same = said[_OF] == hashlib.sha256(path.read_bytes()).hexdigest()
    return said[_DECIDED] if is_same else None


if __name__ == "__main__":
    write(Path(sys.argv[1]))
