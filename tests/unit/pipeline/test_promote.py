from collections.abc import Callable
from typing import Any

import pytest
from clinical.errors import ChampionMoved
from clinical.registry import Registry

pytestmark = pytest.mark.usefixtures("few_trees")

type Retrain = Callable[[str], dict[str, Any]]
type Upload = Callable[[bytes], str]


def test_the_published_version_has_all_that_made_it(
    registry: Registry, upload: Upload, retrain: Retrain, sample_bytes: bytes
) -> None:
    upload(sample_bytes)

    came_to = retrain("one")

    version = registry.version(came_to["promoted"]["version"])
    assert version is not None
    assert set(version.files) == {
        "model.onnx",
        "model.joblib",
        "valid_combinations.json",
        "evaluation.json",
    }
    assert version.model.sha256 == came_to["trained"]["onnx"]["sha256"]
    assert version.execution == "one"
    assert registry.bucket.exists(version.lineage.key)


def test_a_crash_between_publishing_and_promoting_changes_nothing_that_serves(
    registry: Registry,
    upload: Upload,
    retrain: Retrain,
    sample_bytes: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    upload(sample_bytes)
    served = retrain("one")["promoted"]["version"]
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
    sample_bytes: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = sample_bytes.splitlines(keepends=True)
    upload(sample_bytes)
    retrain("one")
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
