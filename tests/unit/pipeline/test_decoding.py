import bz2
import codecs
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable

import pytest
from clinical.errors import DatasetUnreadable
from decoding import decoded

TEXT = "Patient_ID,Age\nP0001,56\nP0002,57\n"


def zipped(*members: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for member in members:
            archive.writestr(member, TEXT)
    return buffer.getvalue()


def open_document() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("content.xml", "<x/>")
    return buffer.getvalue()


def archived() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("data.csv"), io.BytesIO())
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("body", "notes"),
    [
        (TEXT.encode(), []),
        (codecs.BOM_UTF8 + TEXT.encode(), []),
        (codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"), ["Read as UTF-16."]),
        (codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"), ["Read as UTF-16."]),
        (codecs.BOM_UTF32_LE + TEXT.encode("utf-32-le"), ["Read as UTF-32."]),
        (codecs.BOM_UTF32_BE + TEXT.encode("utf-32-be"), ["Read as UTF-32."]),
        (TEXT.encode() + b"\x1a", ["An end-of-file mark (Ctrl-Z) at the end was ignored."]),
        (codecs.BOM_UTF8 * 2 + TEXT.encode(), ["Invisible characters were ignored."]),
        (TEXT.replace("56", "56\u200b").encode(), ["Invisible characters were ignored."]),
        (TEXT.replace("56", "\u202d56\u202c").encode(), ["Invisible characters were ignored."]),
    ],
)
def test_text_is_read_in_whatever_encoding_is_marked(body: bytes, notes: list[str]) -> None:
    assert decoded("raw/data.csv", body) == (TEXT, notes)


def test_letters_beyond_ascii_stay_what_they_are() -> None:
    assert decoded("raw/data.csv", "Größe,名\n".encode())[0] == "Größe,名\n"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (zipped("xl/workbook.xml"), "an Excel workbook: save it as CSV UTF-8"),
        (zipped("[Content_Types].xml", "xl/workbook.bin"), "an Excel workbook: save it as"),
        (open_document(), "a LibreOffice workbook: save it as CSV UTF-8"),
        (zipped("Index/Document.iwa"), "a Numbers workbook: save it as CSV UTF-8"),
        (zipped("word/document.xml"), "a Word document"),
        (zipped("data.csv"), "a ZIP archive: unpack it and upload the CSV inside"),
        (zipped(), "a ZIP archive"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500), "an old or password-protected Excel"),
        (gzip.compress(TEXT.encode(), mtime=0), "compressed with gzip: unpack it"),
        (bz2.compress(TEXT.encode()), "compressed with bzip2: unpack it"),
        (lzma.compress(TEXT.encode()), "compressed with xz: unpack it"),
        (b"\x28\xb5\x2f\xfd\x04\x00", "compressed with Zstandard: unpack it"),
        (b"7z\xbc\xaf\x27\x1c\x00\x04", "a 7-Zip archive"),
        (b"Rar!\x1a\x07\x01\x00", "a RAR archive"),
        (b"PAR1\x15\x04\x15\x00PAR1", "a Parquet file: export it as CSV UTF-8"),
        (b"ARROW1\x00\x00\xff\xff", "an Arrow or Feather file"),
        (b"SQLite format 3\x00\x10\x00", "an SQLite database"),
        (archived(), "a tar archive: unpack it and upload the CSV inside"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "a PDF document: export it as CSV UTF-8"),
        (b"\x89PNG\r\n\x1a\n", "an image"),
        (b"{\\rtf1\\ansi Age}", "an RTF document"),
        (b"<!DOCTYPE html><table><tr><td>Age</td></tr></table>", "an HTML page"),
        (b"\n <html xmlns:x='urn:schemas-microsoft-com:office:excel'>", "an HTML page"),
        (b"<?xml version='1.0'?><Workbook/>", "XML"),
        (codecs.BOM_UTF8 + b"<?xml version='1.0'?><Workbook/>", "XML"),
        (b'[{"Patient_ID": "P0001", "Age": 56}]', "JSON"),
        (b'{"Patient_ID": "P0001"}\n{"Patient_ID": "P0002"}\n', "JSON"),
        (b'[\n ["P0001", 56]\n]', "JSON"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
        (TEXT.encode("utf-16-le"), "UTF-16 without a byte order mark: save it as CSV UTF-8"),
        (TEXT.encode("utf-16-be"), "UTF-16 without a byte order mark"),
        (TEXT.replace("57", "5\x007").encode(), "not a text file: line 3 contains a NUL byte"),
        (TEXT.encode() + bytes(4096), "not a text file: line 4 contains a NUL byte"),
        (
            TEXT.replace("P0002", "Renée").encode("cp1252"),
            "byte 27, in line 3, is not valid UTF-8; it looks like Windows-1252 or Latin-1: save",
        ),
        (TEXT.replace("\n", "\r").replace("56", "é").encode("latin-1"), "byte 21, in line 2, is"),
        (TEXT.encode() + "naïve,“quoted”\n".encode("cp1252"), "in line 4, is not valid UTF-8"),
        (b"\x00\x01\x02\xff\xfe", "not a text file"),
        (codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le")[:-1], "truncated or damaged"),
    ],
)
def test_what_is_no_text_is_refused_by_what_it_is(body: bytes, reason: str) -> None:
    with pytest.raises(DatasetUnreadable) as refused:
        decoded("raw/trial.xlsx", body)

    assert str(refused.value).startswith("raw/trial.xlsx is ")
    assert reason in str(refused.value)
    assert "P0001" not in str(refused.value)


@pytest.mark.parametrize("name", ["PAR1", "BZh", "FEA1", "sep", "ORC", "PK", "Obj"])
def test_a_column_whose_name_begins_as_some_files_do_is_a_column(name: str) -> None:
    text = f"{name},Age\n1,56\n"

    assert decoded("raw/data.csv", text.encode()) == (text, [])


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_a_large_compressed_file_is_one_too(compress: Callable[[bytes], bytes]) -> None:
    with pytest.raises(DatasetUnreadable, match="compressed with"):
        decoded("raw/data.csv.gz", compress(TEXT.encode() * 10_000))
