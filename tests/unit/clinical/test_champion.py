import contextlib
from collections.abc import Callable
from dataclasses import replace
from typing import NoReturn, Self

import pytest
import snapshot_restore_py
from clinical.champion import UNLOADED_RETRY_SECONDS, ChampionFollower
from clinical.errors import (
    ArtefactCorrupted,
    ArtefactMissing,
    ModelUnavailable,
    StorageDenied,
    StorageUnavailable,
)
from clinical.obstore_bucket import ObstoreBucket
from clinical.params import params
from clinical.registry import CHAMPION_KEY, MODEL, REFERENCE, Champion, Registry
from model.loader import Model, load

from tests.patience import PATIENCE_SECONDS
from tests.unit.conftest import Candidate, emf_lines

REFRESH = params().serving.refresh_seconds


class Clock:
    """Seconds that only a test lets pass."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def bucket(store: ObstoreBucket) -> ObstoreBucket:
    """Models are published to where they serve from."""
    return store


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def follower(bucket: ObstoreBucket, clock: Clock) -> ChampionFollower[Model]:
    return ChampionFollower(lambda: bucket, load, clock)


type Promote = Callable[[Candidate], Champion]


def test_nothing_is_served_while_no_champion_is_there(follower: ChampionFollower[Model]) -> None:
    with pytest.raises(ModelUnavailable, match="start the retrain state machine"):
        follower.current()


def test_a_first_champion_is_noticed_soon(
    follower: ChampionFollower[Model], clock: Clock, candidate: Candidate, promote: Promote
) -> None:
    with pytest.raises(ModelUnavailable):
        follower.current()
    champion = promote(candidate)

    clock.now += UNLOADED_RETRY_SECONDS

    assert follower.current().version == champion.version


def test_a_newer_champion_is_served_within_the_refresh_time_and_not_before(
    follower: ChampionFollower[Model],
    clock: Clock,
    candidate: Candidate,
    challenger: Candidate,
    promote: Promote,
) -> None:
    first = promote(candidate)
    assert follower.current().version == first.version
    second = promote(challenger)

    clock.now += REFRESH - 0.1
    assert follower.current().version == first.version
    clock.now += 0.1
    assert follower.current().version == second.version


def test_a_function_restored_from_a_snapshot_looks_again_before_its_first_request(
    follower: ChampionFollower[Model],
    candidate: Candidate,
    challenger: Candidate,
    promote: Promote,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "predict")
    monkeypatch.setattr(snapshot_restore_py, "_after_restore_registry", [])
    promote(candidate)
    follower.warm()
    newer = promote(challenger)  # after the snapshot; the clock stands still in it

    for hook, arguments, named in snapshot_restore_py.get_after_restore():
        hook(*arguments, **named)

    assert follower.current().version == newer.version


def test_a_start_without_a_champion_is_no_failure(
    follower: ChampionFollower[Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "predict")

    follower.warm()

    with pytest.raises(ModelUnavailable):
        follower.current()


def test_the_warm_path_asks_s3_nothing(
    follower: ChampionFollower[Model],
    bucket: ObstoreBucket,
    monkeypatch: pytest.MonkeyPatch,
    candidate: Candidate,
    promote: Promote,
) -> None:
    promote(candidate)
    follower.current()
    monkeypatch.setattr(bucket, "store", None)

    follower.current()


def test_a_refresh_that_fails_keeps_the_loaded_model_and_says_so(
    follower: ChampionFollower[Model],
    clock: Clock,
    candidate: Candidate,
    promote: Promote,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    champion = promote(candidate)
    follower.current()

    def down(*_: object) -> None:
        raise StorageUnavailable("S3 answered 503")

    monkeypatch.setattr(Registry, "champion_after", down)
    clock.now += REFRESH

    assert follower.current().version == champion.version
    printed = capsys.readouterr().out
    assert "StorageUnavailable" in printed
    assert any("ChampionRefreshFailures" in line for line in emf_lines(printed))


def test_a_corrupted_model_is_refused_and_the_loaded_one_keeps_serving(
    follower: ChampionFollower[Model],
    bucket: ObstoreBucket,
    clock: Clock,
    candidate: Candidate,
    challenger: Candidate,
    promote: Promote,
    capsys: pytest.CaptureFixture[str],
) -> None:
    first = promote(candidate)
    follower.current()
    second = promote(challenger)
    bucket.put(second.model.key, b"not the model")

    clock.now += REFRESH

    assert follower.current().version == first.version
    assert any("ArtefactsRefused" in line for line in emf_lines(capsys.readouterr().out))


def test_a_champion_with_another_reference_than_it_was_made_with_is_refused(
    follower: ChampionFollower[Model],
    registry: Registry,
    candidate: Candidate,
    promote: Promote,
) -> None:
    other = candidate.files[REFERENCE].replace(b'"coverage": 0.9', b'"coverage": 0.8')
    assert other != candidate.files[REFERENCE]
    promote(replace(candidate, files={**candidate.files, REFERENCE: other}))

    with pytest.raises(ModelUnavailable):
        follower.current()


def test_a_pointer_that_is_none_keeps_the_loaded_model(
    follower: ChampionFollower[Model],
    bucket: ObstoreBucket,
    clock: Clock,
    candidate: Candidate,
    promote: Promote,
) -> None:
    champion = promote(candidate)
    follower.current()
    bucket.put(CHAMPION_KEY, b'{"version": "v-')

    clock.now += REFRESH

    assert follower.current().version == champion.version


def test_a_model_that_cannot_be_opened_keeps_the_loaded_one(
    follower: ChampionFollower[Model],
    clock: Clock,
    candidate: Candidate,
    promote: Promote,
) -> None:
    champion = promote(candidate)
    follower.current()
    no_graph = b"no graph, but published as one"
    promote(replace(candidate, files={**candidate.files, MODEL: no_graph}))

    clock.now += REFRESH

    assert follower.current().version == champion.version


CANARY = "P0001 of models/v-1/model.onnx"


@pytest.mark.parametrize(
    "error",
    [
        StorageUnavailable("S3 answered 503"),
        ArtefactMissing("nothing there"),
        KeyError(CANARY),
        ValueError(CANARY),
        AttributeError(CANARY),
        MemoryError(CANARY),
        RecursionError(CANARY),
        UnicodeDecodeError("utf-8", CANARY.encode(), 0, 1, CANARY),
        ExceptionGroup(CANARY, [ValueError(CANARY)]),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("where", ["champion_after", "load"])
def test_whatever_goes_wrong_in_a_refresh_costs_no_loaded_model(
    bucket: ObstoreBucket,
    clock: Clock,
    candidate: Candidate,
    challenger: Candidate,
    promote: Promote,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
    where: str,
) -> None:
    looks = 0
    broken = False

    def fail(*_: object) -> NoReturn:
        nonlocal looks
        looks += 1
        raise error

    def load_or_fail(bucket: ObstoreBucket, champion: Champion) -> Model:
        return fail() if broken else load(bucket, champion)

    follower = ChampionFollower(lambda: bucket, load_or_fail, clock)
    first = promote(candidate)
    assert follower.current().version == first.version
    second = promote(challenger)
    with monkeypatch.context() as patch:
        broken = where == "load"
        if where == "champion_after":
            patch.setattr(Registry, "champion_after", fail)
        capsys.readouterr()

        for look in (1, 2, 3):
            clock.now += REFRESH
            assert [follower.current().version for _ in range(5)] == [first.version] * 5
            assert looks == look

    printed = capsys.readouterr().out
    failures = [line for line in emf_lines(printed) if "ChampionRefreshFailures" in line]
    assert len(failures) == 3
    assert printed.count(f'"error":"{type(error).__name__}"') == 3
    assert CANARY not in printed
    broken = False
    clock.now += REFRESH
    assert follower.current().version == second.version


@pytest.mark.parametrize("ends", [StorageUnavailable("late"), None, KeyboardInterrupt()])
def test_the_next_look_is_timed_from_the_end_of_one(
    bucket: ObstoreBucket,
    clock: Clock,
    candidate: Candidate,
    promote: Promote,
    monkeypatch: pytest.MonkeyPatch,
    ends: BaseException | None,
) -> None:
    follower = ChampionFollower(lambda: bucket, load, clock)
    promote(candidate)
    follower.current()
    looks = 0

    def slow(*_: object) -> None:
        nonlocal looks
        looks += 1
        clock.now += 5 * REFRESH
        if ends:
            raise ends

    monkeypatch.setattr(Registry, "champion_after", slow)
    clock.now += REFRESH
    with contextlib.suppress(KeyboardInterrupt):
        follower.current()

    follower.current()
    clock.now += REFRESH - 0.1
    follower.current()
    assert looks == 1
    clock.now += 0.2
    with contextlib.suppress(KeyboardInterrupt):
        follower.current()
    assert looks == 2


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (StorageUnavailable("s3://artifacts/models"), "S3 is not responding"),
        (StorageDenied("s3://artifacts/models"), "S3 denies this function access to the champion"),
        (ArtefactCorrupted("s3://artifacts/models"), "The champion is corrupted in S3"),
        (ArtefactMissing("s3://artifacts/models"), "The champion is missing from S3"),
        (KeyError("s3://artifacts/models"), "The champion cannot be read because of an unexpec"),
    ],
)
def test_while_nothing_is_loaded_the_true_reason_is_told_without_names_in_s3(
    bucket: ObstoreBucket,
    clock: Clock,
    candidate: Candidate,
    promote: Promote,
    error: Exception,
    reason: str,
) -> None:
    def fail(*_: object) -> NoReturn:
        raise error

    promote(candidate)
    follower: ChampionFollower[Model] = ChampionFollower(lambda: bucket, fail, clock)

    with pytest.raises(ModelUnavailable, match=reason) as told:
        follower.current()

    assert "s3://" not in str(told.value)
    assert "retrain" not in str(told.value)
    assert told.value.retry_after_seconds == UNLOADED_RETRY_SECONDS


def test_a_first_load_has_longer_than_a_refresh(
    bucket: ObstoreBucket, clock: Clock, candidate: Candidate, promote: Promote
) -> None:
    given: list[float] = []

    class Noted(ObstoreBucket):
        def within(self, seconds: float) -> Self:
            given.append(seconds)
            return super().within(seconds)

    noted = Noted(bucket.store, bucket.name)
    follower = ChampionFollower(lambda: noted, load, clock)
    promote(candidate)

    follower.current()
    clock.now += REFRESH
    follower.current()

    assert given == [params().serving.load_timeout_seconds, PATIENCE_SECONDS]
