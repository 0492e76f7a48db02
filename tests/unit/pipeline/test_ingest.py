from collections.abc import Callable
from typing import Any

import pytest
import stage
from clinical.artefacts import Artefact, Artefacts, Bucket
from clinical.errors import DatasetUnreadable
from clinical.params import params
from stages.admit import admit
from stages.ingest import check_readable, ingest

from tests.pipeline import Context

BODY = b"Patient_ID,Age\nP0001,56\n"

type Upload = Callable[..., str]


def ingested(given: dict[str, Any]) -> dict[str, Any]:
    """What ingest makes of what admit lets in."""
    admitted: Any = admit({"execution": "one", "given": given}, Context())  # type: ignore[arg-type]
    return ingest({"execution": "one", "admitted": admitted}, Context())  # type: ignore[arg-type]


def test_the_uploaded_version_is_copied_not_a_later_one(bucket: Bucket, upload: Upload) -> None:
    first = upload(BODY)
    upload(b"Patient_ID,Age\nP0002,57\n")

    came_to = ingested({"raw": {"key": "raw/data.csv", "version_id": first}})

    assert came_to["source"] == {"key": "raw/data.csv", "version_id": first}
    assert Artefacts(bucket, "").read(Artefact(**came_to["dataset"])) == BODY


def test_an_upload_too_large_for_a_stage_is_refused_before_it_is_read(
    upload: Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(BODY)
    small = params().model_copy(
        update={"dataset": params().dataset.model_copy(update={"max_bytes": 10})}
    )
    monkeypatch.setattr(stage, "params", lambda: small)

    with pytest.raises(DatasetUnreadable, match="24 bytes, more than the 10"):
        ingested({})


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("ending", [b"\n", b"\r\n"])
def test_a_csv_is_readable_with_or_without_a_byte_order_mark(mark: bytes, ending: bytes) -> None:
    check_readable("data.csv", mark + BODY.replace(b"\n", ending))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (b"Patient_ID,Age\n", "empty"),
        (b"\n\n\n", "empty"),
        (b"Patient_ID,Age\nP0001,\xff\n", "no UTF-8"),
        ("Patient_ID,Age\nP0001,56\n".encode("utf-16"), "no UTF-8"),
        (b"Patient_ID,Age\nP0001,5\x006\n", "NUL"),
        (b'Patient_ID,Age\n"P0001,56\n', "no CSV"),
        (b'Patient_ID,Age\n"P"0001,56\n', "no CSV"),
        (b"\x1f\x8b\x08\x00\x00", "no UTF-8"),
    ],
)
def test_what_is_no_csv_is_refused_with_the_reason(body: bytes, reason: str) -> None:
    with pytest.raises(DatasetUnreadable, match=reason) as refused:
        check_readable("data.csv", body)

    assert "P0001" not in str(refused.value)
