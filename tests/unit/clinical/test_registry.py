from collections.abc import Callable

import pytest
from clinical.artefacts import Bucket
from clinical.errors import ChampionMoved, ModelUnavailable, VersionConflict
from clinical.registry import CHAMPION_KEY, MODEL, Champion, Registry, version_name

from tests.unit.conftest import NOW, Candidate


def publish(registry: Registry, candidate: Candidate, execution: str = "one") -> str:
    return registry.publish(candidate.files, candidate.lineage, execution, NOW).version


def test_a_version_is_named_by_its_models_bytes(registry: Registry, candidate: Candidate) -> None:
    name = publish(registry, candidate)

    assert name == version_name(candidate.files[MODEL])
    assert name.startswith("v-")
    assert len(name) == len("v-") + 8


def test_publishing_the_same_model_again_changes_nothing(
    registry: Registry, bucket: Bucket, candidate: Candidate
) -> None:
    name = publish(registry, candidate, execution="one")
    manifest = bucket.get(f"models/{name}/manifest.json")

    publish(registry, candidate, execution="two")

    assert bucket.get(f"models/{name}/manifest.json") == manifest


def test_a_version_without_its_manifest_is_not_published(
    registry: Registry, bucket: Bucket, candidate: Candidate
) -> None:
    name = version_name(candidate.files[MODEL])
    bucket.put(f"models/{name}/{MODEL}", candidate.files[MODEL])  # as a crash leaves it

    assert registry.version(name) is None
    assert publish(registry, candidate) == name
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
    one = registry.publish(candidate.files, candidate.lineage, "one", NOW)
    other = registry.publish(challenger.files, challenger.lineage, "two", NOW)
    seen_by_both = registry.champion()

    registry.promote(one, seen_by_both, NOW)
    with pytest.raises(ChampionMoved, match=other.version):
        registry.promote(other, seen_by_both, NOW)

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
