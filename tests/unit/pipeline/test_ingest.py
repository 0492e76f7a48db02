from collections.abc import Callable
from typing import Any

import pytest
import stage
from clinical.artefacts import Artefact, Artefacts, Bucket
from clinical.errors import DatasetUnreadable
from clinical.params import params
from retrain.stages.admit import admit
from retrain.stages.ingest import ingest

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

    with pytest.raises(DatasetUnreadable, match="24 bytes, more than the limit of 10"):
        ingested({})


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "empty"),
        (b"PK\x03\x04\x14\x00xl/workbook.xml", "an Excel workbook: save it as CSV UTF-8"),
        (b'Patient_ID,Age\n"P0001,56\n', "in row 2, a quote is opened and never closed"),
    ],
)
def test_what_is_no_csv_ends_here_by_the_name_of_the_upload_and_the_cause(
    upload: Upload, body: bytes, reason: str
) -> None:
    upload(body)

    with pytest.raises(DatasetUnreadable, match=f"raw/data.csv .*{reason}") as refused:
        ingested({})

    assert "P0001" not in str(refused.value)
