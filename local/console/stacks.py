"""The stack that all pages look at: its clients, which are large, are there once."""

from pathlib import Path

from local.cloud import Cloud
from local.emulators import stack_at
from local.stack import Stack
from local.studies import Study

_stacks: dict[tuple[Cloud, str], Stack] = {}


def one_stack(home: Path, study: Study) -> Stack:
    """Find the stack of a study where its cloud listens now, which another `up` may change."""
    found = stack_at(home, study=study)
    return _stacks.setdefault((found.cloud, found.name), found)
