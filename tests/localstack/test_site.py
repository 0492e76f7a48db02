"""The site in the bucket that the template makes, over LocalStack's website hosting."""

import http.client
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest
from clinical.params import params

from local import site
from local.stack import Stack
from tests.patience import PATIENCE_SECONDS

API_URL = "http://api.example/v1"
KINDS = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True)
class Page:
    status: int
    kind: str | None
    body: bytes


@dataclass(frozen=True)
class Website:
    """A bucket's website, which is told by the Host that a request names."""

    url: str

    def get(self, path: str) -> Page:
        """Ask on loopback: the name resolves only where there is a public DNS."""
        place = urlsplit(self.url)
        connection = http.client.HTTPConnection(
            "127.0.0.1", place.port or 80, timeout=PATIENCE_SECONDS
        )
        try:
            connection.request("GET", path, headers={"Host": place.netloc})
            answer = connection.getresponse()
            return Page(answer.status, answer.getheader("Content-Type"), answer.read())
        finally:
            connection.close()


@pytest.fixture(scope="module")
def website(localstack: Stack, outputs: dict[str, str]) -> Website:
    site.publish(localstack.s3, outputs["SiteBucketName"], API_URL, outputs["SiteUrl"])
    return Website(outputs["SiteUrl"])


@pytest.fixture(scope="module")
def published(outputs: dict[str, str]) -> dict[str, bytes]:
    """Give the site's files as they are published."""
    return site.published(site.described_study(params()), API_URL, outputs["SiteUrl"])


def test_the_root_is_the_index_document(website: Website, published: dict[str, bytes]) -> None:
    page = website.get("/")

    assert (page.status, page.kind) == (200, "text/html")
    assert page.body == published["index.html"]


@pytest.mark.parametrize("name", sorted(file.name for file in site.SITE.iterdir()))
def test_every_file_of_the_site_is_served_as_what_it_is(
    website: Website, published: dict[str, bytes], name: str
) -> None:
    page = website.get(f"/{name}")

    assert (page.status, page.kind) == (200, KINDS[name[name.rindex(".") :]])
    assert page.body == published[name]


def test_the_site_is_told_where_the_api_is_and_what_the_study_is(
    website: Website, published: dict[str, bytes]
) -> None:
    page = website.get("/config.json")

    assert (page.status, page.kind) == (200, "application/json")
    assert page.body == published["config.json"]
    assert json.loads(page.body)["api_url"] == API_URL


@pytest.mark.parametrize("path", ["/nowhere", "/no/where.html"])
def test_an_unknown_path_gets_the_error_document(
    website: Website, published: dict[str, bytes], template: dict[str, Any], path: str
) -> None:
    hosting = template["Resources"]["SiteBucket"]["Properties"]["WebsiteConfiguration"]

    page = website.get(path)

    assert (page.status, page.kind) == (404, "text/html")
    assert page.body == published[hosting["ErrorDocument"]]


def test_the_bucket_lets_anybody_read(localstack: Stack, outputs: dict[str, str]) -> None:
    """LocalStack keeps policies without enforcing them, so nothing else of it can be seen."""
    bucket = outputs["SiteBucketName"]

    policy = json.loads(localstack.s3.get_bucket_policy(Bucket=bucket)["Policy"])

    (statement,) = policy["Statement"]
    assert (statement["Effect"], statement["Principal"]) == ("Allow", "*")
    assert statement["Action"] == "s3:GetObject"
    assert statement["Resource"] == f"arn:aws:s3:::{bucket}/*"
