"""Which origins' pages may read the API's responses."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from clinical.errors import EnvironmentInvalid

ANY = "*"
REQUEST_HEADERS = "Authorization,Content-Type,X-Amz-Date,X-Amz-Security-Token,X-Api-Key"
MAX_AGE = "600"  # seconds for which a browser need not ask again

_DEFAULT_PORTS = {"http": 80, "https": 443}

type Headers = dict[str, list[str]]


@dataclass(frozen=True)
class Cors:
    """The origins whose pages may read responses; `*` allows all."""

    origins: frozenset[str]

    @classmethod
    def of(cls, setting: str) -> Self:
        """Parse a list such as the parameter AllowedOrigins; raises EnvironmentInvalid."""
        named = (one.strip() for one in setting.split(","))
        return cls(frozenset(one if one == ANY else origin_of(one) for one in named if one))

    def headers(self, origins: Iterable[str]) -> Headers:
        """Return the headers that let a page of these origins read a response."""
        if ANY in self.origins:
            allowed: Headers = {"Access-Control-Allow-Origin": [ANY]}
        else:
            allowed = {"Vary": ["Origin"]} if self.origins else {}
            asking = list(origins)
            if len(asking) != 1 or asking[0] not in self.origins:
                return allowed
            allowed["Access-Control-Allow-Origin"] = asking
        return {**allowed, "Access-Control-Expose-Headers": ["Retry-After"]}

    def preflight(self, origins: Iterable[str], methods: Iterable[str]) -> Headers:
        """Return the headers that answer a browser's preflight request."""
        allowed = self.headers(origins)
        if "Access-Control-Allow-Origin" not in allowed:
            return allowed
        return {
            **allowed,
            "Access-Control-Allow-Methods": [",".join(sorted({*methods, "OPTIONS"}))],
            "Access-Control-Allow-Headers": [REQUEST_HEADERS],
            "Access-Control-Max-Age": [MAX_AGE],
        }


def origin_of(address: str) -> str:
    """Return the origin of an address as browsers send it; raises EnvironmentInvalid.

    That is in lower case, without a path, and without the scheme's default port.
    """
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError as error:
        raise EnvironmentInvalid(f"ALLOWED_ORIGINS: {address} is not an origin") from error
    if not parts.scheme or not parts.hostname:
        raise EnvironmentInvalid(
            f"ALLOWED_ORIGINS: {address} is not an origin, such as https://a.example"
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    own_port = port is not None and port != _DEFAULT_PORTS.get(parts.scheme)
    return f"{parts.scheme}://{host}:{port}" if own_port else f"{parts.scheme}://{host}"
