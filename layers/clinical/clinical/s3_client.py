"""The S3 client of the functions that serve requests; imports little, to keep cold starts short."""

import os
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from obstore.store import LocalStore, S3Store
from snapshot_restore_py import register_after_restore

from clinical.sam_local import folder_of

if TYPE_CHECKING:
    from obstore.store import ClientConfig, ObjectStore, RetryConfig, S3Credential

CONTAINER_CREDENTIALS = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
CREDENTIALS_SECONDS = 1.0

# Requests without a deadline end as well: after three tries of ten seconds.
CLIENT: "ClientConfig" = {"connect_timeout": timedelta(seconds=1), "timeout": timedelta(seconds=10)}
RETRIES: "RetryConfig" = {
    "max_retries": 2,
    "retry_timeout": timedelta(seconds=10),
    "backoff": {
        "init_backoff": timedelta(milliseconds=50),
        "max_backoff": timedelta(milliseconds=200),
    },
}


@cache
def s3_store(bucket: str) -> "ObjectStore":
    """Return the function's only client of a bucket; obstore reads region and keys itself."""
    if folder := folder_of(bucket):
        return LocalStore(folder)
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
    from_container = CONTAINER_CREDENTIALS in os.environ and "AWS_ACCESS_KEY_ID" not in os.environ
    return S3Store(
        bucket,
        config={"endpoint": endpoint} if endpoint else {"virtual_hosted_style_request": True},
        client_options={**CLIENT, "allow_http": endpoint.startswith("http://")},
        retry_config=RETRIES,
        credential_provider=container_credentials if from_container else None,
    )


# A snapshot keeps connections that have long been closed, and credentials that may have expired.
register_after_restore(s3_store.cache_clear)


def container_credentials() -> "S3Credential":
    """Fetch the credentials of a function with SnapStart, which has no keys in its environment.

    obstore knows the addresses, but not Lambda's token, which is not a file.
    """
    # Imported here so that no other function has to wait for it.
    import json  # noqa: PLC0415
    from urllib.request import ProxyHandler, Request, build_opener  # noqa: PLC0415

    token = os.environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN", "")
    if file := os.environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"):
        token = Path(file).read_text(encoding="utf-8").strip()
    asked = Request(os.environ[CONTAINER_CREDENTIALS], headers={"Authorization": token})  # noqa: S310 - Lambda's own
    with build_opener(ProxyHandler({})).open(asked, timeout=CREDENTIALS_SECONDS) as answer:
        given = json.load(answer)
    return {
        "access_key_id": given["AccessKeyId"],
        "secret_access_key": given["SecretAccessKey"],
        "token": given["Token"],
        "expires_at": datetime.fromisoformat(given["Expiration"]),
    }
