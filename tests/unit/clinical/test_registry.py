from collections.abc import Callable
from datetime import timedelta
from threading import Barrier, Thread

import pytest
from clinical.artefacts import Bucket
from clinical.errors import (
    ArtefactCorrupted,
    ArtefactMissing,
    ChampionMoved,
    ModelUnavailable,
    VersionConflict,
    VersionUnknown,
)
from clinical.registry import (
    CHAMPION_KEY,
    MODEL,
    Champion,
    Promotion,
    Registry,
    Version,
    version_name,
)

from tests.unit.conftest import NOW, PROMOTION, Candidate


def publish(registry: Registry, candidate: Candidate, execution: str = "one") -> Version:
    return registry.publish(candidate.files, candidate.findings, candidate.verdict, execution, NOW)


def test_a_version_is_named_by_its_models_bytes(registry: Registry, candidate: Candidate) -> None:
    name = publish(registry, candidate).version

    assert name == version_name(candidate.files[MODEL])
    assert name.startswith("v-")
    assert len(name) == len("v-") + 8


def test_publishing_the_same_model_again_changes_nothing(
    registry: Registry, bucket: Bucket, candidate: Candidate
) -> None:
    name = publish(registry, candidate, execution="one").version
    manifest = bucket.get(f"models/{name}/manifest.json")

    publish(registry, candidate, execution="two")

    assert bucket.get(f"models/{name}/manifest.json") == manifest


def test_a_version_without_its_manifest_is_not_published(
    registry: Registry, bucket: Bucket, candidate: Candidate
) -> None:
    name = version_name(candidate.files[MODEL])
    bucket.put(f"models/{name}/{MODEL}", candidate.files[MODEL])  # as a crash leaves it

    assert registry.version(name) is None
    assert publish(registry, candidate).version == name
    assert registry.version(name) is not None


def test_other_bytes_under_a_versions_name_are_refused(
    registry: Registry, bucket: Bucket, candidate: Candidate
) -> None:
    name = version_name(candidate.files[MODEL])
    bucket.put(f"models/{name}/{MODEL}", b"something else")

    with pytest.raises(VersionConflict, match=name):
        publish(registry, candidate)


def test_nothing_serves_before_the_first_promotion(registry: Registry) -> None:
    assert registry.champion() is None


def test_a_promotion_moves_the_pointer(
    registry: Registry, candidate: Candidate, promote: Callable[[Candidate], Champion]
) -> None:
    champion = promote(candidate)

    pointer = registry.champion()
    assert pointer is not None
    assert pointer.champion == champion
    assert pointer.champion.promoted_at == NOW


def test_of_two_promotions_that_saw_the_same_champion_one_wins(
    registry: Registry, candidate: Candidate, challenger: Candidate
) -> None:
    one, other = publish(registry, candidate), publish(registry, challenger)
    seen_by_both = registry.champion()

    registry.promote(one, seen_by_both, PROMOTION, NOW)
    with pytest.raises(ChampionMoved, match=other.version):
        registry.promote(other, seen_by_both, PROMOTION, NOW)

    pointer = registry.champion()
    assert pointer is not None
    assert pointer.champion.version == one.version


def test_the_pointer_is_read_again_only_if_it_moved(
    registry: Registry,
    candidate: Candidate,
    challenger: Candidate,
    promote: Callable[[Candidate], Champion],
) -> None:
    promote(candidate)
    pointer = registry.champion()
    assert pointer is not None
    assert registry.champion_after(pointer) is None

    moved = promote(challenger)

    newer = registry.champion_after(pointer)
    assert newer is not None
    assert newer.champion == moved


def test_a_deleted_pointer_is_said_so(
    registry: Registry,
    bucket: Bucket,
    candidate: Candidate,
    promote: Callable[[Candidate], Champion],
) -> None:
    promote(candidate)
    pointer = registry.champion()
    assert pointer is not None
    bucket.client.delete_object(Bucket=bucket.name, Key=CHAMPION_KEY)

    with pytest.raises(ModelUnavailable, match="deleted"):
        registry.champion_after(pointer)


def ledger_keys(bucket: Bucket) -> list[str]:
    return bucket.keys("models/ledger/", ".json")


def test_every_promotion_is_entered_with_who_why_and_what(
    registry: Registry, candidate: Candidate, challenger: Candidate
) -> None:
    first, second = publish(registry, candidate), publish(registry, challenger)
    reason = Promotion(who="ada", why="It is better.", execution="two", verdict=second.verdict)

    registry.promote(first, registry.champion(), PROMOTION, NOW)
    champion = registry.promote(second, registry.champion(), reason, NOW)

    newest, oldest = registry.ledger(champion, entries=10)
    assert (newest.sequence, newest.version, newest.previous) == (2, second.version, first.version)
    assert newest.promotion == reason
    assert newest.files == second.files
    assert (oldest.sequence, oldest.version, oldest.previous) == (1, first.version, None)


def test_the_ledger_tells_as_many_promotions_as_asked_for(
    registry: Registry, candidate: Candidate, challenger: Candidate
) -> None:
    versions = [publish(registry, candidate), publish(registry, challenger)]
    for number in range(5):
        champion = registry.promote(versions[number % 2], registry.champion(), PROMOTION, NOW)

    assert [entry.sequence for entry in registry.ledger(champion, entries=3)] == [5, 4, 3]


def test_an_entry_is_never_written_again(
    registry: Registry,
    bucket: Bucket,
    promote: Callable[[Candidate], Champion],
    candidate: Candidate,
) -> None:
    champion = promote(candidate)
    (key,) = ledger_keys(bucket)
    written = bucket.get(key)

    registry.enter(champion.model_copy(update={"previous": "v-00000000"}))

    assert bucket.get(key) == written


def test_a_crash_before_the_entry_loses_none(
    registry: Registry,
    bucket: Bucket,
    candidate: Candidate,
    challenger: Candidate,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second = publish(registry, candidate), publish(registry, challenger)
    with monkeypatch.context() as crash:
        crash.setattr(Registry, "enter", lambda *_: (_ for _ in ()).throw(SystemExit))
        with pytest.raises(SystemExit):
            registry.promote(first, registry.champion(), PROMOTION, NOW)
    assert ledger_keys(bucket) == []

    champion = registry.promote(second, registry.champion(), PROMOTION, NOW)

    assert [entry.version for entry in registry.ledger(champion, 10)] == [
        second.version,
        first.version,
    ]
    assert ledger_keys(bucket) == ["models/ledger/000001.json", "models/ledger/000002.json"]


def test_of_promotions_in_parallel_one_wins_each_round(
    registry: Registry, bucket: Bucket, candidate: Candidate, challenger: Candidate
) -> None:
    versions = [publish(registry, candidate), publish(registry, challenger)]
    for number in range(10):
        seen_by_both = registry.champion()
        together = Barrier(2)
        moved: list[str] = []

        def promote(
            version: Version,
            together: Barrier = together,
            moved: list[str] = moved,
            seen: object = seen_by_both,
        ) -> None:
            together.wait()
            try:
                registry.promote(version, seen, PROMOTION, NOW)  # type: ignore[arg-type]
            except ChampionMoved:
                return
            moved.append(version.version)

        threads = [Thread(target=promote, args=(version,)) for version in versions]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        pointer = registry.champion()
        assert pointer is not None
        assert moved == [pointer.champion.version]
        assert len(ledger_keys(bucket)) == number + 1


def test_versions_are_listed_the_newest_first(
    registry: Registry, candidate: Candidate, challenger: Candidate
) -> None:
    older = publish(registry, candidate)
    newer = registry.publish(
        challenger.files,
        challenger.findings,
        challenger.verdict,
        "two",
        NOW + timedelta(minutes=1),
    )

    assert list(registry.versions()) == [newer, older]


def test_a_version_is_verified_file_by_file(
    registry: Registry, bucket: Bucket, candidate: Candidate
) -> None:
    version = publish(registry, candidate)

    assert registry.verified(version.version) == version
    for file in version.files.values():
        whole = bucket.get(file.key).body
        bucket.put(file.key, whole + b" ")
        with pytest.raises(ArtefactCorrupted, match=file.key):
            registry.verified(version.version)
        bucket.client.delete_object(Bucket=bucket.name, Key=file.key)
        with pytest.raises(ArtefactMissing, match=file.key):
            registry.verified(version.version)
        bucket.put(file.key, whole)


def test_a_version_that_nobody_published_is_unknown(registry: Registry) -> None:
    with pytest.raises(VersionUnknown, match="v-00000000"):
        registry.verified("v-00000000")


def test_a_pointer_of_other_code_says_what_to_do(registry: Registry, bucket: Bucket) -> None:
    bucket.put(CHAMPION_KEY, b'{"version": "v-00000000"}')

    with pytest.raises(ArtefactCorrupted, match="restore an earlier version"):
        registry.champion()
