"""Take one version of an uploaded CSV into the run."""

import csv
import io

from clinical.artefacts import Artefacts, RawObject
from clinical.errors import DatasetUnreadable
from clinical.params import Params
from stage import RawBucket, stage
from state import Admitted, Ingested


@stage(cached=False)
def ingest(admitted: Admitted, raw: RawBucket, artefacts: Artefacts, params: Params) -> Ingested:
    """Copy the uploaded version, if it is a CSV that can be read at all."""
    if admitted.upload is None:
        raise DatasetUnreadable("nothing was admitted to be read")
    source = RawObject(key=admitted.upload.key, version_id=admitted.upload.version_id)
    size = raw.bucket.written(source).size
    if size > params.dataset.max_bytes:
        raise DatasetUnreadable(
            f"{source.key} has {size:,} bytes, more than the {params.dataset.max_bytes:,} "
            "that dataset.max_bytes allows"
        )
    body = raw.bucket.get_version(source)
    check_readable(source.key, body)
    return Ingested(dataset=artefacts.write("dataset.csv", body), source=source)


def check_readable(name: str, body: bytes) -> None:
    """Raise DatasetUnreadable unless the bytes are a CSV in UTF-8 with a header and a row.

    A byte order mark is accepted. The sentence never repeats what is in the file.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DatasetUnreadable(f"{name} is no UTF-8 text: byte {error.start} is none") from None
    if "\x00" in text:
        raise DatasetUnreadable(f"{name} is no text: it holds NUL bytes")
    try:
        rows = sum(1 for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row)
    except csv.Error as error:
        raise DatasetUnreadable(f"{name} is no CSV: {error}") from error
    if rows < 2:  # noqa: PLR2004 - a header and a row
        raise DatasetUnreadable(f"{name} is empty: it needs a header and at least one row")
