"""Parse a request's body, once; no other parser looks at it.

`json` accepts some things that JSON does not allow (NaN, half a surrogate pair). No field of the
contract accepts them, so validation reports where they are. Duplicate keys are refused here,
because `json` keeps only the last one.
"""

import base64
import binascii
import json
from collections import Counter
from collections.abc import Iterator, Sequence

from clinical.errors import BodyTooLarge, BodyUnreadable, MediaTypeUnsupported

JSON = "application/json"
UTF_8 = {"utf-8", "utf8"}
SHOWN = 64  # characters of a client's word that an answer repeats

_TOO_DEEP = "The request body is nested too deeply to be parsed."


def shown(word: str) -> str:
    """Return a client's word in a form that is safe to repeat: bounded, and valid Unicode."""
    cut = word if len(word) <= SHOWN else f"{word[:SHOWN]}…"
    return cut.encode("utf-8", "backslashreplace").decode()


def check_headers(media_types: Sequence[str], encodings: Sequence[str]) -> None:
    """Refuse a body that is declared to be anything other than unencoded JSON in UTF-8.

    media_types, encodings: all Content-Type and Content-Encoding values of the request. A request
    without a Content-Type is taken to be JSON. Raises MediaTypeUnsupported.
    """
    for media_type in media_types:
        if media_type.strip().lower() not in {"", JSON}:
            _check_media_type(media_type)
    for encoding in ",".join(encodings).split(",") if encodings else ():
        if encoding.strip().lower() not in {"", "identity"}:
            raise MediaTypeUnsupported(
                f"Content-Encoding {shown(encoding.strip())} is not supported; send the request "
                "body uncompressed, without this header."
            )


def _check_media_type(media_type: str) -> None:
    # Imported here: most requests say application/json and nothing more.
    from email.message import Message  # noqa: PLC0415

    header = Message()
    header["Content-Type"] = media_type
    if header.get_content_type() != JSON:
        raise MediaTypeUnsupported(
            f"Content-Type {shown(media_type.strip())} is not supported; send {JSON}."
        )
    for name, value in header.get_params(failobj=[]):
        charset = value if isinstance(value, str) else value[2]  # RFC 2231: charset, language, it
        if name.lower().rstrip("*") == "charset" and charset.strip().lower() not in UTF_8:
            raise MediaTypeUnsupported(
                f"The charset {shown(charset) or '(empty)'} is not supported; send JSON in UTF-8."
            )


def text_of(body: str, limit: int, *, in_base64: bool) -> str:
    """Decode an event's body to text.

    limit: in bytes of UTF-8. Raises BodyTooLarge, BodyUnreadable.
    """
    if len(body) > (limit * 4 / 3 + 4 if in_base64 else limit):
        raise _too_large(limit)
    try:
        text = base64.b64decode(body, validate=True).decode() if in_base64 else body
        size = len(text) if text.isascii() else len(text.encode())
    except UnicodeError as error:
        raise BodyUnreadable("The request body is not valid UTF-8.") from error
    except (binascii.Error, ValueError) as error:
        raise BodyUnreadable("The request body is not valid Base64.") from error
    if size > limit:
        raise _too_large(limit)
    return text


def _too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(f"The request body is larger than the limit of {limit:,} bytes.")


def parse(text: str) -> object:
    """Parse JSON; validation against the contract comes later.

    Raises BodyUnreadable, which says what is wrong and where.
    """
    if not text.strip():
        raise BodyUnreadable("The request body is empty; send a JSON object.")
    if text.startswith("\ufeff"):
        raise BodyUnreadable(
            "The request body begins with a byte order mark; send JSON without one."
        )
    try:
        return _ONCE_EACH.decode(text)
    except json.JSONDecodeError as error:
        raise BodyUnreadable(
            f"The request body is not valid JSON: line {error.lineno}, column {error.colno}: "
            f"{error.msg}."
        ) from error
    except _Twice as error:
        raise BodyUnreadable(_named_twice(text)) from error
    except RecursionError as error:
        raise BodyUnreadable(_TOO_DEEP) from error
    except ValueError as error:  # what json raises for more digits than int() reads
        raise BodyUnreadable("The request body contains a number with too many digits.") from error


class _Twice(ValueError):
    """When an object has a key twice."""


class _Pairs(list[tuple[str, object]]):
    """A JSON object as written, duplicate keys included."""


def _once_each(pairs: list[tuple[str, object]]) -> dict[str, object]:
    read = dict(pairs)
    if len(read) != len(pairs):
        raise _Twice
    return read


_ONCE_EACH = json.JSONDecoder(object_pairs_hook=_once_each)
_AS_WRITTEN = json.JSONDecoder(object_pairs_hook=_Pairs)


def _named_twice(text: str) -> str:
    """Parse the text again as written, and describe the first duplicate key and its place."""
    try:
        key, where = next(_twice(_AS_WRITTEN.decode(text)))
    except RecursionError:
        return _TOO_DEEP
    place = f" in {where}" if where else ""
    return f"The request body has the key {key} more than once{place}; send each key once."


def _twice(written: object) -> Iterator[tuple[str, str]]:
    """Find duplicate keys, with the path of the object that has them."""
    nodes = [("", written)]
    while nodes:
        where, node = nodes.pop()
        if isinstance(node, _Pairs):
            counts = Counter(key for key, _ in node)
            yield from ((shown(key), where) for key, count in counts.items() if count > 1)
            inside = [(shown(key), value) for key, value in node]
        elif isinstance(node, list):
            inside = [(str(number), value) for number, value in enumerate(node)]
        else:
            continue
        nodes += ((f"{where}.{name}".lstrip("."), value) for name, value in reversed(inside))
