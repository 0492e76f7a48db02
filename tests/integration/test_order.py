"""Events come at once, twice, late and out of order, and people change their minds."""

import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from clinical.upload import Upload

from local import executions
from tests.integration.conftest import Laptop
from tests.patience import until

pytestmark = pytest.mark.usefixtures("few_trees")

TOLD = {"status": "FAILED", "error": "InputInvalid"}


@pytest.fixture(scope="module")
def parts(sample: Path) -> list[bytes]:
    """Data sets that differ in a row or two, which no other test uploads."""
    header, *rows = sample.read_bytes().splitlines(keepends=True)
    return [b"".join([header, *rows[number:]]) for number in range(1, 7)]


def put(laptop: Laptop, key: str, body: bytes) -> str:
    written = laptop.stack.s3.put_object(Bucket=laptop.stack.outputs.raw_bucket, Key=key, Body=body)
    return written["VersionId"]


def inputs(laptop: Laptop, known: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The input of every execution there is, by its ARN.

    known: those that need not be asked for again.
    """
    states, known = laptop.stack.stepfunctions, known or {}
    return {
        arn: known[arn]
        if arn in known
        else json.loads(states.describe_execution(executionArn=arn)["input"])
        for arn in executions._executions(laptop.stack)
    }


def started_by(laptop: Laptop, version_ids: Iterable[str]) -> dict[str, str]:
    """Wait until each upload has started an execution, and give its ARN by version."""
    wanted = set(version_ids)
    known: dict[str, Any] = {}

    def found() -> dict[str, str] | None:
        known.update(inputs(laptop, known))
        arns = {
            given["raw"]["version_id"]: arn
            for arn, given in known.items()
            if isinstance(given, dict) and "event" in given
        }
        return arns if wanted <= set(arns) else None

    arns = until(found, "an execution for every upload")
    return {version: arns[version] for version in wanted}


def decision(ended: dict[str, Any]) -> str:
    assert ended["status"] == "SUCCEEDED", ended
    decided: str = json.loads(ended["output"])["decision"]
    return decided


def stages_of(laptop: Laptop, ended: dict[str, Any]) -> set[str]:
    return set(laptop.artefact(f"runs/{ended['name']}/lineage.json")["stages"])


def served_upload(laptop: Laptop) -> Upload:
    return Upload.model_validate(laptop.artefact("models/champion.json")["upload"])


def test_of_uploads_at_once_the_newest_serves(laptop: Laptop, parts: list[bytes]) -> None:
    versions = [
        put(laptop, key, body)
        for key, body in zip(
            ("raw/one.csv", "raw/two.csv", "raw/one.csv", "raw/two.csv"), parts, strict=False
        )
    ]

    with ThreadPoolExecutor() as threads:
        ended = list(threads.map(laptop.ended, started_by(laptop, versions).values()))

    assert {decision(one) for one in ended} <= {"promoted", "superseded"}
    assert served_upload(laptop).version_id == versions[-1]


def test_an_event_that_comes_twice_computes_nothing(laptop: Laptop, parts: list[bytes]) -> None:
    version = put(laptop, "raw/january.csv", parts[4])
    arn = started_by(laptop, [version])[version]
    first = laptop.ended(arn)
    before = laptop.artefact("models/champion.json")

    again = laptop.ended(executions.start(laptop.stack, json.loads(first["input"])))

    assert decision(first) == "promoted"
    assert decision(again) == "already_handled"
    assert first["name"] in json.loads(again["output"])["reason"]
    assert stages_of(laptop, again) == {"admit"}
    assert laptop.artefact("models/champion.json") == before


def test_what_is_older_than_the_champions_data_serves_only_where_somebody_says_so(
    laptop: Laptop, parts: list[bytes]
) -> None:
    older = put(laptop, "raw/older.csv", parts[3])
    laptop.ended(started_by(laptop, [older])[older])
    newer = put(laptop, "raw/newer.csv", parts[5])
    assert decision(laptop.ended(started_by(laptop, [newer])[newer])) == "promoted"
    raw = {"raw": {"key": "raw/older.csv", "version_id": older}}

    by_itself = laptop.ended(executions.start(laptop.stack, raw))
    knowingly = laptop.ended(executions.start(laptop.stack, {**raw, "even_if_older": True}))

    assert decision(by_itself) == "superseded"
    assert stages_of(laptop, by_itself) == {"admit"}
    assert decision(knowingly) == "promoted"
    assert served_upload(laptop).version_id == older


def test_a_version_that_was_taken_back_stays_away_until_it_is_named(
    laptop: Laptop, parts: list[bytes]
) -> None:
    newest = put(laptop, "raw/newest.csv", b"".join(parts[2:3]))
    laptop.ended(started_by(laptop, [newest])[newest])
    taken_back = laptop.artefact("models/champion.json")["version"]
    assert laptop.run("rollback", REASON="It was better on Tuesday.").returncode == 0
    before = laptop.artefact("models/champion.json")["version"]

    done = laptop.run("retrain")

    assert done.returncode == 0, done.stdout
    assert "It was better on Tuesday." in done.stdout
    assert laptop.artefact("models/champion.json")["version"] == before != taken_back
    by_name = laptop.ended(executions.start(laptop.stack, {"promote": taken_back}))
    assert decision(by_name) == "promoted"


@pytest.mark.parametrize(
    "given",
    [
        [],
        [{"tune": True}],
        [{}],
        "{}",
        "",
        0,
        True,
        None,
        {"tune": 0},
        {"tune": None},
        {"tune": "nowhere"},
        {"raw": "raw/sample.csv"},
        {"raw": {"key": "raw/nothing.csv"}},
        {"raw": {"key": "raw/sample.csv", "version_id": "no version"}},
        {"raw": {"key": "raw/" + "x" * 214}},
        {"raw": [{"key": "raw/sample.csv"}]},
        {"promote": None},
        {"promote": "v-bc7efea3", "reason": ""},
        {"promote": "v-bc7efea3", "reason": "x" * 2001},
        {"promot": "v-bc7efea3"},
    ],
)
def test_what_cannot_be_asked_for_ends_by_name_before_anything_is_done(
    laptop: Laptop, given: Any
) -> None:
    arn = laptop.stack.stepfunctions.start_execution(
        stateMachineArn=laptop.stack.outputs.state_machine_arn, input=json.dumps(given)
    )["executionArn"]

    ended = laptop.ended(arn)

    assert {name: ended[name] for name in TOLD} == TOLD
    assert "Valid inputs are {}" in ended["cause"] or "raw refers to an upload" in ended["cause"]
    assert stages_of(laptop, ended) == {"admit"}


def test_whatever_is_uploaded_starts_a_run_that_ends_by_name_but_a_folder_does_not(
    laptop: Laptop, sample: Path
) -> None:
    uploads = {
        "raw/Empty.CSV": (b"", "DatasetUnreadable"),
        "raw/book.xlsx": (b"PK\x03\x04 and so on", "DatasetUnreadable"),
        "raw/data.csv.gz": (b"\x1f\x8b\x08 and so on", "DatasetUnreadable"),
        "raw/no ending, but an ü": (b"a,b\n1,2\n", None),
    }
    put(laptop, "raw/2026/", b"")
    put(laptop, "elsewhere/data.csv", b"x")
    versions = {put(laptop, key, body): error for key, (body, error) in uploads.items()}

    arns = started_by(laptop, versions)

    for version, error in versions.items():
        ended = laptop.ended(arns[version])
        assert ended["status"] == "FAILED", ended
        assert error in {None, ended["error"]}, ended
    assert laptop.newest_upload_waits()  # the newest upload was not trained on
    last = laptop.retrain_on(sample)  # by when the others' events would have come, too
    assert last["status"] == "SUCCEEDED"
    assert not laptop.newest_upload_waits()
    given = [one for one in inputs(laptop).values() if isinstance(one, dict)]
    keys = {one["raw"]["key"] for one in given if "event" in one}
    assert set(uploads) <= keys
    assert not keys & {"raw/2026/", "elsewhere/data.csv"}
