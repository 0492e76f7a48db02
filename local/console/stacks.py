"""The stack that all pages share, because its clients are large."""

from pathlib import Path

from local.cloud import Cloud
from local.emulators import stack_at
from local.stack import Stack
from local.studies import Study

_stacks: dict[tuple[Cloud, str], Stack] = {}


def one_stack(home: Path, study: Study) -> Stack:
    """Return the stack of a study at its cloud's current port, which another `up` may change."""
    found = stack_at(home, study=study)
    return _stacks.setdefault((found.cloud, found.name), found)
