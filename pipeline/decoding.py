"""Decode an upload to text, or say what kind of file it is instead.

Only the standard library, because `ingest` runs in the light layer. No message repeats a file's
content.
"""

import codecs
import re

from clinical.errors import DatasetUnreadable

# UTF-32 first, because its mark begins like that of UTF-16.
MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32-be", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16-le", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16-be", "UTF-16"),
    (codecs.BOM_UTF8, "utf-8", "UTF-8"),
)

SAVE = "save it as CSV UTF-8"
UNPACK = "unpack it and upload the CSV inside"
EXPORT = "export it as CSV UTF-8"

SIGNATURES = (
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old or password-protected Excel workbook", SAVE),
    (b"\x1f\x8b", "compressed with gzip", UNPACK),
    (b"\x1f\x9d", "compressed with compress", UNPACK),
    (b"BZh", "compressed with bzip2", UNPACK),
    (b"\xfd7zXZ\x00", "compressed with xz", UNPACK),
    (b"]\x00\x00", "compressed with LZMA", UNPACK),
    (b"\x28\xb5\x2f\xfd", "compressed with Zstandard", UNPACK),
    (b"\x04\x22\x4d\x18", "compressed with LZ4", UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", UNPACK),
    (b"Rar!\x1a\x07", "a RAR archive", UNPACK),
    (b"PAR1", "a Parquet file", EXPORT),
    (b"ARROW1\x00\x00", "an Arrow or Feather file", EXPORT),
    (b"FEA1", "a Feather file", EXPORT),
    (b"Obj\x01", "an Avro file", EXPORT),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", EXPORT),
    (b"SQLite format 3\x00", "an SQLite database", EXPORT),
    (b"$FL2@(#)", "an SPSS file", EXPORT),
    (b"<stata_dta>", "a Stata file", EXPORT),
    (b"HEADER RECORD*******", "a SAS transport file", EXPORT),
    (b"%PDF-", "a PDF document", EXPORT),
    (b"{\\rtf", "an RTF document", EXPORT),
    (b"\x89PNG\r\n\x1a\n", "an image (PNG)", EXPORT),
    (b"\xff\xd8\xff", "an image (JPEG)", EXPORT),
    (b"version https://git-lfs", "a Git LFS pointer", "upload the file that it points to"),
)
ZIPPED = (
    (b"xl/", "an Excel workbook", SAVE),
    (b"opendocument.spreadsheet", "a LibreOffice workbook", SAVE),
    (b"Index/Document.iwa", "a Numbers workbook", SAVE),
    (b"word/", "a Word document", EXPORT),
)
MARKUP = (
    (re.compile(r"(?i)\s*<(!doctype html|html|head|body|table|meta|style)"), "an HTML page"),
    (re.compile(r"\s*<"), "XML"),
    (re.compile(r"\s*(?:\{\s*[\"}]|\[\s*[\[{\"\]])"), "JSON"),
)
BINARY = re.compile(rb"[\x00-\x08\x0e-\x19\x1c-\x1f]")
LINE_END = re.compile(rb"\r\n|\r|\n")
# Invisible characters that some programs leave in text: a second byte order mark, directions.
INVISIBLE = re.compile("[\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
END_OF_FILE = "\x1a"  # of DOS


def decoded(name: str, body: bytes) -> tuple[str, list[str]]:
    """Return an upload's text, and notes about what was ignored.

    name: of the upload, for messages. Raises DatasetUnreadable, which names the cause.
    """
    text, encoding = _text(name, body)
    notes = [] if encoding == "UTF-8" else [f"Read as {encoding}."]
    if text.endswith(END_OF_FILE):
        text = text.rstrip(END_OF_FILE)
        notes.append("An end-of-file mark (Ctrl-Z) at the end was ignored.")
    if INVISIBLE.search(text):
        text = INVISIBLE.sub("", text)
        notes.append("Invisible characters were ignored.")
    if "\x00" in text:
        line = len(LINE_END.findall(text[: text.index("\x00")].encode())) + 1
        raise DatasetUnreadable(f"{name} is not a text file: line {line} contains a NUL byte")
    for begins, what in MARKUP:
        if begins.match(text):
            raise DatasetUnreadable(f"{name} is {what}: {EXPORT}")
    return text, notes


def _text(name: str, body: bytes) -> tuple[str, str]:
    for mark, codec, encoding in MARKS:
        if body.startswith(mark):
            return _decoded(name, body[len(mark) :], codec, encoding), encoding
    for signature, what, remedy in SIGNATURES:
        if body.startswith(signature) and not (signature.isalnum() and _is_text(body)):
            raise DatasetUnreadable(f"{name} is {what}: {remedy}")
    if body.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        what, remedy = next(
            ((what, remedy) for member, what, remedy in ZIPPED if member in body),
            ("a ZIP archive", UNPACK),
        )
        raise DatasetUnreadable(f"{name} is {what}: {remedy}")
    if body[257:262] == b"ustar":
        raise DatasetUnreadable(f"{name} is a tar archive: {UNPACK}")
    if _every_other_is_nul(body):
        raise DatasetUnreadable(f"{name} is UTF-16 without a byte order mark: {SAVE}")
    return _decoded(name, body, "utf-8", "UTF-8"), "UTF-8"


def _decoded(name: str, body: bytes, codec: str, encoding: str) -> str:
    try:
        return body.decode(codec)
    except UnicodeDecodeError as error:
        line = len(LINE_END.findall(body[: error.start])) + 1
        where = f"byte {error.start}, in line {line}, is not valid {encoding}"
    if encoding != "UTF-8":
        raise DatasetUnreadable(f"{name} is truncated or damaged: {where}")
    if not _is_text(body):
        raise DatasetUnreadable(f"{name} is not a text file: {where}; upload a CSV in UTF-8")
    raise DatasetUnreadable(
        f"{name} is not UTF-8: {where}; it looks like Windows-1252 or Latin-1: {SAVE}"
    )


def _is_text(body: bytes) -> bool:
    return not BINARY.search(body)


def _every_other_is_nul(body: bytes) -> bool:
    """Whether this looks like UTF-16 without a mark: mostly, one byte of each pair is NUL."""
    begin = body[:4096]
    nul = sorted((begin[0::2].count(0), begin[1::2].count(0)))
    return len(begin) > 1 and nul[0] == 0 and nul[1] > len(begin) // 4
