from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from clinical.boto3_bucket import Boto3Bucket
from clinical.errors import DatasetUnreadable, InputInvalid
from clinical.registry import Champion, Registry
from clinical.upload import Upload
from retrain.stages.admit import admit

from tests.pipeline import Context
from tests.unit.conftest import NOW, PROMOTION, Candidate, fact_lines

type Put = Callable[..., str]

KEY = "raw/data.csv"


def admitted(given: Any, execution: str = "one") -> dict[str, Any]:
    handler: Callable[..., dict[str, Any]] = admit
    return handler({"execution": execution, "given": given}, Context())


def event(version_id: str, key: str = KEY, sequencer: str = "0A") -> dict[str, Any]:
    """An input as the rule makes it of an upload's event."""
    return {
        "raw": {"key": key, "version_id": version_id},
        "event": {"id": "an event", "sequencer": sequencer},
    }


@pytest.fixture
def champion_of_later_data(
    registry: Registry, publish: Callable[[Candidate], Any], candidate: Candidate
) -> Champion:
    later = Upload(
        key="raw/february.csv", version_id="1", uploaded_at=datetime(2999, 2, 28, tzinfo=UTC)
    )
    promotion = PROMOTION.model_copy(update={"upload": later, "verdict": candidate.verdict})
    return registry.promote(publish(candidate), None, promotion, NOW)


@pytest.mark.parametrize(
    "given", [{}, {"raw": {"key": KEY}}, {"raw": {"key": KEY, "version_id": ""}}]
)
def test_without_a_version_the_current_one_is_taken(upload: Put, given: dict[str, Any]) -> None:
    upload(b"first")
    newest = upload(b"second")

    came_to = admitted(given)

    assert came_to["decision"] == "retrain"
    assert came_to["upload"]["version_id"] == newest


def test_the_version_that_was_asked_for_is_taken_even_where_the_object_was_deleted(
    bucket: Boto3Bucket, upload: Put
) -> None:
    first = upload(b"first")
    upload(b"second")
    bucket.client.delete_object(Bucket="raw", Key=KEY)

    came_to = admitted({"raw": {"key": KEY, "version_id": first}})

    assert came_to["upload"]["version_id"] == first
    assert came_to["upload"]["uploaded_at"]


@pytest.mark.usefixtures("bucket")
def test_with_nothing_uploaded_the_user_is_told_to() -> None:
    with pytest.raises(DatasetUnreadable, match="upload a CSV first"):
        admitted({})


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({"key": "raw/other.csv"}, "does not exist"),
        ({"key": KEY, "version_id": "no version"}, "has no version no version"),
        ({"key": "elsewhere/data.csv"}, "under raw/"),
        ({"key": "raw/folder/"}, "under raw/"),
    ],
)
def test_an_upload_that_is_not_there_is_told_before_anything_is_done(
    upload: Put, raw: dict[str, str], said: str
) -> None:
    upload(b"first")

    with pytest.raises(InputInvalid, match=said):
        admitted({"raw": raw})


def test_who_and_why_are_those_given_or_else_where_the_run_came_from(upload: Put) -> None:
    version = upload(b"first")

    assert admitted(event(version))["who"] == f"upload of {KEY}"
    assert admitted({}, "two")["who"] == "execution two"
    by_hand = admitted({"who": "ada", "reason": "She knows."})
    assert (by_hand["who"], by_hand["why"]) == ("ada", "She knows.")


@pytest.mark.usefixtures("bucket")
def test_a_promotion_by_name_is_nominated_as_it_was_asked_for() -> None:
    came_to = admitted({"promote": "previous", "who": "ada", "reason": "Yesterday's was better."})

    assert came_to["decision"] == "promote"
    nominated = came_to["nominated"]
    assert (nominated["version"], nominated["over"]) == ("previous", None)
    assert (nominated["who"], nominated["why"]) == ("ada", "Yesterday's was better.")


def test_an_event_that_comes_twice_is_handled_once(
    upload: Put, capsys: pytest.CaptureFixture[str]
) -> None:
    version = upload(b"first")
    first = admitted(event(version), "one")
    retried = admitted(event(version), "one")
    capsys.readouterr()

    again = admitted(event(version), "two")

    assert first["decision"] == retried["decision"] == "retrain"
    assert again["decision"] == "already_handled"
    assert again["reason"].startswith(f"The execution one has been handling this version of {KEY}")
    (counted,) = [line for line in fact_lines(capsys.readouterr().out) if "verdict" in line]
    assert counted["verdict"] == "already_handled"


def test_another_version_of_the_object_is_another_upload(upload: Put) -> None:
    versions = [upload(b"same"), upload(b"same")]

    decisions = [admitted(event(one), one)["decision"] for one in versions]

    assert decisions == ["retrain", "retrain"]


def test_by_hand_an_upload_can_be_handled_again_and_its_event_still_cannot(upload: Put) -> None:
    version = upload(b"first")
    admitted(event(version), "one")

    by_hand = admitted({"raw": {"key": KEY, "version_id": version}}, "two")
    late = admitted(event(version), "three")

    assert by_hand["decision"] == "retrain"
    assert late["decision"] == "already_handled"
    assert "execution two" in late["reason"]


@pytest.mark.usefixtures("champion_of_later_data")
@pytest.mark.parametrize("by_hand", [True, False])
def test_data_older_than_the_champions_end_there_unless_somebody_says_so(
    upload: Put, *, by_hand: bool
) -> None:
    version = upload(b"first")
    given = {"raw": {"key": KEY, "version_id": version}} if by_hand else event(version)

    came_to = admitted(given)
    knowingly = admitted({"raw": {"key": KEY, "version_id": version}, "even_if_older": True}, "two")

    assert came_to["decision"] == "superseded"
    assert "raw/february.csv, 2999-02-28" in came_to["reason"]
    assert knowingly["decision"] == "retrain"
    assert knowingly["even_if_older"]


# ── Outcomes beside the upload ──────────────────────────────────────────────────────────────────


@pytest.fixture
def champion_with_outcomes(
    upload: Put, registry: Registry, publish: Callable[[Candidate], Any], candidate: Candidate
) -> Champion:
    """A champion that learned from the newest upload, and from outcomes up to October."""
    version = upload(b"first")
    learned = Upload.model_validate(
        {**admitted({"raw": {"key": KEY, "version_id": version}}, "first")["upload"]}
    ).model_copy(update={"outcomes_until": OCTOBER})
    promotion = PROMOTION.model_copy(update={"upload": learned, "verdict": candidate.verdict})
    return registry.promote(publish(candidate), None, promotion, NOW)


OCTOBER = datetime(2025, 10, 31, tzinfo=UTC)


def until_of(came_to: dict[str, Any]) -> datetime | None:
    return Upload.model_validate(came_to["upload"]).outcomes_until


def test_outcomes_are_trained_on_where_somebody_asks_for_them(upload: Put) -> None:
    upload(b"first")
    before = datetime.now(UTC)

    assert until_of(admitted({})) is None
    assert until_of(admitted({"outcomes": "2025-10-31T00:00:00Z"})) == OCTOBER
    now = until_of(admitted({"outcomes": True}))
    assert now
    assert before <= now <= datetime.now(UTC)


def test_a_time_that_is_none_is_told_before_anything_is_done(upload: Put) -> None:
    upload(b"first")

    with pytest.raises(InputInvalid, match="outcomes is in the future"):
        admitted({"outcomes": "2999-01-01"})


@pytest.mark.usefixtures("champion_with_outcomes")
def test_the_champions_own_upload_is_trained_on_with_the_champions_outcomes(upload: Put) -> None:
    same = admitted({})
    upload(b"second")
    another = admitted({})

    assert (same["decision"], until_of(same)) == ("retrain", OCTOBER)
    assert (another["decision"], until_of(another)) == ("retrain", None)


@pytest.mark.usefixtures("champion_with_outcomes")
@pytest.mark.parametrize("outcomes", [False, "2025-10-29"])
def test_on_less_than_the_champion_knows_it_is_superseded_unless_somebody_says_so(
    *, outcomes: bool | str
) -> None:
    came_to = admitted({"outcomes": outcomes})
    knowingly = admitted({"outcomes": outcomes, "even_if_older": True}, "two")

    assert came_to["decision"] == "superseded"
    assert "on outcomes observed up to 2025-10-31 00:00:00 UTC" in came_to["reason"]
    assert knowingly["decision"] == "retrain"


def test_the_event_of_the_champions_upload_that_comes_again_changes_nothing(
    champion_with_outcomes: Champion,
) -> None:
    assert champion_with_outcomes.upload
    late = event(champion_with_outcomes.upload.version_id)

    came_to = admitted(late, "late")

    assert came_to["decision"] == "already_handled"
    assert until_of(came_to) == OCTOBER
