"""What a request's body says. It is read once, by the one parser that decides: this one.

What `json` reads and JSON does not have (NaN, half a surrogate pair) no field of the contract
takes, so validation names where it is. A key that is there twice is refused here: nothing after
`json` would ever know.
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

_TOO_DEEP = "The body is nested too deeply to be read."


def shown(word: str) -> str:
    """Give a client's word as an answer may repeat it: of bounded length, and valid Unicode."""
    cut = word if len(word) <= SHOWN else f"{word[:SHOWN]}…"
    return cut.encode("utf-8", "backslashreplace").decode()


def check_headers(media_types: Sequence[str], encodings: Sequence[str]) -> None:
    """Refuse a body that says it is something other than JSON in UTF-8, as it is.

    media_types, encodings: every Content-Type and Content-Encoding of the request. One that says
    nothing is taken to mean JSON. Raises MediaTypeUnsupported.
    """
    for media_type in media_types:
        if media_type.strip().lower() not in {"", JSON}:
            _check_media_type(media_type)
    for encoding in ",".join(encodings).split(",") if encodings else ():
        if encoding.strip().lower() not in {"", "identity"}:
            raise MediaTypeUnsupported(
                f"The body's Content-Encoding is {shown(encoding.strip())}; send it as it is, "
                "without one."
            )


def _check_media_type(media_type: str) -> None:
    # Imported here: most requests say application/json and nothing more.
    from email.message import Message  # noqa: PLC0415

    header = Message()
    header["Content-Type"] = media_type
    if header.get_content_type() != JSON:
        raise MediaTypeUnsupported(f"Send the body as {JSON}, not as {shown(media_type.strip())}.")
    for name, value in header.get_params(failobj=[]):
        charset = value if isinstance(value, str) else value[2]  # RFC 2231: charset, language, it
        if name.lower().rstrip("*") == "charset" and charset.strip().lower() not in UTF_8:
            raise MediaTypeUnsupported(
                f"The body's charset is {shown(charset) or 'empty'}; send JSON in UTF-8."
            )


def text_of(body: str, limit: int, *, in_base64: bool) -> str:
    """Take the text out of an event's body.

    limit: in bytes of UTF-8. Raises BodyTooLarge, BodyUnreadable.
    """
    if len(body) > (limit * 4 / 3 + 4 if in_base64 else limit):
        raise _too_large(limit)
    try:
        text = base64.b64decode(body, validate=True).decode() if in_base64 else body
        size = len(text) if text.isascii() else len(text.encode())
    except UnicodeError as error:
        raise BodyUnreadable("The body is not valid UTF-8.") from error
    except (binascii.Error, ValueError) as error:
        raise BodyUnreadable("The body is not valid Base64.") from error
    if size > limit:
        raise _too_large(limit)
    return text


def _too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(f"The body is larger than {limit:,} bytes.")


def parse(text: str) -> object:
    """Read JSON. Whether it keeps to the contract is for validation to say.

    Raises BodyUnreadable, which says what is wrong and where.
    """
    if not text.strip():
        raise BodyUnreadable("The body is empty; send a JSON object.")
    if text.startswith("\ufeff"):
        raise BodyUnreadable("The body begins with a byte order mark; send JSON without one.")
    try:
        return _ONCE_EACH.decode(text)
    except json.JSONDecodeError as error:
        raise BodyUnreadable(
            f"The body is not valid JSON: line {error.lineno}, column {error.colno}: {error.msg}."
        ) from error
    except _Twice as error:
        raise BodyUnreadable(_named_twice(text)) from error
    except RecursionError as error:
        raise BodyUnreadable(_TOO_DEEP) from error
    except ValueError as error:  # what json raises for more digits than int() reads
        raise BodyUnreadable("The body holds a number with too many digits.") from error


class _Twice(ValueError):
    """When a key is in an object twice."""


class _Pairs(list[tuple[str, object]]):
    """A JSON object as it is written."""


def _once_each(pairs: list[tuple[str, object]]) -> dict[str, object]:
    read = dict(pairs)
    if len(read) != len(pairs):
        raise _Twice
    return read


_ONCE_EACH = json.JSONDecoder(object_pairs_hook=_once_each)
_AS_WRITTEN = json.JSONDecoder(object_pairs_hook=_Pairs)


def _named_twice(text: str) -> str:
    """Read once more, as it is written, and say which key is there twice, and where."""
    try:
        key, where = next(_twice(_AS_WRITTEN.decode(text)))
    except RecursionError:
        return _TOO_DEEP
    return f"The body holds the key {key} twice{f' in {where}' if where else ''}; send it once."


def _twice(written: object) -> Iterator[tuple[str, str]]:
    """Find the keys that are in an object twice, and the path of that object."""
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
