"""Tell requests that only read from those that may change something.

In AWS's APIs most requests are a POST, also those that only read: what one does is its action.
JSON services name it in a header, those of CBOR in the path. Of the query protocol's, which is in
the body, nothing is told here.
"""

from typing import Any

READ_ONLY_METHODS = {"GET", "HEAD", "OPTIONS"}
READ_ONLY_ACTIONS = ("BatchGet", "Describe", "Filter", "Get", "List")
TARGET = b"x-amz-target"
OPERATION = "/operation/"


def only_reads(scope: dict[str, Any]) -> bool:
    """Whether a request, as ASGI describes it, surely changes nothing."""
    if scope["method"] in READ_ONLY_METHODS:
        return True
    path: str = scope["path"]
    if target := dict(scope["headers"]).get(TARGET):
        _, _, action = target.decode("latin-1").rpartition(".")
    else:
        _, is_cbor, operation = path.rpartition(OPERATION)
        action = operation if is_cbor else ""
    return bool(action.startswith(READ_ONLY_ACTIONS))
