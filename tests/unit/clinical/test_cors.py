import re

import pytest
from clinical.cors import Cors
from clinical.errors import EnvironmentInvalid

from tests.template import template

SITE = "https://site.example"


@pytest.mark.parametrize(
    "setting",
    [
        SITE,
        f"{SITE}/",
        "HTTPS://Site.Example",
        f"{SITE}:443",
        f"https://lab.example, {SITE}",
        f" {SITE} ,https://lab.example",
        f"http://bucket.s3-website.example,{SITE}",
        f"{SITE},",
    ],
)
def test_an_origin_is_allowed_however_it_is_written(setting: str) -> None:
    headers = Cors.of(setting).headers([SITE])

    assert headers["Access-Control-Allow-Origin"] == [SITE]
    assert headers["Vary"] == ["Origin"]


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "http://site.example",
        "https://site.example:8443",
        "https://site.example.evil.example",
        "https://evil.example/https://site.example",
        "*",
        "",
    ],
)
def test_another_origin_is_not(origin: str) -> None:
    assert Cors.of(SITE).headers([origin]) == {"Vary": ["Origin"]}
    assert Cors.of(SITE).preflight([origin], ["GET"]) == {"Vary": ["Origin"]}


@pytest.mark.parametrize("setting", ["", " ", ","])
@pytest.mark.parametrize("origins", [[], ["null"], [SITE], ["*"], [""]])
def test_where_no_origin_is_configured_none_is_allowed(setting: str, origins: list[str]) -> None:
    assert Cors.of(setting).headers(origins) == {}
    assert Cors.of(setting).preflight(origins, ["GET"]) == {}


def test_answers_that_depend_on_the_origin_vary_by_it_for_those_without_one_too() -> None:
    assert Cors.of(SITE).headers([]) == {"Vary": ["Origin"]}
    assert "Vary" not in Cors.of("*").headers([SITE])


@pytest.mark.parametrize("setting", ["*", f"{SITE},*", " * "])
@pytest.mark.parametrize("origins", [[], ["null"], ["https://lab.example"]])
def test_an_asterisk_allows_any(setting: str, origins: list[str]) -> None:
    assert Cors.of(setting).headers(origins)["Access-Control-Allow-Origin"] == ["*"]


def test_two_origins_at_once_are_none() -> None:
    assert Cors.of(SITE).headers([SITE, "https://lab.example"]) == {"Vary": ["Origin"]}


def test_a_preflight_tells_methods_and_headers() -> None:
    headers = Cors.of(SITE).preflight([SITE], {"GET", "HEAD"})

    assert headers["Access-Control-Allow-Methods"] == ["GET,HEAD,OPTIONS"]
    assert {"Content-Type", "X-Api-Key"} <= set(
        headers["Access-Control-Allow-Headers"][0].split(",")
    )


@pytest.mark.parametrize("setting", ["site.example", "null", "//site.example", "https://", "a:b@c"])
def test_what_is_not_an_origin_is_named(setting: str) -> None:
    with pytest.raises(EnvironmentInvalid, match=f"ALLOWED_ORIGINS: {setting} is not an origin"):
        Cors.of(f"{SITE},{setting}")


@pytest.mark.parametrize(
    "setting",
    [
        "",
        "*",
        SITE,
        f"{SITE}/",
        "HTTPS://Site.Example:8443",
        f"{SITE}, https://lab.example",
        f"{SITE} ,https://lab.example/",
        "capacitor://localhost",
    ],
)
def test_what_can_be_deployed_is_understood(setting: str) -> None:
    pattern = template()["Parameters"]["AllowedOrigins"]["AllowedPattern"]

    assert re.fullmatch(pattern, setting)
    Cors.of(setting)


@pytest.mark.parametrize(
    "setting",
    [
        "site.example",
        "null",
        f"{SITE}/app",
        f"{SITE};https://lab.example",
        f"{SITE} https://lab.example",
        f"*,{SITE}",
        "https://*.example",
        "https://bücher.example",
        f"{SITE}:port",
    ],
)
def test_what_no_browser_would_send_cannot_be_deployed(setting: str) -> None:
    pattern = template()["Parameters"]["AllowedOrigins"]["AllowedPattern"]

    assert not re.fullmatch(pattern, setting)
