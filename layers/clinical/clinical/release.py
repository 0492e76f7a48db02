"""The release of the system: the version in pyproject.toml.

It is read for the API's documentation and for model cards, and never to answer a request.
"""

import tomllib
from functools import cache
from pathlib import Path

# Next to this module, in the layer and in the repository, where it is a link to pyproject.toml. As
# it is not Python, a new version alone does not invalidate the cached answers of the stages.
RELEASE = Path(__file__).with_name("release.toml")


@cache
def release() -> str:
    """Return the version, such as 1.0.0."""
    with RELEASE.open("rb") as file:
        version: str = tomllib.load(file)["project"]["version"]
    return version
