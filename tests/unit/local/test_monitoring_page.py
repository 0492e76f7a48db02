from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from clinical.artefacts import Stored, sealed_json
from clinical.boto3_bucket import Boto3Bucket
from clinical.monitored import MONITORING, Monitored, Monitoring, Retrained
from clinical.registry import Champion, Registry

from local.console.monitoring import LISTED, Reader, row_of
from tests.monitored import LAST, a_life, nothing, troubled
from tests.unit.conftest import Candidate

DAY = timedelta(days=1)


@pytest.fixture
def reader(cloud: Boto3Bucket) -> Reader:
    stack: Any = SimpleNamespace(
        s3=cloud.client, outputs=SimpleNamespace(artifacts_bucket=cloud.name)
    )
    return Reader(stack)


@pytest.fixture
def champion(candidate: Candidate, promote: Callable[[Candidate], Champion]) -> Champion:
    return promote(candidate)


def write(bucket: Boto3Bucket, run: Monitored) -> str:
    key = f"monitor/{run.window.date}.json"
    bucket.put(key, sealed_json(run))
    return key


def test_where_nothing_serves_and_nothing_ran_there_is_nothing(reader: Reader) -> None:
    told = reader.read()

    assert (told.version, told.monitoring, told.runs, told.unreadable) == (None, None, [], [])


def test_the_life_of_the_champion_is_read_as_the_last_run_wrote_it(
    reader: Reader, registry: Registry, champion: Champion
) -> None:
    before = reader.read().monitoring
    registry.revise(champion.version, MONITORING, Monitoring, lambda _: a_life())

    assert before is None
    assert reader.read().monitoring == a_life()
    assert reader.read().version == champion.version


def test_runs_are_listed_the_newest_first_and_not_for_ever(
    reader: Reader, cloud: Boto3Bucket
) -> None:
    for number in range(LISTED + 2):
        write(cloud, nothing("one", LAST - number * DAY))

    dates = [one["date"] for one in reader.read().runs]

    assert dates == [f"{LAST - number * DAY}" for number in range(LISTED)]


def test_a_day_that_ran_again_is_read_again_and_no_other(
    reader: Reader, cloud: Boto3Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(cloud, nothing("one", LAST - DAY))
    write(cloud, nothing("two"))
    reader.read()
    write(cloud, troubled("three"))
    got, get = list[str](), Boto3Bucket.get

    def noted(self: Boto3Bucket, key: str) -> Stored:
        got.append(key)
        return get(self, key)

    monkeypatch.setattr(Boto3Bucket, "get", noted)

    runs = reader.read().runs

    assert [one["run"] for one in runs] == ["three", "one"]
    assert [key for key in got if key.startswith("monitor/")] == [f"monitor/{LAST}.json"]


def test_what_is_not_as_it_was_written_is_said_and_the_rest_shown(
    reader: Reader, cloud: Boto3Bucket, registry: Registry, champion: Champion
) -> None:
    registry.revise(champion.version, MONITORING, Monitoring, lambda _: a_life())
    life = f"models/{champion.version}/monitoring.json"
    cloud.put(life, cloud.get(life).body.replace(b"2380", b"2381"))
    write(cloud, nothing("one", LAST - DAY))
    altered = write(cloud, troubled("two"))
    cloud.put(altered, cloud.get(altered).body.replace(b"1412", b"1413"))
    cloud.put("monitor/2026-01-01.json", b"{}")

    told = reader.read()

    assert told.monitoring is None
    assert [one["run"] for one in told.runs] == ["one"]
    assert told.unreadable == [
        f"{altered} was altered since it was written.",
        "monitor/2026-01-01.json is not a report that this release can read.",
        (
            f"{life} was altered since it was written; restore an earlier version of the object, "
            "or delete it."
        ),
    ]


def test_a_run_is_a_row() -> None:
    assert row_of(troubled("0a1b2c3d-4e5f")) == {
        "date": "2026-11-25",
        "version": "v-0a1b2c3d",
        "requests": "1,412",
        "p, drift": "< 0.0001",
        "outcomes": "140",
        "p, outcomes": "0.0006",
        "alarm": "drifted, degraded",
        "retraining": "",
        "run": "0a1b2c3d",
    }
    assert row_of(nothing())["p, drift"] == "too few rows"


def test_a_run_that_alarms_names_what_it_retrained_or_says_why_nothing() -> None:
    started = Retrained(execution="drift-2026-11-25", says="Retraining as drift-2026-11-25.")
    not_now = Retrained(says="Nothing is retrained.")

    assert row_of(troubled().model_copy(update={"retraining": started}))["retraining"] == (
        "drift-2026-11-25"
    )
    assert row_of(troubled().model_copy(update={"retraining": not_now}))["retraining"] == (
        "Nothing is retrained."
    )
    assert row_of(nothing().model_copy(update={"retraining": not_now}))["retraining"] == ""
