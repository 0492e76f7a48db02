"""Let a deployment adopt buckets that a crash or a failed deployment left behind.

On AWS an existing bucket makes a deployment fail, and has to be imported. Here the buckets have the
uploads, the models and the ledger, but their stack may be gone: the new stack adopts them with
their contents.
"""

from typing import Any

from ministack.services import s3
from ministack.services.cloudformation import provisioners

_create = provisioners._s3_create  # noqa: SLF001
_conflict = provisioners.s3_bucket_name_conflict


def create_or_adopt(
    logical_id: str, properties: dict[str, Any], stack: str
) -> tuple[str, dict[str, str]]:
    """Create a bucket, or give an existing one the properties of a new one."""
    name = properties.get("BucketName")
    if name in s3._buckets:  # noqa: SLF001
        adopted: tuple[str, dict[str, str]] = provisioners._s3_update(name, {}, properties, stack)  # noqa: SLF001
        return adopted
    made: tuple[str, dict[str, str]] = _create(logical_id, properties, stack)
    return made


def conflict(name: str) -> str | None:
    """Return why a bucket cannot be created: only if it is another account's."""
    if name in s3._buckets:  # noqa: SLF001
        return None
    told: str | None = _conflict(name)
    return told


def install() -> None:
    """Install the correction; fails if ministack now creates buckets differently."""
    handlers = provisioners._RESOURCE_HANDLERS["AWS::S3::Bucket"]  # noqa: SLF001
    if handlers["create"] is not _create:
        raise SystemExit("ministack has changed: check how it now creates buckets")
    handlers["create"] = create_or_adopt
    provisioners.s3_bucket_name_conflict = conflict
