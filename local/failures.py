"""Error messages for what can go wrong between a command and the cloud."""

import errno
import http.client
import json
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

INTERRUPTED = (
    "Interrupted. The command's own processes were stopped; executions in the local cloud "
    "continue. Run `make up` to carry on."
)
UNREACHABLE = (
    BotoCoreError,
    ClientError,
    ResponseParserError,
    OSError,
    http.client.HTTPException,
    json.JSONDecodeError,
)
UNWRITABLE = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk's quota is used up",
    errno.EROFS: "the disk is read-only",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.ENOTDIR: "there is a file in the place of a folder",
    errno.EEXIST: "there is a file in the place of a folder",
}


def told(error: Exception, home: Path) -> str:
    """Return a message that says what went wrong, and what to do about it.

    error: one of UNREACHABLE.
    home: the folder of the cloud in question.
    """
    if isinstance(error, OSError) and error.errno in UNWRITABLE:
        return f"{error.filename or home} cannot be written: {UNWRITABLE[error.errno]}"
    if isinstance(error, ClientError):
        return f"the local cloud rejected a request: {error}; see its log, {home / 'cloud.log'}"
    said = " ".join(str(error).split()) or type(error).__name__
    return (
        f"the local cloud did not answer properly ({said}). It may have crashed; its log is "
        f"{home / 'cloud.log'}. `make up` starts it again without losing any data"
    )
