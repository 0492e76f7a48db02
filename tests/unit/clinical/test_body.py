import base64
import json
import string

import pytest
from clinical import body
from clinical.errors import BodyTooLarge, BodyUnreadable, MediaTypeUnsupported
from hypothesis import given
from hypothesis import strategies as st

LIMIT = 1000

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(value=json_values, ascii_only=st.booleans(), indent=st.none() | st.integers(0, 2))
def test_json_is_read_as_it_was_written(
    value: object, *, ascii_only: bool, indent: int | None
) -> None:
    assert body.parse(json.dumps(value, ensure_ascii=ascii_only, indent=indent)) == value


@pytest.mark.parametrize(
    ("text", "key", "where"),
    [
        ('{"Age": 56, "Age": 20}', "Age", ""),
        ('{"Age": 56, "Age": 56}', "Age", ""),
        ('{"A": 1, "\\u0041": 2}', "A", ""),
        ('{"": 1, "": 2}', "", ""),
        ('{"patients": [{"a": 1}, {"b": {"c": 1, "c": 2}}]}', "c", " in patients.1.b"),
        ('[{}, [{"c": 1, "d": 1, "c": 2}]]', "c", " in 1.0"),
        ('{"a": {"x": 1, "x": 1}, "a": 2}', "a", ""),
        ('{"\\ud800": 1, "\\ud800": 2}', "\\ud800", ""),
    ],
)
def test_a_key_that_is_there_twice_is_named_with_its_place(text: str, key: str, where: str) -> None:
    with pytest.raises(BodyUnreadable) as refused:
        body.parse(text)

    assert str(refused.value) == (
        f"The request body has the key {key} more than once{where}; send each key once."
    )


@given(
    pairs=st.lists(st.tuples(st.text(string.ascii_letters, min_size=1), json_values), min_size=1),
    depth=st.integers(0, 5),
)
def test_a_key_that_is_there_twice_is_found_at_any_depth(
    pairs: list[tuple[str, object]], depth: int
) -> None:
    members = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in [*pairs, pairs[0]]]
    text = "[" * depth + "{" + ", ".join(members) + "}" + "]" * depth

    with pytest.raises(BodyUnreadable, match="more than once"):
        body.parse(text)


def test_the_same_key_in_other_objects_is_no_key_twice() -> None:
    assert body.parse('[{"a": {"a": 1}}, {"a": 2}]') == [{"a": {"a": 1}}, {"a": 2}]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "empty"),
        (" \n", "empty"),
        ("\ufeff{}", "byte order mark"),
        ("{", "not valid JSON: line 1, column 2"),
        ('{"Age": 1\n"Gender"', "not valid JSON: line 2, column 1"),
        ("{'Age': 1}", "not valid JSON"),
        ('{"Age": 1,}', "not valid JSON"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a": 1, "a": ' * 50_000, "nested too deeply"),
        ('{"Age": ' + "9" * 5000 + "}", "too many digits"),
    ],
)
def test_what_is_not_json_is_refused_with_the_reason(text: str, told: str) -> None:
    with pytest.raises(BodyUnreadable, match=told):
        body.parse(text)


@pytest.mark.parametrize("word", ["k" * 10_000, "é" * 100, "\ud800" * 100, "\x00"])
def test_a_clients_word_is_shown_bounded_and_in_valid_unicode(word: str) -> None:
    shown = body.shown(word)

    shown.encode()
    assert len(shown) <= len("\\ud800") * body.SHOWN + 1


@pytest.mark.parametrize(
    "media_type",
    [
        "",
        " ",
        "application/json",
        "Application/JSON",
        "APPLICATION/JSON; CHARSET=UTF-8",
        " application/json ;charset=utf-8 ",
        'application/json; charset="utf-8"',
        "application/json; charset=utf8",
        "application/json;",
        "application/json; odata=verbose; charset=utf-8",
        "application/json; charset*=utf-8''utf-8",
        "\tapplication/json",
    ],
)
def test_json_by_any_spelling_is_json(media_type: str) -> None:
    body.check_headers([media_type], [])


@pytest.mark.parametrize(
    ("media_type", "named"),
    [
        ("text/plain", "text/plain"),
        ("application/problem+json", "application/problem+json"),
        ("application/jsonp", "application/jsonp"),
        ("text/json; charset=utf-8", "text/json"),
        ("application/json, text/plain", "application/json, text/plain"),
        ("json", "json"),
        ("/", "/"),
        ("multipart/form-data", "multipart/form-data"),
        ("application/json; charset=latin-1", "latin-1"),
        ("application/json; charset=UTF-16", "UTF-16"),
        ('application/json; CharSet="windows-1252"', "windows-1252"),
        ("application/json; charset=", "empty"),
        ("application/json; charset*=utf-8''utf-16", "utf-16"),
        ("application/json; charset=utf-8; charset=utf-16", "utf-16"),
    ],
)
def test_another_media_type_or_charset_is_named(media_type: str, named: str) -> None:
    with pytest.raises(MediaTypeUnsupported, match=named.replace("+", r"\+")):
        body.check_headers(["application/json", media_type], [])


@pytest.mark.parametrize(
    "encodings", [[], [""], ["identity"], ["Identity"], ["identity, identity"]]
)
def test_a_body_as_it_is_has_no_encoding(encodings: list[str]) -> None:
    body.check_headers([], encodings)


@pytest.mark.parametrize("encodings", [["gzip"], ["identity", "gzip"], ["identity, GZIP"]])
def test_an_encoding_is_named(encodings: list[str]) -> None:
    with pytest.raises(MediaTypeUnsupported, match=r"(?i)gzip"):
        body.check_headers([], encodings)


@given(media_type=st.text(), encoding=st.text())
def test_no_header_is_ever_a_fault(media_type: str, encoding: str) -> None:
    try:
        body.check_headers([media_type], [encoding])
    except MediaTypeUnsupported as refused:
        assert len(str(refused)) < 500  # noqa: PT017 - most headers are refused, not all


@given(text=st.text(max_size=LIMIT // 4))
def test_text_is_the_same_in_base64(text: str) -> None:
    encoded = base64.b64encode(text.encode()).decode()

    assert body.text_of(encoded, LIMIT, in_base64=True) == text
    assert body.text_of(text, LIMIT, in_base64=False) == text


@pytest.mark.parametrize("letter", ["x", "é", "😀"])
def test_a_limit_is_one_of_bytes(letter: str) -> None:
    fits = letter * (LIMIT // len(letter.encode()))

    for text in (fits, fits + letter):
        encoded = base64.b64encode(text.encode()).decode()
        for given_as, in_base64 in ((text, False), (encoded, True)):
            if text is fits:
                assert body.text_of(given_as, LIMIT, in_base64=in_base64) == text
                continue
            with pytest.raises(BodyTooLarge, match="1,000 bytes"):
                body.text_of(given_as, LIMIT, in_base64=in_base64)


@pytest.mark.parametrize(
    ("raw", "in_base64", "told"),
    [
        ("\ud800", False, "UTF-8"),
        (base64.b64encode(b"\xff\xfe{").decode(), True, "UTF-8"),
        (base64.b64encode("{}".encode("utf-16")).decode(), True, "UTF-8"),
        ("no base64!", True, "Base64"),
        ("e30", True, "Base64"),
        ("é===", True, "Base64"),
    ],
)
def test_bytes_that_are_not_text_are_refused(raw: str, *, in_base64: bool, told: str) -> None:
    with pytest.raises(BodyUnreadable, match=told):
        body.text_of(raw, LIMIT, in_base64=in_base64)
