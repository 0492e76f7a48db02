"""What differs in a container of `sam local`, and nowhere else: a deployed function never is one.

A cold start imports this before anything else, so it imports little.
"""

import os

FOLDER = "file://"


def in_sam_local() -> bool:
    """Whether this process runs in a container of `sam local`, which sets this variable."""
    return os.environ.get("AWS_SAM_LOCAL") == "true"


def folder_of(bucket: str) -> str | None:
    """Give the folder that ARTIFACTS_BUCKET names in place of a bucket; None for a bucket in S3."""
    if not in_sam_local() or not bucket.startswith(FOLDER):
        return None
    return bucket.removeprefix(FOLDER)


def what_to_run() -> str:
    """Say what to run where a container lacks something, after a blank; "" outside `sam local`."""
    if not in_sam_local():
        return ""
    if folder_of(os.environ.get("ARTIFACTS_BUCKET", "")) is None:
        return " Run `make up` first: it starts the local cloud that this container asks."
    return (
        " `make build` makes a model for this container to predict with; for everything else, run "
        "`make up`, then sam with `--config-env cloud`."
    )
