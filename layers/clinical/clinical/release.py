"""Which release of the system this is: the version in pyproject.toml.

It is read by what documents the API and by what writes model cards, and by nothing that answers a
request.
"""

import tomllib
from functools import cache
from pathlib import Path

# Beside this module, in a layer as in the repository, where it is a link to pyproject.toml. It is
# no Python: a new version alone leaves the cached answers of every stage as good as they were.
RELEASE = Path(__file__).with_name("release.toml")


@cache
def release() -> str:
    """Give the version, such as 1.0.0."""
    with RELEASE.open("rb") as file:
        version: str = tomllib.load(file)["project"]["version"]
    return version
