"""The tests of every bucket again, over HTTP: boto3 and obstore against the local cloud's S3."""

from collections.abc import Callable
from uuid import uuid4

import pytest
from clinical.artefacts import Bucket
from clinical.boto3_bucket import Boto3Bucket
from clinical.obstore_bucket import s3_bucket
from clinical.s3_client import s3_store

from local.stack import Stack
from tests.integration.conftest import Laptop
from tests.pipeline import ENVIRONMENT
from tests.unit.clinical.test_artefacts import *  # noqa: F403 - they are the tests


@pytest.fixture(scope="module")
def s3(start_laptop: Callable[[str], Laptop]) -> Stack:
    """A local cloud with nothing deployed."""
    return start_laptop("s3").start_cloud()


@pytest.fixture(name="bucket", params=["boto3", "obstore"])
def bucket_over_http(
    s3: Stack, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Bucket:
    """An empty bucket, through a client that finds it by the environment."""
    name = f"bucket-{uuid4()}"
    s3.s3.create_bucket(Bucket=name)
    if request.param == "boto3":
        return Boto3Bucket(s3.s3, name)
    for variable, value in ENVIRONMENT.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.cloud.endpoint_url)
    s3_store.cache_clear()
    return s3_bucket(name)
