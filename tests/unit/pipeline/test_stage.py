import importlib.metadata
import json
import re
from collections.abc import Callable
from typing import Any

import cache
import pytest
import stage
from clinical.artefacts import sha256
from clinical.boto3_bucket import Boto3Bucket
from clinical.errors import DatasetRejected
from clinical.params import params
from lineage import Entry, Lineage
from retrain import card as retrain_card
from retrain.stages.validate import validate

from tests.unit.conftest import NOW, emf_lines, fact_lines, smaller
from tests.unit.pipeline.conftest import Retrained

pytestmark = pytest.mark.usefixtures("few_trees")

type Retrain = Callable[[str], dict[str, Any]]
type Upload = Callable[[bytes], str]


def lineage(bucket: Boto3Bucket, execution: str) -> dict[str, Any]:
    return json.loads(bucket.get(f"runs/{execution}/lineage.json").body)  # type: ignore[no-any-return]


def test_a_second_run_on_the_same_data_is_answered_from_the_cache(
    bucket: Boto3Bucket, upload: Upload, retrain: Retrain, retrained: Retrained, sample_bytes: bytes
) -> None:
    first = retrained(sample_bytes)
    upload(sample_bytes)  # again: another version of the same bytes

    second = retrain("two")

    assert first["promoted"]["decision"] == "promoted"
    assert second["promoted"]["decision"] == "already_champion"
    assert second["nominated"]["version"] == first["nominated"]["version"]
    for name, artefact in second["trained"].items():
        if isinstance(artefact, dict) and "key" in artefact:  # the run is whole by itself
            assert artefact["key"].startswith("runs/two/train/")
            assert artefact["sha256"] == first["trained"][name]["sha256"]
            assert sha256(bucket.get(artefact["key"]).body) == artefact["sha256"]
    computed = {
        name: record["from_cache_of"] for name, record in lineage(bucket, "two")["stages"].items()
    }
    assert computed == {
        "admit": None,
        "ingest": None,
        "validate": "one",
        "extract_combinations": "one",
        "preprocess": "one",
        "train": "one",
        "evaluate": None,
        "replay": None,
        "publish": None,
        "promote": None,
    }


def test_a_new_release_of_the_same_code_computes_nothing_and_publishes_nothing(
    bucket: Boto3Bucket,
    upload: Upload,
    retrain: Retrain,
    retrained: Retrained,
    sample_bytes: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = retrained(sample_bytes)
    upload(sample_bytes)
    models = bucket.keys("models/v-", "")
    monkeypatch.setattr(retrain_card, "release", lambda: "99.0.0")

    second = retrain("two")

    assert second["nominated"]["version"] == first["nominated"]["version"]
    assert bucket.keys("models/v-", "") == models
    assert lineage(bucket, "two")["stages"]["train"]["from_cache_of"] == "one"


def test_other_data_is_computed_anew(
    upload: Upload, retrain: Retrain, retrained: Retrained, sample_bytes: bytes
) -> None:
    first = retrained(sample_bytes)
    upload(b"".join(sample_bytes.splitlines(keepends=True)[:-1]))

    second = retrain("two")

    assert second["promoted"]["decision"] == "promoted"
    assert second["promoted"]["previous"] == first["promoted"]["version"]


def test_other_code_is_computed_anew(
    bucket: Boto3Bucket,
    retrain: Retrain,
    retrained: Retrained,
    sample_bytes: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    retrained(sample_bytes)
    monkeypatch.setattr(cache, "code_digest", lambda source: f"changed {source}")

    retrain("two")

    stages = lineage(bucket, "two")["stages"]
    assert all(record["from_cache_of"] is None for record in stages.values())


def test_every_library_is_part_of_the_code_with_its_version() -> None:
    named = {folder.removesuffix(".dist-info").rpartition("-") for folder in cache.libraries()}
    found = {(normal(name), version) for name, _, version in named}

    for one in importlib.metadata.distributions():
        assert (normal(one.name), one.version) in found


def normal(name: str) -> str:
    """Write a distribution's name as they are compared: in its folder's name, - and . are _."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_other_parameters_are_computed_anew(
    bucket: Boto3Bucket,
    retrain: Retrain,
    retrained: Retrained,
    sample_bytes: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    retrained(sample_bytes)
    other = smaller(params(), trees=5).model_copy(update={"seed": 7})
    monkeypatch.setattr(stage, "params", lambda: other)

    second = retrain("two")

    assert lineage(bucket, "two")["stages"]["train"]["from_cache_of"] is None
    assert second["promoted"]["decision"] == "promoted"


def test_an_answer_whose_files_are_gone_is_computed_anew(
    bucket: Boto3Bucket, retrain: Retrain, retrained: Retrained, sample_bytes: bytes
) -> None:
    first = retrained(sample_bytes)
    gone = first["trained"]["onnx"]["key"]
    bucket.client.delete_object(Bucket=bucket.name, Key=gone)

    retrain("two")

    assert lineage(bucket, "two")["stages"]["train"]["from_cache_of"] is None


@pytest.mark.parametrize(
    "altered", [lambda body: body.replace(b'"average": ', b'"average": 1'), lambda _: b"{}"]
)
def test_an_answer_that_was_altered_is_refused_told_and_computed_anew(
    bucket: Boto3Bucket,
    retrain: Retrain,
    retrained: Retrained,
    sample_bytes: bytes,
    capsys: pytest.CaptureFixture[str],
    altered: Callable[[bytes], bytes],
) -> None:
    first = retrained(sample_bytes)
    (key,) = bucket.keys("cache/train/", "")
    bucket.put(key, altered(bucket.get(key).body))
    capsys.readouterr()

    second = retrain("two")

    assert second["trained"]["average"] == first["trained"]["average"]
    assert lineage(bucket, "two")["stages"]["train"]["from_cache_of"] is None
    assert any("ArtefactsRefused" in line for line in emf_lines(capsys.readouterr().out))


def test_the_lineage_records_every_digest(
    bucket: Boto3Bucket, upload: Upload, retrain: Retrain, sample_bytes: bytes
) -> None:
    version = upload(sample_bytes)
    came_to = retrain("one")

    recorded = lineage(bucket, "one")

    assert recorded["execution"] == "one"
    assert recorded["params_sha256"] == smaller(params(), trees=5).pipeline_digest
    ingested = recorded["stages"]["ingest"]["output"]
    assert ingested["source"] == {"key": "raw/data.csv", "version_id": version}
    for name, record in recorded["stages"].items():
        assert len(record["fingerprint"]) == 64, name
    assert recorded["stages"]["train"]["output"] == came_to["trained"]
    assert recorded["stages"]["train"]["inputs"]["preprocessed"] == came_to["preprocessed"]


def test_entries_of_parallel_stages_are_both_kept(
    bucket: Boto3Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = Entry(fingerprint="", started_at=NOW, inputs={})
    ours, others = Lineage(bucket, "one"), Lineage(bucket, "one")
    ours.enter("first", entry, "")
    read = bucket.get

    def overtaken(key: str) -> Any:
        """Let another branch write between this one's read and write, once."""
        monkeypatch.setattr(bucket, "get", read)
        stored = read(key)
        others.enter("other", entry, "")
        return stored

    monkeypatch.setattr(bucket, "get", overtaken)
    ours.enter("late", entry, "")

    assert set(lineage(bucket, "one")["stages"]) == {"first", "other", "late"}


def test_a_failure_is_traced_counted_and_raised(
    bucket: Boto3Bucket, upload: Upload, retrain: Retrain, capsys: pytest.CaptureFixture[str]
) -> None:
    upload(b"Patient_ID,Age\nP0001,17\n")

    with pytest.raises(DatasetRejected):
        retrain("one")

    assert lineage(bucket, "one")["stages"]["validate"]["error"] == "DatasetRejected"
    (failed,) = [line for line in fact_lines(capsys.readouterr().out) if "error" in line]
    assert (failed["stage"], failed["error"]) == ("validate", "DatasetRejected")


def test_the_pure_function_stays_reachable() -> None:
    assert validate.__wrapped__.__name__ == "validate"  # type: ignore[attr-defined]
    assert validate.__name__ == "validate"


def test_a_stage_leaves_one_line_and_the_last_one_says_the_verdict(
    retrain: Retrain, retrained: Retrained, sample_bytes: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    retrained(sample_bytes)
    capsys.readouterr()

    retrain("two")

    lines = fact_lines(capsys.readouterr().out)
    assert [line.get("verdict") for line in lines] == [*[None] * 9, "already_champion"]
    assert all(line["duration_ms"] > 0 for line in lines)
    assert {line["execution"] for line in lines} == {"two"}
    assert [line["stage"] for line in lines] == [
        "admit",
        "ingest",
        "validate",
        "extract_combinations",
        "preprocess",
        "train",
        "evaluate",
        "replay",
        "publish",
        "promote",
    ]
    assert [line["stage"] for line in lines if line.get("cached")] == [
        "validate",
        "extract_combinations",
        "preprocess",
        "train",
    ]
