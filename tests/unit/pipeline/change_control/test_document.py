"""The change-control page of a promotion is written into the registry, once."""

from datetime import timedelta

import pytest
from clinical.artefacts import Artefact, Bucket, read_verified
from clinical.boto3_bucket import Boto3Bucket
from clinical.errors import ArtefactCorrupted, ArtefactMissing
from retrain.stages.document import document

from tests.pipeline import State, ran
from tests.unit.pipeline.change_control.made import (
    APPROVAL,
    FIRST,
    SECOND,
    Page,
    asked,
    promoted,
    with_a_history,
    words,
)

KEY = "models/change-control/000002.html"


def documented(sequence: int, version: str = SECOND) -> State:
    return ran(document, "execution-9", {"made": {"version": version, "sequence": sequence}})


def written(bucket: Bucket, key: str = KEY) -> Page:
    return Page(bucket.get(key).body.decode())


def test_the_page_is_of_the_ledger_up_to_the_promotion(bucket: Boto3Bucket) -> None:
    with_a_history(bucket)

    answer = documented(2)

    assert answer["sequence"] == 2
    page = Artefact.model_validate(answer["page"])
    assert page.key == KEY
    read_verified(bucket, page)
    changes = written(bucket).of_class("change")
    assert [one.attrib["data-sequence"] for one in changes] == ["2", "1"]


def test_a_promotion_by_hand_is_documented_too(bucket: Boto3Bucket) -> None:
    with_a_history(bucket)

    documented(3, FIRST)

    assert "As of change 3" in words(written(bucket, "models/change-control/000003.html").root)


def test_a_page_stays_as_it_was_written_whatever_became_known_since(bucket: Boto3Bucket) -> None:
    registry = with_a_history(bucket)
    first = documented(2)
    expired = APPROVAL.model_copy(
        update={"decision": "expired", "decided_at": APPROVAL.decided_at + timedelta(days=7)}
    )
    asked(bucket, "execution-7", FIRST, expired)
    promoted(registry, SECOND)

    again = documented(2)

    assert again == first
    assert "execution-7" not in written(bucket).text


def test_a_page_that_another_run_wrote_meanwhile_stays(
    bucket: Boto3Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_a_history(bucket)
    first = documented(2)
    monkeypatch.setattr(
        Boto3Bucket,
        "keys",
        lambda self, prefix, suffix, keys=Boto3Bucket.keys: [
            one for one in keys(self, prefix, suffix) if one != KEY
        ],
    )

    assert documented(2) == first


def test_a_promotion_that_the_ledger_does_not_have_is_told(bucket: Boto3Bucket) -> None:
    with_a_history(bucket)

    with pytest.raises(ArtefactMissing, match="the ledger has no entry for promotion 9"):
        documented(9)


def test_an_entry_that_was_altered_is_refused_and_nothing_is_written(bucket: Boto3Bucket) -> None:
    with_a_history(bucket)
    key = "models/ledger/000001.json"
    bucket.put(key, bucket.get(key).body.replace(b"ada@example", b"eve@example"))

    with pytest.raises(ArtefactCorrupted, match=r"000001\.json was altered since"):
        documented(2)

    assert bucket.keys("models/change-control/", "") == []
