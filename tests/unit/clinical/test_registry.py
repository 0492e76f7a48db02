from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from random import Random
from threading import Barrier
from typing import Any

import pytest
from clinical.artefacts import Artefact, sealed_json, sha256, unsealed_json
from clinical.boto3_bucket import Boto3Bucket
from clinical.errors import (
    ArtefactCorrupted,
    ArtefactMissing,
    ChampionMoved,
    ModelUnavailable,
    PreconditionFailed,
    VersionConflict,
    VersionUnknown,
)
from clinical.frozen import Frozen
from clinical.obstore_bucket import ObstoreBucket
from clinical.registry import (
    CARD,
    CHAMPION_KEY,
    MODEL,
    REFERENCE,
    TRAINING_ROWS,
    Champion,
    Pointer,
    Promotion,
    Registry,
    Version,
    version_name,
)

from tests.patience import PATIENCE_SECONDS
from tests.pipeline import mirror
from tests.unit.conftest import NOW, PROMOTION, Candidate


def publish(registry: Registry, candidate: Candidate, execution: str = "one") -> Version:
    return registry.publish(candidate.files, candidate.findings, candidate.verdict, execution, NOW)


def test_a_version_is_named_by_its_models_bytes(registry: Registry, candidate: Candidate) -> None:
    name = publish(registry, candidate).version

    assert name == version_name(candidate.files[MODEL])
    assert name.startswith("v-")
    assert len(name) == len("v-") + 8


def test_publishing_the_same_model_again_changes_nothing(
    registry: Registry, bucket: Boto3Bucket, candidate: Candidate
) -> None:
    name = publish(registry, candidate, execution="one").version
    manifest = bucket.get(f"models/{name}/manifest.json")

    publish(registry, candidate, execution="two")

    assert bucket.get(f"models/{name}/manifest.json") == manifest


def crash_on_writing(key: str, patch: pytest.MonkeyPatch) -> None:
    """Let the process die just before an object is written that was not there."""
    put_new = Boto3Bucket.put_new

    def dying(bucket: Boto3Bucket, new: str, body: bytes) -> str:
        if new == key:
            raise SystemExit
        return put_new(bucket, new, body)

    patch.setattr(Boto3Bucket, "put_new", dying)


@pytest.mark.parametrize("file", [MODEL, REFERENCE, TRAINING_ROWS, "manifest.json"])
def test_a_crash_before_the_manifest_publishes_nothing_and_the_next_run_can(
    registry: Registry, candidate: Candidate, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    name = version_name(candidate.files[MODEL])
    with monkeypatch.context() as crash:
        crash_on_writing(f"models/{name}/{file}", crash)
        with pytest.raises(SystemExit):
            publish(registry, candidate, execution="one")
    assert registry.version(name) is None
    assert list(registry.versions()) == []

    version = publish(registry, candidate, execution="two")

    assert version.execution == "two"
    assert registry.verified(name) == version


def test_a_versions_files_and_its_executions_findings_lie_apart(
    registry: Registry, bucket: Boto3Bucket, candidate: Candidate
) -> None:
    files, findings = {MODEL: b"a model"}, {CARD: b"a card"}

    version = registry.publish(files, findings, candidate.verdict, "one", NOW)

    folder = f"models/{version.version}"
    assert version.model == Artefact(key=f"{folder}/model.onnx", sha256=sha256(b"a model"))
    assert version.card == Artefact(key=f"{folder}/one/card.json", sha256=sha256(b"a card"))
    assert bucket.get(version.model.key).body == b"a model"
    assert bucket.get(version.card.key).body == b"a card"


def test_other_bytes_under_a_versions_name_are_refused(
    registry: Registry, bucket: Boto3Bucket, candidate: Candidate
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
    bucket: Boto3Bucket,
    candidate: Candidate,
    promote: Callable[[Candidate], Champion],
) -> None:
    promote(candidate)
    pointer = registry.champion()
    assert pointer is not None
    bucket.client.delete_object(Bucket=bucket.name, Key=CHAMPION_KEY)

    with pytest.raises(ModelUnavailable, match="deleted"):
        registry.champion_after(pointer)


def test_a_promotion_over_a_pointer_that_was_deleted_sees_that_it_moved(
    registry: Registry,
    bucket: Boto3Bucket,
    candidate: Candidate,
    challenger: Candidate,
    promote: Callable[[Candidate], Champion],
) -> None:
    promote(candidate)
    seen, version = registry.champion(), publish(registry, challenger)
    bucket.client.delete_object(Bucket=bucket.name, Key=CHAMPION_KEY)

    with pytest.raises(ChampionMoved, match=version.version):
        registry.promote(version, seen, PROMOTION, NOW)

    assert registry.champion() is None


def ledger_keys(bucket: Boto3Bucket) -> list[str]:
    return bucket.keys("models/ledger/", ".json")


def entered(bucket: Boto3Bucket) -> list[Champion]:
    """What the ledger holds, the oldest first."""
    return [
        Champion.model_validate(unsealed_json(key, bucket.get(key).body))
        for key in ledger_keys(bucket)
    ]


def test_every_promotion_is_entered_with_who_why_and_what(
    registry: Registry, bucket: Boto3Bucket, candidate: Candidate, challenger: Candidate
) -> None:
    first, second = publish(registry, candidate), publish(registry, challenger)
    later = NOW + timedelta(days=1)
    reason = Promotion(who="ada", why="It is better.", execution="two", verdict=second.verdict)

    registry.promote(first, registry.champion(), PROMOTION, NOW)
    champion = registry.promote(second, registry.champion(), reason, later)

    oldest, newest = entered(bucket)
    assert newest == champion
    assert (newest.sequence, newest.version, newest.previous) == (2, second.version, first.version)
    assert (newest.promotion, newest.promoted_at) == (reason, later)
    assert (newest.files, newest.verdict) == (second.files, second.verdict)
    assert (oldest.sequence, oldest.version, oldest.previous) == (1, first.version, None)
    assert (oldest.promotion, oldest.promoted_at) == (PROMOTION, NOW)
    assert (oldest.files, oldest.verdict) == (first.files, first.verdict)


@pytest.mark.parametrize(
    ("entries", "told"), [(1, [5]), (3, [5, 4, 3]), (5, [5, 4, 3, 2, 1]), (9, [5, 4, 3, 2, 1])]
)
def test_the_ledger_tells_the_newest_first_and_at_most_so_many(
    registry: Registry,
    candidate: Candidate,
    challenger: Candidate,
    entries: int,
    told: list[int],
) -> None:
    versions = [publish(registry, candidate), publish(registry, challenger)]
    for number in range(5):
        champion = registry.promote(versions[number % 2], registry.champion(), PROMOTION, NOW)

    ledger = list(registry.ledger(champion, entries))

    assert [entry.sequence for entry in ledger] == told
    assert [entry.version for entry in ledger] == [
        versions[(sequence - 1) % 2].version for sequence in told
    ]


def test_an_entry_is_never_written_again(
    registry: Registry,
    bucket: Boto3Bucket,
    promote: Callable[[Candidate], Champion],
    candidate: Candidate,
) -> None:
    champion = promote(candidate)
    (key,) = ledger_keys(bucket)
    written = bucket.get(key)

    registry.enter(champion.model_copy(update={"previous": "v-00000000"}))

    assert bucket.get(key) == written
    versions = bucket.client.list_object_versions(Bucket=bucket.name, Prefix=key)["Versions"]
    assert len(versions) == 1


@pytest.mark.parametrize("crashed", [1, 2, 3])
def test_a_crash_between_pointer_and_ledger_loses_no_entry(
    registry: Registry,
    bucket: Boto3Bucket,
    candidate: Candidate,
    challenger: Candidate,
    monkeypatch: pytest.MonkeyPatch,
    crashed: int,
) -> None:
    versions = [publish(registry, candidate), publish(registry, challenger)]
    for number in range(crashed - 1):
        registry.promote(versions[number % 2], registry.champion(), PROMOTION, NOW)
    before = entered(bucket)
    with monkeypatch.context() as crash:
        crash_on_writing(f"models/ledger/{crashed:06}.json", crash)
        with pytest.raises(SystemExit):
            registry.promote(versions[0], registry.champion(), PROMOTION, NOW)
    pointer = registry.champion()
    assert pointer is not None
    assert pointer.champion.sequence == crashed
    assert entered(bucket) == before

    champion = registry.promote(versions[1], pointer, PROMOTION, NOW)

    assert entered(bucket) == [*before, pointer.champion, champion]
    assert list(registry.ledger(champion, crashed + 1)) == entered(bucket)[::-1]


def test_an_entry_that_is_missing_is_said_so(
    registry: Registry, bucket: Boto3Bucket, candidate: Candidate, challenger: Candidate
) -> None:
    versions = [publish(registry, candidate), publish(registry, challenger)]
    for version in versions:
        champion = registry.promote(version, registry.champion(), PROMOTION, NOW)
    bucket.client.delete_object(Bucket=bucket.name, Key="models/ledger/000001.json")

    with pytest.raises(ArtefactMissing, match=r"ledger/000001\.json"):
        list(registry.ledger(champion, entries=2))


@pytest.mark.usefixtures("at_once")
def test_of_promotions_in_parallel_one_wins_each_round(
    registry: Registry, bucket: Boto3Bucket, candidate: Candidate, challenger: Candidate
) -> None:
    versions = [publish(registry, candidate), publish(registry, challenger)]
    winners: list[Champion] = []

    with ThreadPoolExecutor(max_workers=2) as threads:
        for _ in range(20):
            seen_by_both, together = registry.champion(), Barrier(2)

            def promote(
                version: Version,
                seen: Pointer | None = seen_by_both,
                together: Barrier = together,
            ) -> Champion | None:
                together.wait(timeout=PATIENCE_SECONDS)
                try:
                    return registry.promote(version, seen, PROMOTION, NOW)
                except ChampionMoved:
                    return None

            won = [champion for champion in threads.map(promote, versions) if champion]
            pointer = registry.champion()
            assert pointer is not None
            assert won == [pointer.champion]
            winners += won

    assert entered(bucket) == winners


def test_versions_are_listed_the_newest_first(registry: Registry, candidate: Candidate) -> None:
    ages = [3, 1, 4, 2, 0]
    published = {
        age: registry.publish(
            {MODEL: f"a model {age} days old".encode()},
            {},
            candidate.verdict,
            "one",
            NOW - timedelta(days=age),
        )
        for age in ages
    }

    assert list(registry.versions()) == [published[age] for age in sorted(ages)]


def test_a_version_is_verified_file_by_file(
    registry: Registry, bucket: Boto3Bucket, candidate: Candidate
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


class Annex(Frozen):
    says: str


def test_an_annex_is_written_once_and_the_first_one_stays(
    registry: Registry, bucket: Boto3Bucket, candidate: Candidate
) -> None:
    version = publish(registry, candidate)

    first = registry.annotate(version.version, "annex.json", Annex(says="one"))
    second = registry.annotate(version.version, "annex.json", Annex(says="two"))

    assert first == second
    assert first.sha256 == sha256(bucket.get(first.key).body)
    assert registry.annex(version.version, "annex.json", Annex) == Annex(says="one")
    assert registry.verified(version.version) == version


def test_a_version_without_an_annex_has_none(registry: Registry, candidate: Candidate) -> None:
    assert registry.annex(publish(registry, candidate).version, "annex.json", Annex) is None


def test_what_nobody_published_gets_no_annex(registry: Registry, bucket: Boto3Bucket) -> None:
    with pytest.raises(VersionUnknown, match="v-00000000"):
        registry.annotate("v-00000000", "annex.json", Annex(says="one"))

    assert bucket.keys("models/", "") == []


@pytest.mark.parametrize(("before", "after"), [(b"one", b"two"), (b"{", b"["), (b"says", b"said")])
def test_an_annex_that_was_altered_is_refused(
    registry: Registry, bucket: Boto3Bucket, candidate: Candidate, before: bytes, after: bytes
) -> None:
    name = publish(registry, candidate).version
    annex = registry.annotate(name, "annex.json", Annex(says="one"))
    bucket.put(annex.key, bucket.get(annex.key).body.replace(before, after))

    with pytest.raises(ArtefactCorrupted, match=annex.key):
        registry.annex(name, "annex.json", Annex)


def test_an_annex_that_is_revised_is_made_of_what_was_there(registry: Registry) -> None:
    for word in ("one", "two"):
        add(registry, word)

    assert registry.annex("v-1", "annex.json", Annex) == Annex(says="one two")


@pytest.mark.parametrize("before", [(), ("before",)])
def test_a_revision_that_another_came_before_is_made_anew(
    registry: Registry, before: tuple[str, ...]
) -> None:
    for word in before:
        add(registry, word)
    others = iter(["theirs"])

    def ours(there: Annex | None) -> Annex:
        for word in others:
            add(registry, word)
        return adding(there, "ours")

    made = registry.revise("v-1", "annex.json", Annex, ours)

    assert made == Annex(says=" ".join([*before, "theirs", "ours"]))
    assert registry.annex("v-1", "annex.json", Annex) == made


def test_a_revision_that_others_always_come_before_is_given_up(
    registry: Registry, bucket: Boto3Bucket
) -> None:
    def overtaken(there: Annex | None) -> Annex:
        made = adding(there, "theirs")
        bucket.put("models/v-1/annex.json", sealed_json(made))
        return made

    with pytest.raises(PreconditionFailed):
        registry.revise("v-1", "annex.json", Annex, overtaken)


def add(registry: Registry, word: str) -> None:
    registry.revise("v-1", "annex.json", Annex, lambda there: adding(there, word))


def adding(there: Annex | None, word: str) -> Annex:
    return Annex(says=f"{there.says} {word}" if there else word)


def test_a_pointer_of_other_code_says_what_to_do(registry: Registry, bucket: Boto3Bucket) -> None:
    bucket.put(CHAMPION_KEY, b'{"version": "v-00000000"}')

    with pytest.raises(ArtefactCorrupted, match="restore an earlier version"):
        registry.champion()


def test_a_manifest_of_other_code_is_said_so(
    registry: Registry, bucket: Boto3Bucket, candidate: Candidate
) -> None:
    name = publish(registry, candidate).version
    bucket.put(f"models/{name}/manifest.json", b"{}")

    with pytest.raises(ArtefactCorrupted, match="is not a manifest in this release's format"):
        registry.verified(name)


def test_after_the_pointer_was_deleted_the_ledger_is_numbered_on(
    registry: Registry,
    bucket: Boto3Bucket,
    candidate: Candidate,
    challenger: Candidate,
    promote: Callable[[Candidate], Champion],
) -> None:
    promotions = [promote(candidate), promote(challenger)]
    bucket.client.delete_object(Bucket=bucket.name, Key=CHAMPION_KEY)

    promotions.append(promote(candidate))

    assert [one.sequence for one in promotions] == [1, 2, 3]
    assert entered(bucket) == promotions


def test_after_the_pointer_was_restored_by_hand_no_promotion_is_lost(
    registry: Registry,
    bucket: Boto3Bucket,
    candidate: Candidate,
    challenger: Candidate,
    promote: Callable[[Candidate], Champion],
) -> None:
    promotions = [promote(candidate)]
    older = bucket.get(CHAMPION_KEY).body
    promotions.append(promote(challenger))
    bucket.put(CHAMPION_KEY, older)

    promotions.append(promote(challenger))

    assert entered(bucket) == promotions


def test_a_lost_answer_is_no_lost_race(
    registry: Registry, bucket: Boto3Bucket, candidate: Candidate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S3 writes, its answer is lost, and botocore asks again: that is refused."""
    version = publish(registry, candidate)
    put = bucket.client.put_object

    def twice(**request: Any) -> object:
        put(**request)
        return put(**request)

    monkeypatch.setattr(bucket.client, "put_object", twice)

    champion = registry.promote(version, None, PROMOTION, NOW)

    assert entered(bucket) == [champion]


def test_of_bits_flipped_in_pointer_or_manifest_none_alters_what_is_read(
    store: ObstoreBucket,
    bucket: Boto3Bucket,
    candidate: Candidate,
    promote: Callable[[Candidate], Champion],
) -> None:
    champion = promote(candidate)
    mirror(bucket, store)  # where 800 writes take no time
    registry = Registry(store)
    version = registry.version(champion.version)
    random = Random(1)  # noqa: S311 - any bits will do
    reads: dict[str, Callable[[], Version | None]] = {
        CHAMPION_KEY: lambda: served(registry),
        f"models/{champion.version}/manifest.json": lambda: registry.version(champion.version),
    }
    for key, read in reads.items():
        whole = store.get(key).body
        refused = 0
        for _ in range(400):
            flipped = bytearray(whole)
            flipped[random.randrange(len(whole))] ^= 1 << random.randrange(8)
            store.put(key, bytes(flipped))
            try:
                found = read()
            except ArtefactCorrupted:
                refused += 1
            else:
                assert found in (champion, version)  # a blank became another blank
        assert refused > 300
        store.put(key, whole)


def served(registry: Registry) -> Champion:
    pointer = registry.champion()
    assert pointer is not None
    return pointer.champion
