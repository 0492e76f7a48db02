from collections.abc import Callable
from dataclasses import replace

import pytest
import snapshot_restore_py
from clinical.champion import UNLOADED_RETRY_SECONDS, ChampionFollower
from clinical.errors import ModelUnavailable, StorageUnavailable
from clinical.obstore_bucket import ObstoreBucket
from clinical.params import params
from clinical.registry import CHAMPION_KEY, MODEL, REFERENCE, Champion, Registry
from model.loader import Model, load

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
    monkeypatch.setattr(bucket, "_store", None)

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
