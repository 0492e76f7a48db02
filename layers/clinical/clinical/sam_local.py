"""What differs in a container of `sam local`; deployed functions never run in one.

A cold start imports this before anything else, so it imports little.
"""

import os

FOLDER = "file://"


def in_sam_local() -> bool:
    """Whether this process runs in a container of `sam local`, which sets this variable."""
    return os.environ.get("AWS_SAM_LOCAL") == "true"


def folder_of(bucket: str) -> str | None:
    """Return the folder that ARTIFACTS_BUCKET names instead of a bucket; None for a bucket."""
    if not in_sam_local() or not bucket.startswith(FOLDER):
        return None
    return bucket.removeprefix(FOLDER)


def what_to_run() -> str:
    """Say what to run if a container lacks something, after a blank; "" outside `sam local`."""
    if not in_sam_local():
        return ""
    if folder_of(os.environ.get("ARTIFACTS_BUCKET", "")) is None:
        return " Run `make up` first: it starts the local cloud that this container uses."
    return (
        " Run `make build` to give this container a model for predictions; for everything else, "
        "run `make up`, then sam with `--config-env cloud`."
    )
