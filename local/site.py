"""Publish the site to a deployed stack, here or on AWS: `python -m local.site STACK`."""

import json
import mimetypes
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import boto3

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SITE = Path(__file__).parent.parent / "site"
OWN_ORIGIN = "connect-src 'self'"  # all that the committed pages may connect to


def publish(s3: "S3Client", bucket: str, api_url: str, site_url: str) -> None:
    """Upload the site's files, and config.json, which tells them where the API is.

    api_url: may be a path, of the site's own origin.
    """
    origin = "" if origin_of(api_url) in {"", origin_of(site_url)} else f" {origin_of(api_url)}"
    for file in sorted(SITE.iterdir()):
        body = file.read_bytes()
        if file.suffix == ".html":
            body = body.replace(OWN_ORIGIN.encode(), f"{OWN_ORIGIN}{origin}".encode())
        _put(s3, bucket, file.name, body)
    _put(s3, bucket, "config.json", json.dumps({"api_url": api_url.rstrip("/")}).encode())


def origin_of(url: str) -> str:
    """Give the origin of a URL; none of a path."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""


def _put(s3: "S3Client", bucket: str, name: str, body: bytes) -> None:
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    # Caches, CloudFront's too, ask again each time, so that what is published is what is seen.
    s3.put_object(Bucket=bucket, Key=name, Body=body, ContentType=kind, CacheControl="no-cache")


def main(stack_name: str) -> None:
    """Publish to a stack in the account and region of the shell's AWS credentials."""
    (stack,) = boto3.client("cloudformation").describe_stacks(StackName=stack_name)["Stacks"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    site_url = outputs["SiteUrl"]
    publish(boto3.client("s3"), outputs["SiteBucketName"], outputs["SiteApiUrl"], site_url)
    print(site_url)  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1])
