"""Publish the site to a deployed stack, here or on AWS: `python -m local.site STACK [STUDY]`."""

import html
import json
import math
import mimetypes
import re
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from clinical.params import Params, params

from local import studies
from local.cloud import CloudFailed

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

type Study = Mapping[str, Any]

SITE = Path(__file__).parent.parent / "site"
OWN_ORIGIN = "connect-src 'self'"  # all that the committed pages may connect to
MOST_TICKS = 10
OF_THE_SITE = {"SiteUrl", "SiteBucketName", "SiteApiUrl"}  # outputs of the template
INTERRUPTED = "Interrupted: the site may be published in part. Run `make publish` again."


def publish(
    s3: "S3Client", bucket: str, api_url: str, site_url: str, study: Study | None = None
) -> None:
    """Upload the site's files for a study, with their config.json.

    api_url: may be a path on the site's own origin. study: by default that of params.yaml.
    """
    study = study or described_study(params())
    for name, body in published(study, api_url, site_url).items():
        _put(s3, bucket, name, body)


def published(study: Study, api_url: str, site_url: str) -> dict[str, bytes]:
    """Return the site's files by name: its pages with the study's texts, and config.json."""
    files = {file.name: file.read_bytes() for file in sorted(SITE.iterdir())}
    origin = "" if origin_of(api_url) in {"", origin_of(site_url)} else f" {origin_of(api_url)}"
    for name, body in files.items():
        if name.endswith(".html"):
            page = worded(body.decode(), study).replace(OWN_ORIGIN, f"{OWN_ORIGIN}{origin}")
            files[name] = page.encode()
    config = {
        "api_url": api_url.rstrip("/"),
        "study": study,
        "ticks": ticks(*study["target"]["range"]),
    }
    return files | {"config.json": json.dumps(config).encode()}


def worded(page: str, study: Study) -> str:
    """Replace `{{title}}` and the like in a page by the study's texts, escaped as text."""
    words = {**study, "outcome": study["target"]["label"]}
    return re.sub(r"\{\{(\w+)\}\}", lambda found: html.escape(words[found[1]]), page)


def ticks(low: float, high: float) -> dict[str, Any]:
    """Choose round ticks for a scale: the first, their step, and those with a label."""
    rough = (high - low) / MOST_TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(one * power for one in (1, 2, 5, 10) if one * power >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return {
        "first": _round(first * step),
        "step": _round(step),
        "named": [_round(one * step) for one in range(first, last + 1) if one % 2 == 0],
    }


def _round(number: float) -> float:
    """Remove what binary fractions add to a decimal: 0.30000000000000004 is 0.3."""
    return float(f"{number:.9g}")


def described_study(params: Params) -> dict[str, Any]:
    """Return a study's texts and target for its site."""
    target = params.target
    return {
        "title": params.study.title,
        "question": params.study.question,
        "introduction": params.study.introduction,
        "disclaimer": params.study.disclaimer,
        "target": {
            "name": target.column,
            "label": params.label(target.column),
            "unit": params.unit,
            "range": list(params.scale),
            "decimals": target.decimals,
            "higher_is": target.higher_is,
            "bands": [{"name": name, "from": start} for name, start in target.bands.items()],
        },
    }


def origin_of(url: str) -> str:
    """Return the origin of a URL; "" for a path."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""


def _put(s3: "S3Client", bucket: str, name: str, body: bytes) -> None:
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    # Caches, including CloudFront's, revalidate each time, so that changes are visible at once.
    s3.put_object(Bucket=bucket, Key=name, Body=body, ContentType=kind, CacheControl="no-cache")


def main(stack_name: str, study: str = "") -> int:
    """Publish to a stack in the account and region of the shell's AWS credentials.

    Returns the exit code; expected failures print a sentence, no trace.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        studies.choose(studies.study_of(study))
        outputs = outputs_of(stack_name)
        site_url = outputs["SiteUrl"]
        publish(boto3.client("s3"), outputs["SiteBucketName"], outputs["SiteApiUrl"], site_url)
        print(site_url)  # noqa: T201
    except KeyboardInterrupt:
        print(INTERRUPTED, file=sys.stderr)  # noqa: T201
        return 130
    except (CloudFailed, BotoCoreError, ClientError) as error:
        print(f"{stack_name}'s site was not fully published: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def outputs_of(stack_name: str) -> dict[str, str]:
    """Read what a stack says of its site; raises CloudFailed if it says nothing."""
    (stack,) = boto3.client("cloudformation").describe_stacks(StackName=stack_name)["Stacks"]
    outputs = {one["OutputKey"]: one["OutputValue"] for one in stack.get("Outputs", [])}
    if not outputs.keys() >= OF_THE_SITE:
        raise CloudFailed(
            "it is not deployed from this template, or not completely: run `sam deploy` first"
        )
    return outputs


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
