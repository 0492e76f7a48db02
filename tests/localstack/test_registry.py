"""The registry's conditional writes against LocalStack's S3, by threads that race for real."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import pairwise
from threading import Barrier

import pytest
from clinical.artefacts import Stored, unsealed_json
from clinical.boto3_bucket import Boto3Bucket
from clinical.errors import ChampionMoved, ClinicalError, PreconditionFailed
from clinical.registry import CHAMPION_KEY, MODEL, Champion, Pointer, Promotion, Registry, Version

from local.stack import Stack
from tests.localstack.retrain import EVALUATED
from tests.patience import PATIENCE_SECONDS

RACERS, ROUNDS = 4, 10
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
PROMOTION = Promotion(who="the tests", why="to race", execution="one", verdict=EVALUATED.verdict)


@pytest.fixture
def bucket(localstack: Stack, outputs: dict[str, str]) -> Iterator[Boto3Bucket]:
    """The artefacts bucket as the template makes it, empty."""
    name = outputs["ArtifactsBucketName"]
    yield Boto3Bucket(localstack.s3, name)
    for page in localstack.s3.get_paginator("list_object_versions").paginate(Bucket=name):
        for one in (*page.get("Versions", []), *page.get("DeleteMarkers", [])):
            localstack.s3.delete_object(Bucket=name, Key=one["Key"], VersionId=one["VersionId"])


@pytest.fixture
def registry(bucket: Boto3Bucket) -> Registry:
    return Registry(bucket)


def publish(registry: Registry, model: str) -> Version:
    files, findings = {MODEL: model.encode()}, {"card.json": b"{}"}
    return registry.publish(files, findings, EVALUATED.verdict, "one", NOW)


def entered(bucket: Boto3Bucket) -> list[Champion]:
    """What the ledger holds, the oldest first."""
    keys = bucket.keys("models/ledger/", ".json")
    return [Champion.model_validate(unsealed_json(key, bucket.get(key).body)) for key in keys]


def at_once[Outcome](run: Callable[[int], Outcome]) -> list[Outcome | ClinicalError]:
    """Let every racer start at the same moment, and return what each came to."""
    together = Barrier(RACERS)

    def race(number: int) -> Outcome | ClinicalError:
        together.wait(timeout=PATIENCE_SECONDS)
        try:
            return run(number)
        except ClinicalError as error:
            return error

    with ThreadPoolExecutor(max_workers=RACERS) as threads:
        return list(threads.map(race, range(RACERS)))


def test_of_writers_of_a_new_object_one_wins(bucket: Boto3Bucket) -> None:
    for number in range(ROUNDS):
        key = f"models/new-{number}"

        def write(racer: int, key: str = key) -> tuple[bytes, str]:
            body = b"by %d" % racer
            return body, bucket.put_new(key, body)

        came_to = at_once(write)

        ((body, etag),) = [one for one in came_to if isinstance(one, tuple)]
        assert sum(isinstance(one, PreconditionFailed) for one in came_to) == RACERS - 1
        assert bucket.get(key) == Stored(body, etag)


def test_of_writers_over_what_they_read_one_wins(bucket: Boto3Bucket) -> None:
    etag = bucket.put("models/pointer", b"at first")
    for number in range(ROUNDS):

        def write(racer: int, seen: str = etag, number: int = number) -> tuple[bytes, str]:
            body = b"%d of round %d" % (racer, number)
            return body, bucket.put_over("models/pointer", body, seen)

        came_to = at_once(write)

        ((body, etag),) = [one for one in came_to if isinstance(one, tuple)]
        assert sum(isinstance(one, PreconditionFailed) for one in came_to) == RACERS - 1
        assert bucket.get("models/pointer") == Stored(body, etag)


def test_of_promotions_at_once_one_wins_and_the_others_see_that_the_champion_moved(
    registry: Registry, bucket: Boto3Bucket
) -> None:
    versions = [publish(registry, f"model {number}") for number in range(RACERS)]
    winners = []
    for _ in range(ROUNDS):
        seen = registry.champion()

        def promote(racer: int, seen: Pointer | None = seen) -> Champion:
            return registry.promote(versions[racer], seen, PROMOTION, NOW)

        came_to = at_once(promote)

        (winner,) = [one for one in came_to if isinstance(one, Champion)]
        assert sum(isinstance(one, ChampionMoved) for one in came_to) == RACERS - 1
        pointer = registry.champion()
        assert pointer is not None
        assert pointer.champion == winner
        winners.append(winner)

    assert entered(bucket) == winners


def test_promotions_that_try_again_all_come_into_a_ledger_without_a_gap(
    registry: Registry, bucket: Boto3Bucket
) -> None:
    versions = [publish(registry, f"model {number}") for number in range(RACERS)]

    def promote_until_it_succeeds(racer: int) -> Champion:
        while True:
            try:
                return registry.promote(versions[racer], registry.champion(), PROMOTION, NOW)
            except ChampionMoved:
                continue

    for _ in range(ROUNDS):
        came_to = at_once(promote_until_it_succeeds)
        assert all(isinstance(one, Champion) for one in came_to), came_to

    ledger = entered(bucket)
    assert [entry.sequence for entry in ledger] == list(range(1, RACERS * ROUNDS + 1))
    for before, after in pairwise(ledger):
        is_another = after.version != before.version
        assert after.previous == (before.version if is_another else before.previous)
    pointer = registry.champion()
    assert pointer is not None
    assert pointer.champion == ledger[-1]
    written = bucket.client.list_object_versions(Bucket=bucket.name, Prefix="models/ledger/")
    assert len(written["Versions"]) == len(ledger)  # no entry was written twice


def test_the_same_model_published_at_once_is_one_version(registry: Registry) -> None:
    came_to = at_once(lambda _: publish(registry, "the same model"))

    (version,) = registry.versions()
    assert came_to == [version] * RACERS
    assert registry.verified(version.version) == version


def test_the_pointer_is_read_again_only_if_it_moved(registry: Registry) -> None:
    first, second = publish(registry, "model 1"), publish(registry, "model 2")
    registry.promote(first, None, PROMOTION, NOW)
    pointer = registry.champion()
    assert pointer is not None
    assert registry.champion_after(pointer) is None

    moved = registry.promote(second, pointer, PROMOTION, NOW)

    newer = registry.champion_after(pointer)
    assert newer is not None
    assert newer.champion == moved


def test_over_a_pointer_that_was_deleted_a_promotion_sees_that_it_moved(
    registry: Registry, bucket: Boto3Bucket
) -> None:
    first, second = publish(registry, "model 1"), publish(registry, "model 2")
    registry.promote(first, None, PROMOTION, NOW)
    seen = registry.champion()
    bucket.client.delete_object(Bucket=bucket.name, Key=CHAMPION_KEY)

    with pytest.raises(ChampionMoved, match=second.version):
        registry.promote(second, seen, PROMOTION, NOW)

    champion = registry.promote(second, registry.champion(), PROMOTION, NOW)
    assert champion.sequence == 2
    assert [entry.version for entry in entered(bucket)] == [first.version, second.version]
