import gzip
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from clinical.artefacts import read_verified, sha256, unsealed_json
from clinical.boto3_bucket import Boto3Bucket
from clinical.captured import Captured
from clinical.captures import REQUESTS, Captures, Entry
from clinical.errors import ArtefactCorrupted
from clinical.monitored import MONITORING, Monitored, Monitoring
from clinical.registry import Champion, Registry
from monitor.reporting import revised
from monitor.stages import report as stage_of_report
from monitor.stages.report import report
from monitor.state import Reported

from tests.monitored import LAST, MIDNIGHT, MOVED, nothing, troubled
from tests.pipeline import ran
from tests.unit.pipeline.monitor.conftest import Inputs

type Found = Callable[..., Inputs]

DAY = timedelta(days=1)


def captured(version: str, number: int, source: Any = "predict") -> Captured:
    return Captured(
        prediction_id=f"{number:032x}",
        predicted_at=MIDNIGHT - timedelta(hours=number + 1),
        source=source,
        model_version=version,
        features={},
        score=6.0,
        low=4.0,
        high=8.0,
        coverage=0.9,
    )


@pytest.fixture(autouse=True)
def _captures(bucket: Boto3Bucket, champion: Champion) -> None:
    """What was predicted by this version, twice, and by another; a comparison is no request."""
    made = [captured(champion.version, n) for n in range(2)]
    made += [captured("v-00000000", 3), captured(champion.version, 4, "compare")]
    body = gzip.compress("".join(f"{one.line()}\n" for one in made).encode())
    key = f"captures/{LAST}/requests-0.jsonl.gz"
    bucket.put(key, body)
    Captures(bucket).enter(
        LAST, {REQUESTS: Entry(key=key, sha256=sha256(body), predictions=len(made))}
    )


def reported(inputs: Inputs, execution: str = "one") -> Reported:
    return Reported.model_validate(ran(report, execution, inputs))


def life(registry: Registry, champion: Champion) -> Monitoring:
    found = registry.annex(champion.version, MONITORING, Monitoring)
    assert found is not None
    return found


def test_a_run_is_written_down_for_its_day_its_version_and_people(
    bucket: Boto3Bucket, registry: Registry, champion: Champion, found: Found
) -> None:
    came_to = reported(found())

    assert came_to.report.key == "monitor/2026-11-25.json"
    body = read_verified(bucket, came_to.report)
    run = Monitored.model_validate(unsealed_json(came_to.report.key, body))
    assert run == troubled().model_copy(update={"model_version": champion.version})
    assert life(registry, champion).last == run
    assert life(registry, champion).requests == 2
    assert came_to.card.key == f"models/{champion.version}/card.md"
    text = read_verified(bucket, came_to.card).decode()
    published = read_verified(bucket, champion.files["card.md"]).decode()
    assert text.startswith(published.rstrip())
    assert MOVED in text.split("## Monitoring")[1]


def test_a_day_that_runs_again_is_told_anew(
    bucket: Boto3Bucket, registry: Registry, champion: Champion, found: Found
) -> None:
    first = reported(found(nothing()))
    again = reported(found(troubled("two")), "two")

    assert again.report.key == first.report.key
    assert again.report.sha256 != first.report.sha256
    assert [one.requests for one in life(registry, champion).points] == [1412]
    card = read_verified(bucket, again.card).decode()
    assert card.count("## Monitoring") == 1
    assert nothing().drift.says not in card


def test_an_older_day_is_told_beside_the_newer_one(
    bucket: Boto3Bucket, registry: Registry, champion: Champion, found: Found
) -> None:
    newer = reported(found())
    older = reported(found(nothing("two", LAST - DAY), LAST - DAY), "two")

    assert older.report.key == "monitor/2026-11-24.json"
    assert read_verified(bucket, newer.report)
    assert [one.date for one in life(registry, champion).points] == [LAST - DAY, LAST]
    assert life(registry, champion).last.execution == "one"
    assert MOVED in read_verified(bucket, older.card).decode()


def test_what_became_of_another_version_stays_as_it_is(
    bucket: Boto3Bucket, registry: Registry, found: Found
) -> None:
    other = "models/v-00000000/monitoring.json"
    bucket.put(other, b"theirs")

    reported(found())

    assert bucket.get(other).body == b"theirs"


def test_runs_beside_each_other_lose_no_point(
    registry: Registry, champion: Champion, found: Found, monkeypatch: pytest.MonkeyPatch
) -> None:
    reported(found())
    inputs = found(nothing("two", LAST - DAY), LAST - DAY)
    beside = found(nothing("three", LAST - 2 * DAY), LAST - 2 * DAY)
    others = iter([beside])

    def revised_late(*given: Any) -> Monitoring:
        for other in others:
            reported(other, "three")
        return revised(*given)

    monkeypatch.setattr(stage_of_report, "revised", revised_late)
    reported(inputs, "two")

    dates = [one.date for one in life(registry, champion).points]
    assert dates == [LAST - 2 * DAY, LAST - DAY, LAST]


def test_an_annex_that_was_altered_is_refused_and_stays_for_somebody_to_look_at(
    bucket: Boto3Bucket, champion: Champion, found: Found
) -> None:
    reported(found())
    key = f"models/{champion.version}/monitoring.json"
    altered = bucket.get(key).body.replace(b"1412", b"1413")
    bucket.put(key, altered)

    with pytest.raises(ArtefactCorrupted, match="altered"):
        reported(found())

    assert bucket.get(key).body == altered


def test_findings_with_other_bytes_are_refused(bucket: Boto3Bucket, found: Found) -> None:
    inputs = found()
    bucket.put(inputs["drifted"]["drift"]["key"], b"{}")

    with pytest.raises(ArtefactCorrupted):
        reported(inputs)
