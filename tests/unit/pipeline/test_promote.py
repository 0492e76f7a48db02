from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import stage
from clinical.boto3_bucket import Boto3Bucket
from clinical.errors import (
    ArtefactCorrupted,
    ChampionMoved,
    ModelOfAnotherStudy,
    StorageUnavailable,
    VersionUnknown,
)
from clinical.params import params
from clinical.registry import Champion, Registry
from retrain.stages.promote import promote

from tests.pipeline import Context
from tests.unit.conftest import emf_lines
from tests.unit.pipeline.conftest import Retrained

pytestmark = pytest.mark.usefixtures("few_trees")

type Retrain = Callable[[str], dict[str, Any]]
type Upload = Callable[[bytes], str]


def test_a_crash_between_publishing_and_promoting_changes_nothing_that_serves(
    registry: Registry,
    upload: Upload,
    retrain: Retrain,
    retrained: Retrained,
    sample_bytes: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    served = retrained(sample_bytes)["promoted"]["version"]
    upload(b"".join(sample_bytes.splitlines(keepends=True)[:-1]))
    with monkeypatch.context() as crash:
        crash.setattr(Registry, "promote", lambda *_: (_ for _ in ()).throw(SystemExit))
        with pytest.raises(SystemExit):
            retrain("two")
    pointer = registry.champion()
    assert pointer is not None
    assert pointer.champion.version == served

    promoted = retrain("three")["promoted"]

    assert promoted["decision"] == "promoted"
    assert promoted["previous"] == served


def test_a_promotion_that_comes_second_is_refused_and_a_retry_reads_the_pointer_anew(
    registry: Registry,
    upload: Upload,
    retrain: Retrain,
    retrained: Retrained,
    sample_bytes: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = sample_bytes.splitlines(keepends=True)
    retrained(sample_bytes)
    seen_before_the_other_won = registry.champion()
    upload(b"".join(lines[:-1]))
    won = retrain("two")["promoted"]["version"]
    upload(b"".join(lines[:-2]))
    with monkeypatch.context() as late:
        late.setattr(Registry, "champion", lambda _: seen_before_the_other_won)
        with pytest.raises(ChampionMoved):
            retrain("three")
    pointer = registry.champion()
    assert pointer is not None
    assert pointer.champion.version == won

    retried = retrain("four")["promoted"]

    assert retried["decision"] == "promoted"
    assert retried["previous"] == won


def nominated(version: str, over: int | None = None) -> dict[str, Any]:
    return {"version": version, "over": over, "who": "ada", "why": "It is hers."}


def promoted(version: str, over: int | None = None, execution: str = "by-hand") -> dict[str, Any]:
    event = {"execution": execution, "nominated": nominated(version, over)}
    handler: Callable[..., dict[str, Any]] = promote
    return handler(event, Context())


def ledger_keys(registry: Registry) -> list[str]:
    return registry.bucket.keys("models/ledger/", ".json")


@pytest.fixture
def bodies(sample_bytes: bytes) -> list[bytes]:
    """The sample, and the sample without its last row, or its last two."""
    lines = sample_bytes.splitlines(keepends=True)
    return [sample_bytes, b"".join(lines[:-1]), b"".join(lines[:-2])]


@pytest.fixture
def two_versions(retrained: Retrained, bodies: list[bytes]) -> list[str]:
    """Two published versions, the second of which serves."""
    return [retrained(*bodies[:number])["promoted"]["version"] for number in (1, 2)]


def test_the_one_before_can_be_asked_for_by_that_name(
    registry: Registry, two_versions: list[str]
) -> None:
    back = promoted("previous")

    assert back["version"] == two_versions[0]
    pointer = registry.champion()
    assert pointer is not None
    assert pointer.champion.sequence == 3
    assert pointer.champion.promotion.who == "ada"
    assert pointer.champion.promotion.why == "It is hers."


def test_before_a_second_promotion_there_is_no_previous(
    retrained: Retrained, sample_bytes: bytes
) -> None:
    with pytest.raises(VersionUnknown, match="promote a version by name"):
        promoted("previous")
    retrained(sample_bytes)
    with pytest.raises(VersionUnknown, match="promote a version by name"):
        promoted("previous")


def test_a_retry_of_a_promotion_that_was_made_finds_it_made(two_versions: list[str]) -> None:
    first = promoted(two_versions[0], over=2)

    again = promoted(two_versions[0], over=2)

    assert first["decision"] == "promoted"
    assert again["decision"] == "already_champion"
    assert again["sequence"] == first["sequence"] == 3


def test_a_retry_enters_a_promotion_that_a_crash_left_out_of_the_ledger(
    registry: Registry, two_versions: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    enter = Registry.enter

    def crashing(registry: Registry, champion: Champion) -> None:
        if champion.sequence == 3:
            raise SystemExit
        enter(registry, champion)

    with monkeypatch.context() as crash:
        crash.setattr(Registry, "enter", crashing)
        with pytest.raises(SystemExit):
            promoted(two_versions[0], over=2)
    assert len(ledger_keys(registry)) == 2

    again = promoted(two_versions[0], over=2)

    assert (again["decision"], again["sequence"]) == ("already_champion", 3)
    assert len(ledger_keys(registry)) == 3


def test_the_ledger_says_who_had_each_version_promoted_and_why(
    registry: Registry, two_versions: list[str]
) -> None:
    promoted(two_versions[0])

    pointer = registry.champion()
    assert pointer is not None
    entries = list(registry.ledger(pointer.champion, entries=10))
    assert [(one.sequence, one.version) for one in entries] == [
        (3, two_versions[0]),
        (2, two_versions[1]),
        (1, two_versions[0]),
    ]
    assert [one.promotion.who for one in entries] == ["ada", "execution two", "execution one"]
    assert [one.promotion.execution for one in entries] == ["by-hand", "two", "one"]
    assert entries[0].promotion.why == "It is hers."
    assert entries[1].promotion.why.startswith("It beats the average baseline")
    assert entries[0].promotion.verdict is None  # nothing was judged
    assert entries[1].promotion.verdict == entries[1].verdict


def test_whatever_serves_is_followed_where_nothing_was_judged(two_versions: list[str]) -> None:
    came_to = promoted(two_versions[0], over=None)

    assert came_to["decision"] == "promoted"
    assert came_to["previous"] == two_versions[1]


def test_a_candidate_judged_against_another_champion_is_refused(two_versions: list[str]) -> None:
    with pytest.raises(ChampionMoved, match="was judged against promotion 1, but 2 serves now"):
        promoted(two_versions[0], over=1)


def test_a_version_with_a_corrupted_file_is_refused_and_counted(
    registry: Registry, two_versions: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    registry.bucket.put(f"models/{two_versions[0]}/model.joblib", b"not it")

    with pytest.raises(ArtefactCorrupted, match=r"model\.joblib"):
        promoted(two_versions[0])

    pointer = registry.champion()
    assert pointer is not None
    assert pointer.champion.version == two_versions[1]
    assert any("ArtefactsRefused" in line for line in emf_lines(capsys.readouterr().out))


def test_a_version_that_nobody_published_is_refused(two_versions: list[str]) -> None:
    assert two_versions
    with pytest.raises(VersionUnknown, match="v-00000000"):
        promoted("v-00000000")


def test_a_version_of_another_contract_is_refused_even_by_name(
    registry: Registry, two_versions: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pointer = registry.champion()
    assert pointer
    today = params()
    older = today.columns["Age"].model_copy(update={"max": 95})
    wider = today.model_copy(update={"columns": {**today.columns, "Age": older}})
    monkeypatch.setattr(stage, "params", lambda: wider)

    with pytest.raises(ModelOfAnotherStudy, match="a different data contract"):
        promoted(two_versions[0])

    assert registry.champion() == pointer


def test_a_rollback_to_the_previous_that_is_retried_is_made_once(
    registry: Registry, two_versions: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pointer moves, the ledger cannot be written, and the state machine tries again."""
    put_new = Boto3Bucket.put_new

    def down(bucket: Boto3Bucket, key: str, body: bytes) -> str:
        if key == "models/ledger/000003.json":
            raise StorageUnavailable("S3 answered 503")
        return put_new(bucket, key, body)

    with monkeypatch.context() as outage:
        outage.setattr(Boto3Bucket, "put_new", down)
        with pytest.raises(StorageUnavailable):
            promoted("previous")

    assert promoted("previous")["version"] == two_versions[0]
    pointer = registry.champion()
    assert pointer is not None
    assert pointer.champion.version == two_versions[0]
    assert len(registry.bucket.keys("models/ledger/", ".json")) == 3


@pytest.fixture
def three_versions(retrained: Retrained, bodies: list[bytes]) -> list[str]:
    """Three published versions, the last of which serves."""
    return [retrained(*bodies[:number])["promoted"]["version"] for number in (1, 2, 3)]


def served(registry: Registry) -> Champion:
    pointer = registry.champion()
    assert pointer is not None
    return pointer.champion


def test_stepping_back_twice_steps_back_twice_and_then_there_is_nothing_left(
    registry: Registry, three_versions: list[str]
) -> None:
    once = promoted("previous")
    twice = promoted("previous", execution="by-hand-again")

    assert [once["version"], twice["version"]] == three_versions[1::-1]
    assert set(served(registry).withdrawn) == set(three_versions[1:])
    with pytest.raises(VersionUnknown, match="was not withdrawn; promote"):
        promoted("previous", execution="by-hand-once-more")


def test_what_was_withdrawn_comes_back_by_name_alone(
    registry: Registry, two_versions: list[str], retrain: Retrain
) -> None:
    first, second = two_versions
    promoted("previous")

    by_itself = retrain("three")["promoted"]

    assert by_itself["decision"] == "withdrawn"
    for told in (second, "ada", "It is hers."):
        assert told in by_itself["reason"]
    assert served(registry).version == first
    assert promoted(second, execution="by-name")["decision"] == "promoted"
    assert set(served(registry).withdrawn) == {first}


def test_what_was_withdrawn_stays_so_after_the_next_promotion_and_after_the_pointer_is_gone(
    registry: Registry,
    two_versions: list[str],
    upload: Upload,
    retrain: Retrain,
    sample_bytes: bytes,
    bucket: Boto3Bucket,
) -> None:
    withdrawn = two_versions[1]
    lines = sample_bytes.splitlines(keepends=True)
    promoted("previous")
    upload(b"".join(lines[:-2]))
    assert retrain("three")["promoted"]["decision"] == "promoted"
    upload(b"".join(lines[:-1]))

    assert retrain("four")["promoted"]["decision"] == "withdrawn"
    bucket.client.delete_object(Bucket=bucket.name, Key="models/champion.json")
    assert retrain("five")["promoted"]["decision"] == "withdrawn"
    assert registry.champion() is None
    assert withdrawn in registry.withdrawn(None)


def test_newer_data_that_came_first_stay(
    registry: Registry, upload: Upload, retrain: Retrain, retrained: Retrained, sample_bytes: bytes
) -> None:
    """Two runs at once: the one on older data finds that the other was promoted meanwhile."""
    lines = sample_bytes.splitlines(keepends=True)
    older = retrained(sample_bytes)["nominated"]
    upload(b"".join(lines[:-1]))
    newer = retrain("two")["promoted"]["version"]
    older["upload"]["uploaded_at"] = "2026-01-01T00:00:00Z"
    handler: Callable[..., dict[str, Any]] = promote

    came_to = handler({"execution": "late", "nominated": older}, Context())
    knowingly = handler(
        {"execution": "knowingly", "nominated": older | {"over": 2, "even_if_older": True}},
        Context(),
    )

    assert came_to["decision"] == "superseded"
    assert "raw/data.csv was uploaded at 2026-01-01 00:00:00 UTC" in came_to["reason"]
    assert came_to["sequence"] == 2
    assert knowingly["decision"] == "promoted"
    assert served(registry).previous == newer


def test_the_same_rows_uploaded_again_are_no_longer_older_than_what_comes_late(
    registry: Registry, two_versions: list[str], retrain: Retrain
) -> None:
    champion = served(registry)
    assert champion.upload is not None
    later = champion.upload.uploaded_at + timedelta(days=1)
    nominated = retrain("again")["nominated"]
    nominated["upload"]["uploaded_at"] = later.isoformat()
    handler: Callable[..., dict[str, Any]] = promote

    came_to = handler({"execution": "later", "nominated": nominated}, Context())

    assert came_to["decision"] == "already_champion"
    now = served(registry)
    assert (now.version, now.previous) == (two_versions[1], two_versions[0])
    assert now.upload is not None
    assert now.upload.uploaded_at == later
    assert now.sequence == champion.sequence + 1
    assert len(ledger_keys(registry)) == now.sequence
