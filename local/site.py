"""Publish the site to a deployed stack, here or on AWS: `python -m local.site STACK`."""

import json
import mimetypes
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import boto3

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SITE = Path(__file__).parent.parent / "site"


def publish(s3: "S3Client", bucket: str, api_url: str) -> None:
    """Upload the site's files, and config.json, which tells them where the API is."""
    for file in sorted(SITE.iterdir()):
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        s3.put_object(Bucket=bucket, Key=file.name, Body=file.read_bytes(), ContentType=kind)
    s3.put_object(
        Bucket=bucket,
        Key="config.json",
        Body=json.dumps({"api_url": api_url}).encode(),
        ContentType="application/json",
        CacheControl="no-cache",
    )


def main(stack_name: str) -> None:
    """Publish to a stack in the account and region of the shell's AWS credentials."""
    (stack,) = boto3.client("cloudformation").describe_stacks(StackName=stack_name)["Stacks"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    publish(boto3.client("s3"), outputs["SiteBucketName"], outputs["SiteApiUrl"])
    print(outputs["SiteUrl"])  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1])
