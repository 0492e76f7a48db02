import codecs
import gzip
import io
import zipfile
from collections.abc import Iterator

import pytest
from clinical.artefacts import sha256
from clinical.errors import DatasetUnreadable
from score import formats, source
from score.formats import divided, unpacked
from score.known import FORMATS, format_named, format_of
from score.state import Part

from tests.unit.pipeline.score.conftest import Desk, unnamed


def workbook() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("beginning", "name"),
    [
        (b"PAR1\x15\x04", "parquet"),
        (b"\x1f\x8b\x08", "csv.gz"),
        (b"Patient_ID,Age", "csv"),
        (codecs.BOM_UTF16_LE, "csv"),
        (b"PK\x03\x04", "csv"),  # for the text's reader to name
        (b"", "csv"),
    ],
)
def test_a_format_is_told_by_how_a_file_begins(beginning: bytes, name: str) -> None:
    assert format_of(beginning).name == name


def test_each_format_is_found_by_its_name() -> None:
    assert [format_named(one.name) for one in FORMATS] == list(FORMATS)


# ---- Parts ----


def parts_of(desk: Desk, body: bytes, end: bytes = b"\n") -> list[Part]:
    return list(divided(desk.source(body), end))


def check_parts(parts: list[Part], body: bytes, end: bytes = b"\n") -> None:
    """Parts follow each other, end where lines end, and know the number of their first row."""
    assert [part.number for part in parts] == list(range(len(parts)))
    assert [part.start for part in parts] == [0, *(part.end for part in parts[:-1])]
    assert parts[-1].end == len(body)
    for part in parts:
        assert part.first_row == body[: part.start].count(end) + 1
        assert part.end == len(body) or body[: part.end].endswith(end)
        assert part.end > part.start


@pytest.mark.parametrize("piece", [1, 2, 3, 4, 5, 8, 12, 13, 1000])
@pytest.mark.parametrize("end", [b"\n", b"\r"])
@pytest.mark.parametrize(
    "body", [b"abc\nde\n\nf\n", b"abc\nde\n\nfgh", b"abcdefgh", b"\n\n\n", b"a"]
)
def test_parts_end_where_lines_end(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, piece: int, end: bytes, body: bytes
) -> None:
    monkeypatch.setattr(formats, "PIECE", piece)
    body = body.replace(b"\n", end)

    parts = parts_of(desk, body, end)

    check_parts(parts, body, end)
    assert len(parts) <= -(-len(body) // piece)


def test_a_piece_that_ends_where_a_line_does_is_a_part(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(formats, "PIECE", 4)

    parts = parts_of(desk, b"abc\ndef\nghi\n")

    assert [(part.start, part.end, part.first_row) for part in parts] == [
        (0, 4, 1),
        (4, 8, 2),
        (8, 12, 3),
    ]


def test_what_no_line_end_follows_is_no_part_of_its_own(desk: Desk) -> None:
    assert len(parts_of(desk, b"abc\ndef")) == 1


@pytest.mark.parametrize("end", ["", "\n"])
def test_a_file_of_more_pieces_has_the_most_parts_there_may_be(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    monkeypatch.setattr(formats, "PIECE", 8)
    monkeypatch.setattr(formats, "MOST_PARTS", 10)
    body = ("1234567\n" * 11).rstrip("\n") + end

    parts = parts_of(desk, body.encode())

    check_parts(parts, body.encode())
    assert 5 <= len(parts) <= 10


def test_the_digest_is_that_of_the_whole_file(desk: Desk, text: str) -> None:
    handed_in = desk.source(text.encode())

    formats.Csv().found_out(handed_in, desk.model.params)

    assert handed_in.sha256 == sha256(text.encode())


def test_a_line_may_be_longer_than_a_part(
    desk: Desk, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    given_lines = [f"{lines[0]},Note", *(f"{line},{'long ' * 50}" for line in lines[1:6])]
    whole = desk.answered("\n".join(given_lines).encode())
    monkeypatch.setattr(formats, "PIECE", 100)
    monkeypatch.setattr(source, "BEGINNING", 120)  # the header, and a line that is cut

    divided_up = desk.answered("\n".join(given_lines).encode())

    assert 1 < len(divided_up.parts) <= 6
    assert unnamed(divided_up.body) == unnamed(whole.body)


def test_a_file_that_is_no_csv_is_refused_before_it_is_read_to_its_end(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "BEGINNING", 4096)
    monkeypatch.setattr(source.Source, "pieces", lambda *_: pytest.fail("was read"))

    with pytest.raises(DatasetUnreadable, match="is an Excel workbook"):
        desk.answered(workbook() + bytes(10_000))


def test_a_wide_text_is_taken_whole_and_may_not_be_large(
    desk: Desk, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = codecs.BOM_UTF16_LE + text.encode("utf-16-le")
    monkeypatch.setattr(formats, "PIECE", 100)
    assert len(desk.answered(body).parts) == 1

    monkeypatch.setattr(formats, "MOST_WIDE", 1000)
    with pytest.raises(DatasetUnreadable, match=r"is UTF-16 or UTF-32 and has more than 1,000"):
        desk.answered(body)
    with pytest.raises(DatasetUnreadable, match=r"UTF-16 or UTF-32 within gzip and has more than"):
        desk.answered(gzip.compress(body))


# ---- gzip ----


def test_a_gzipped_csv_is_answered_as_the_csv_within_and_gzipped_again(
    desk: Desk, text: str
) -> None:
    answered = desk.answered(gzip.compress(text.encode()), "patients.csv.gz")

    assert gzip.decompress(answered.body) == desk.answered(text.encode()).body
    assert answered.found.notes == ("Decompressed with gzip.",)
    assert len(answered.parts) == 1


def test_the_same_rows_are_gzipped_to_the_same_bytes(desk: Desk, text: str) -> None:
    body = gzip.compress(text.encode())

    assert desk.answered(body).body == desk.answered(body).body


@pytest.mark.parametrize("size", [7, 100, 1 << 20])
@pytest.mark.parametrize("padding", [b"", b"\0", b"\0" * 1000])
def test_gzip_may_have_several_members_and_be_filled_up(
    desk: Desk, text: str, monkeypatch: pytest.MonkeyPatch, size: int, padding: bytes
) -> None:
    monkeypatch.setattr(formats, "PIECE", size)
    members = [
        gzip.compress(text[:200].encode()),
        gzip.compress(b""),
        gzip.compress(text[200:].encode()),
    ]

    answered = desk.answered(b"".join(members) + padding)

    expected = desk.answered(text.encode()).body
    assert unnamed(gzip.decompress(answered.body)) == unnamed(expected)


@pytest.mark.parametrize("taken", [1, 8, 9, 100])
def test_gzip_that_is_cut_off_is_named(desk: Desk, text: str, taken: int) -> None:
    with pytest.raises(DatasetUnreadable, match=r"patients\.csv is truncated: gzip does not find"):
        desk.answered(gzip.compress(text.encode())[:-taken])


def test_gzip_that_is_damaged_is_named(desk: Desk, text: str) -> None:
    body = bytearray(gzip.compress(text.encode()))
    body[-6] ^= 1  # of the checksum

    with pytest.raises(
        DatasetUnreadable, match="is truncated or damaged: gzip cannot decompress it"
    ):
        desk.answered(bytes(body))


def test_what_follows_gzip_and_is_none_is_named(desk: Desk, text: str) -> None:
    with pytest.raises(DatasetUnreadable, match="is truncated or damaged"):
        desk.answered(gzip.compress(text.encode()) + b"more")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (workbook(), "is an Excel workbook: save it as CSV UTF-8"),
        (gzip.compress(b"x", mtime=0), "is compressed with gzip: unpack it"),
        (b"PAR1\x00\x01", "is a Parquet file"),
        (b"", "is empty: it needs a header"),
    ],
)
def test_what_is_no_csv_within_gzip_is_named(desk: Desk, body: bytes, said: str) -> None:
    with pytest.raises(DatasetUnreadable, match=said):
        desk.answered(gzip.compress(body))


def test_gzip_of_an_old_mac_is_read_piece_by_piece(
    desk: Desk, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = text.replace("\n", "\r").encode()
    whole = desk.answered(body)
    monkeypatch.setattr(formats, "PIECE", 100)

    assert gzip.decompress(desk.answered(gzip.compress(body)).body) == whole.body


def test_gzip_that_is_large_is_refused(
    desk: Desk, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(formats, "MOST_PACKED", 100)

    with pytest.raises(DatasetUnreadable, match="is compressed with gzip and has more than 100 "):
        desk.answered(gzip.compress(text.encode()))


def test_gzip_that_unpacks_to_too_much_is_refused(
    desk: Desk, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(formats, "MOST_UNPACKED", 500)

    with pytest.raises(DatasetUnreadable, match="is a CSV within gzip and has more than 500 bytes"):
        desk.answered(gzip.compress(text.encode()))


def test_what_unpacks_to_much_comes_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "PIECE", 1000)
    packed = gzip.compress(bytes(100_000))

    def pieces() -> Iterator[bytes]:
        yield from (packed[place : place + 10] for place in range(0, len(packed), 10))

    found = list(unpacked("x", pieces()))

    assert b"".join(found) == bytes(100_000)
    assert max(map(len, found)) <= 1000
