"""What may go wrong between a command and the cloud, told in one place, in a sentence."""

import errno
import http.client
import json
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

INTERRUPTED = (
    "Interrupted. What the command started was ended; what runs in the local cloud runs on there. "
    "`make up` goes on from here."
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
    errno.EACCES: "it may not be written",
    errno.EPERM: "it may not be written",
    errno.ENOTDIR: "there is a file where a folder is to be",
    errno.EEXIST: "there is a file where a folder is to be",
}


def told(error: Exception, home: Path) -> str:
    """Say what went wrong, and what to do about it.

    error: one of UNREACHABLE.
    home: the folder of the cloud that was asked.
    """
    if isinstance(error, OSError) and error.errno in UNWRITABLE:
        return f"{error.filename or home} cannot be written: {UNWRITABLE[error.errno]}"
    if isinstance(error, ClientError):
        return f"the local cloud refused a request: {error}; its log is {home / 'cloud.log'}"
    said = " ".join(str(error).split()) or type(error).__name__
    return (
        f"the local cloud does not answer as it should ({said}): it may have died, its log is "
        f"{home / 'cloud.log'}; `make up` starts it again, and nothing that it holds is lost"
    )
