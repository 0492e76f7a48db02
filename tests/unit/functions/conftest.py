import pytest
from clinical.obstore_bucket import ObstoreBucket


@pytest.fixture
def bucket(store: ObstoreBucket) -> ObstoreBucket:
    """Models are published to where they serve from."""
    return store
