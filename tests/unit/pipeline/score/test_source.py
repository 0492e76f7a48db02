import hashlib

import pytest
from clinical.errors import DatasetUnreadable
from score import source

from tests.unit.pipeline.score.conftest import Desk


def test_a_file_is_read_in_ranges_and_its_digest_known_after(desk: Desk) -> None:
    body = bytes(range(256)) * 4

    handed_in = desk.source(body)

    assert list(handed_in.pieces(1000)) == [body[:1000], body[1000:]]
    assert handed_in.sha256 == hashlib.sha256(body).hexdigest()
    assert b"".join(handed_in.pieces(77)) == body
    assert handed_in.sha256 == hashlib.sha256(body).hexdigest()
    assert handed_in.range(1020, 5000) == body[1020:]


def test_a_file_is_known_by_its_beginning(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "BEGINNING", 5)

    assert desk.source(b"Patient_ID").beginning == b"Patie"
    assert desk.source(b"P").beginning == b"P"


def test_the_version_is_read_that_was_asked_for(desk: Desk) -> None:
    handed_in = desk.source(b"first", "versions.csv")
    desk.put(b"other", "versions.csv")

    assert b"".join(handed_in.pieces()) == b"first"


def test_a_version_that_is_gone_is_named(desk: Desk) -> None:
    handed_in = desk.source(b"first", "gone.csv")
    desk.raw.client.delete_object(
        Bucket="raw", Key=handed_in.name, VersionId=handed_in.object.version_id
    )

    with pytest.raises(DatasetUnreadable, match=r"score/in/gone\.csv was deleted while it was"):
        handed_in.range(0, 5)
