from collections.abc import Iterator

import pytest
from clinical.obstore_bucket import ObstoreBucket

from tests.pipeline import own_store


@pytest.fixture
def memory() -> Iterator[ObstoreBucket]:
    """The artefacts bucket in this process's memory, empty: many small writes take no time."""
    with own_store() as empty:
        yield empty
