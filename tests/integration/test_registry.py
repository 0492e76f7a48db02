"""The registry's life on the deployed stack: promotions, rollbacks, and what interrupts them."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from clinical.artefacts import unsealed_json
from clinical.boto3_bucket import Boto3Bucket
from clinical.registry import MODEL, Champion, Promotion, Registry
from model.loader import LEDGER_ENTRIES

from local import executions
from tests.integration.conftest import ROOT, Laptop
from tests.patience import until

# The real promote stage, in a process of its own that halts where it is told to. What it imports is
# what a Lambda would: with scikit-learn it would take many times as long to start.
PROMOTER = """
import json, sys
from types import SimpleNamespace
from clinical.boto3_bucket import Boto3Bucket
from retrain.stages.promote import promote

method, key, nominated = sys.argv[1:]
carried_on = getattr(Boto3Bucket, method)

def halt(bucket, written, *rest):
    if written == key:
        print("halted", file=sys.stderr, flush=True)
        sys.stdin.readline()
    return carried_on(bucket, written, *rest)

setattr(Boto3Bucket, method, halt)
context = SimpleNamespace(
    aws_request_id="11111111-2222-3333-4444-555555555555",
    function_name="promote",
    memory_limit_in_mb=512,
    invoked_function_arn="arn:aws:lambda:us-east-1:000000000000:function:promote",
)
promote({"execution": "by-hand", "nominated": json.loads(nominated)}, context)
"""


def registry_of(laptop: Laptop) -> Registry:
    return Registry(Boto3Bucket(laptop.stack.s3, laptop.stack.outputs.artifacts_bucket))


def champion_of(laptop: Laptop) -> Champion:
    pointer = registry_of(laptop).champion()
    assert pointer is not None
    return pointer.champion


def ledger_of(laptop: Laptop) -> list[Champion]:
    """Every entry of the ledger as it lies in S3, the oldest first."""
    bucket = registry_of(laptop).bucket
    keys = bucket.keys("models/ledger/", ".json")
    return [Champion.model_validate(unsealed_json(key, bucket.get(key).body)) for key in keys]


def assert_consistent(laptop: Laptop) -> None:
    """One champion, whole, which is the last entry of a ledger without a gap."""
    champion, ledger = champion_of(laptop), ledger_of(laptop)

    registry_of(laptop).verified(champion.version)
    assert [entry.sequence for entry in ledger] == list(range(1, champion.sequence + 1))
    assert ledger[-1] == champion
    for before, after in pairwise(ledger):
        is_another = after.version != before.version  # else the same rows were uploaded again
        assert after.previous == (before.version if is_another else before.previous)


def promote_by_hand(laptop: Laptop, version: str, reason: str = "to see") -> dict[str, Any]:
    asked = {"promote": version, "reason": reason, "who": "the tests"}
    return laptop.ended(executions.start(laptop.stack, asked))


@contextmanager
def halted(laptop: Laptop, method: str, key: str, version: str) -> Iterator[subprocess.Popen[str]]:
    """A promotion under way, halted just before a write."""
    nominated = {"version": version, "who": "the tests", "why": "to be interrupted"}
    process = subprocess.Popen(
        [sys.executable, "-c", PROMOTER, method, key, json.dumps(nominated)],
        cwd=ROOT,
        env={
            **laptop.stack.cloud.environment,
            "PYTHONPATH": os.pathsep.join(
                str(ROOT / path) for path in ("layers/clinical", "layers/model", "pipeline", ".")
            ),
            "ARTIFACTS_BUCKET": laptop.stack.outputs.artifacts_bucket,
            "POWERTOOLS_SERVICE_NAME": "retrain",
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin
    assert process.stderr
    try:
        assert process.stderr.readline() == "halted\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stderr.close()


def carry_on(process: subprocess.Popen[str]) -> str:
    """Let a halted promotion go on, and return what it died of, if it did."""
    assert process.stdin
    assert process.stderr
    process.stdin.write("\n")
    process.stdin.flush()
    said = process.stderr.read()
    process.wait()
    return said.strip().rsplit("\n", 1)[-1]


@pytest.fixture(scope="module")
def versions(
    laptop: Laptop, few_trees: Path, sample: Path, tmp_path_factory: pytest.TempPathFactory
) -> list[str]:
    """Three published versions, the last of which serves."""
    lines = sample.read_bytes().splitlines(keepends=True)
    found = []
    for number in (3, 4, 6):  # by chance, intervals hold too many of the 199 held-out rows of 995
        file = tmp_path_factory.mktemp("data") / f"all_but_{number}.csv"
        file.write_bytes(b"".join(lines[:-number]))
        ended = laptop.retrain_on(file)
        assert ended["status"] == "SUCCEEDED", ended
        found.append(json.loads(ended["output"])["version"])
    return found


def test_rollback_lets_the_one_before_serve_again(laptop: Laptop, versions: list[str]) -> None:
    done = laptop.run("rollback", REASON="It was better on Tuesday.")

    assert done.returncode == 0, done.stdout
    assert f"{versions[1]} was promoted and replaces {versions[2]}" in done.stdout
    laptop.wait_until_served(versions[1])
    entry = ledger_of(laptop)[-1]
    assert entry.promotion.why == "It was better on Tuesday."
    assert "@" in entry.promotion.who
    assert_consistent(laptop)


def test_any_published_version_can_be_named(laptop: Laptop, versions: list[str]) -> None:
    done = laptop.run("rollback", VERSION=versions[0])

    assert done.returncode == 0, done.stdout
    laptop.wait_until_served(versions[0])
    assert_consistent(laptop)


def test_models_lists_versions_aliases_and_promotions(laptop: Laptop, versions: list[str]) -> None:
    done = laptop.run("models")

    assert done.returncode == 0, done.stdout
    (served,) = [line for line in done.stdout.splitlines() if "champion" in line]
    assert versions[0] in served
    taken_back = [line for line in done.stdout.splitlines() if "withdrawn" in line]
    for version in versions[1:]:
        assert any(version in line for line in taken_back)
    assert "It was better on Tuesday." in done.stdout


def test_the_console_promotes_by_input(laptop: Laptop, versions: list[str]) -> None:
    ended = promote_by_hand(laptop, versions[2], reason="The console said so.")

    assert ended["status"] == "SUCCEEDED"
    assert json.loads(ended["output"])["decision"] == "promoted"
    assert champion_of(laptop).version == versions[2]
    assert champion_of(laptop).promotion.why == "The console said so."
    assert_consistent(laptop)


def test_the_card_of_the_champion_has_the_last_promotions(
    laptop: Laptop, versions: list[str]
) -> None:
    laptop.wait_until_served(versions[2])

    answer = laptop.get("/model")

    card = answer.body
    assert card["model_version"] == versions[2]
    assert card["verdict"]["reasons"][0].startswith("It beats the average baseline")
    assert card["ledger"][0]["why"] == "The console said so."
    newest = champion_of(laptop).sequence
    assert [entry["sequence"] for entry in card["ledger"]] == list(
        range(newest, max(0, newest - LEDGER_ENTRIES), -1)
    )
    who = {entry.promotion.who for entry in ledger_of(laptop)}
    assert any("@" in one for one in who)  # who rolled back
    assert any("all_but_" in one for one in who)  # what was uploaded
    assert [told for told in ("@", "all_but_", *who) if told in answer.text] == []


def test_promoting_what_serves_changes_nothing(laptop: Laptop, versions: list[str]) -> None:
    before = champion_of(laptop)

    ended = promote_by_hand(laptop, versions[2])

    assert json.loads(ended["output"])["decision"] == "already_champion"
    assert champion_of(laptop) == before


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"promote": "v-00000000"}, "VersionUnknown"),
        ({"promot": "v-00000000"}, "InputInvalid"),
        ({"tune": "nowhere"}, "InputInvalid"),
    ],
)
def test_what_cannot_be_done_has_a_name_and_the_champion_stays(
    laptop: Laptop, versions: list[str], asked: dict[str, str], error: str
) -> None:
    ended = laptop.ended(executions.start(laptop.stack, asked))

    assert ended["status"] == "FAILED"
    assert ended["error"] == error
    assert ended["cause"]
    assert champion_of(laptop).version == versions[2]


def test_killed_before_the_pointer_moves_the_champion_stays_and_the_next_try_works(
    laptop: Laptop, versions: list[str]
) -> None:
    with halted(laptop, "put_over", "models/champion.json", versions[0]) as process:
        os.kill(process.pid, signal.SIGKILL)

    assert champion_of(laptop).version == versions[2]
    assert_consistent(laptop)
    assert promote_by_hand(laptop, versions[0])["status"] == "SUCCEEDED"
    assert champion_of(laptop).version == versions[0]
    assert_consistent(laptop)


def test_killed_before_the_ledger_is_written_the_next_promotion_enters_it(
    laptop: Laptop, versions: list[str]
) -> None:
    entry = f"models/ledger/{champion_of(laptop).sequence + 1:06}.json"
    with halted(laptop, "put_new", entry, versions[1]) as process:
        os.kill(process.pid, signal.SIGKILL)
    killed = champion_of(laptop)
    assert killed.version == versions[1]
    assert killed not in ledger_of(laptop)

    assert promote_by_hand(laptop, versions[2])["status"] == "SUCCEEDED"

    assert killed in ledger_of(laptop)
    assert_consistent(laptop)


def test_of_two_promotions_at_once_one_wins_and_the_other_sees_it(
    laptop: Laptop, versions: list[str]
) -> None:
    pointer = "models/champion.json"
    with (
        halted(laptop, "put_over", pointer, versions[0]) as first,
        halted(laptop, "put_over", pointer, versions[1]) as second,
    ):
        assert carry_on(second) == ""
        lost = carry_on(first)

    assert "ChampionMoved" in lost
    assert champion_of(laptop).version == versions[1]
    assert_consistent(laptop)


def test_of_two_executions_at_once_each_is_in_the_ledger_and_the_last_one_serves(
    laptop: Laptop, versions: list[str]
) -> None:
    before = champion_of(laptop).sequence

    arns = [
        executions.start(laptop.stack, {"promote": version, "reason": "at once"})
        for version in (versions[0], versions[2])
    ]
    ended = [laptop.ended(arn) for arn in arns]

    assert [one["status"] for one in ended] == ["SUCCEEDED", "SUCCEEDED"]
    assert champion_of(laptop).sequence == before + 2
    assert_consistent(laptop)


def test_a_corrupted_version_is_refused_and_the_champion_serves_on(
    laptop: Laptop, versions: list[str]
) -> None:
    assert promote_by_hand(laptop, versions[2])["status"] == "SUCCEEDED"
    laptop.wait_until_served(versions[2])
    with corrupted(laptop, versions[0]):
        done = laptop.run("rollback", VERSION=versions[0])

        assert done.returncode == 1
        assert "ArtefactCorrupted" in done.stdout
        assert champion_of(laptop).version == versions[2]


def test_functions_refuse_a_champion_that_is_corrupted_and_say_so_in_a_metric(
    laptop: Laptop, versions: list[str]
) -> None:
    registry = registry_of(laptop)
    pointer, version = registry.champion(), registry.version(versions[0])
    assert version is not None
    by_hand = Promotion(who="the tests", why="unverified", execution="by-hand")
    with corrupted(laptop, versions[0]):
        registry.promote(version, pointer, by_hand, datetime.now(UTC))
        until(lambda: is_refused(laptop), "the functions' refusal")

        assert laptop.get("/health").body["model_version"] == versions[2]

    laptop.wait_until_served(versions[0])  # once it is whole again
    assert_consistent(laptop)


@contextmanager
def corrupted(laptop: Laptop, version: str) -> Iterator[None]:
    bucket = registry_of(laptop).bucket
    key = f"models/{version}/{MODEL}"
    whole = bucket.get(key).body
    bucket.put(key, whole[:-1] + bytes([whole[-1] ^ 1]))
    try:
        yield
    finally:
        bucket.put(key, whole)


def is_refused(laptop: Laptop) -> bool:
    """Let the functions look at the pointer, and see whether they refused it."""
    laptop.get("/health")
    return bool(laptop.logged_with('"ArtefactsRefused"'))
