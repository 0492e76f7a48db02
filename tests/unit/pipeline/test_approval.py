"""A candidate that somebody has to approve of, from its nomination to what comes of it."""

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import stage
from clinical.approvals import Approvals
from clinical.boto3_bucket import Boto3Bucket
from clinical.errors import ApprovalSettled, ChampionMoved, NotApproved
from clinical.params import Params, params
from clinical.registry import Approval, Registry
from retrain.stages.close_approval import close_approval
from retrain.stages.promote import promote
from retrain.stages.request_approval import request_approval

from tests.pipeline import State, ran, resume
from tests.unit.conftest import fact_lines, smaller
from tests.unit.pipeline.conftest import Retrained

type Upload = Callable[[bytes], str]
type Retrain = Callable[..., State]

TOKEN = "the token of one"  # noqa: S105
BY_HAND = {"version": "previous", "who": "grace", "why": "It was better."}


def asking(approval: object = "always", days: float = 7) -> Params:
    small = smaller(params(), trees=5)
    gate = small.gate.model_dump() | {"approval": approval, "approval_days": days}
    return small.model_copy(update={"gate": type(small.gate).model_validate(gate)})


@pytest.fixture(autouse=True)
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    decisions = asking()
    monkeypatch.setattr(stage, "params", lambda: decisions)


@pytest.fixture
def kept(bucket: Boto3Bucket) -> Approvals:
    return Approvals(bucket)


@pytest.fixture
def waits(retrained: Retrained, sample_bytes: bytes) -> State:
    """What execution one came to, which waits for an approval."""
    return retrained(sample_bytes)


def decided(kept: Approvals, decision: str = "approved", execution: str = "one") -> Approval:
    approval = Approval.model_validate(
        {
            "decision": decision,
            "who": "ada",
            "why": "Its replay is calm.",
            "decided_at": datetime.now(UTC),
        }
    )
    return kept.decide(execution, approval)


def counted(printed: str) -> list[str]:
    """The verdicts that executions were counted by."""
    return [line["verdict"] for line in fact_lines(printed) if "verdict" in line]


def test_what_has_to_be_approved_waits_and_does_not_serve(
    waits: State, kept: Approvals, registry: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = kept.asked("one")

    assert "promoted" not in waits
    assert registry.champion() is None
    assert asked is not None
    assert (asked.token, asked.arn) == (TOKEN, waits["waiting"]["arn"])
    assert (asked.version, asked.over) == (waits["nominated"]["version"], 0)
    assert asked.because == ("Every candidate needs approval (gate.approval: always).",)
    assert asked.until - asked.asked_at == timedelta(days=7)
    assert waits["requested"]["version"] == asked.version
    assert counted(capsys.readouterr().out) == []


def test_the_token_is_in_no_log_and_no_lineage(
    waits: State, bucket: Boto3Bucket, caplog: pytest.LogCaptureFixture, capsys: Any
) -> None:
    caplog.set_level(logging.DEBUG)
    ran(request_approval, "one", {name: waits[name] for name in ("nominated", "waiting")})

    printed = capsys.readouterr()
    assert TOKEN not in printed.out + printed.err + caplog.text
    holding = [key for key in bucket.keys("", "") if TOKEN.encode() in bucket.get(key).body]
    assert holding == ["approvals/one.json"]
    lineage = json.loads(bucket.get("runs/one/lineage.json").body)
    assert lineage["stages"]["request_approval"]["inputs"]["waiting"] == {
        "arn": waits["waiting"]["arn"]
    }


def test_what_was_approved_serves_and_the_ledger_says_who_approved_and_why(
    waits: State, kept: Approvals, registry: Registry
) -> None:
    approval = decided(kept)

    came_to = resume("one", waits)

    assert came_to["closed"]["decision"] == "approved"
    assert came_to["promoted"]["decision"] == "promoted"
    pointer = registry.champion()
    assert pointer is not None
    (entered,) = registry.ledger(pointer.champion, entries=10)
    assert entered.promotion.approval == approval
    assert entered.promotion.who == waits["admitted"]["who"]


@pytest.mark.parametrize(
    ("decision", "said"), [("rejected", "was rejected by ada"), (None, "nobody decided in time")]
)
def test_what_was_rejected_or_not_decided_on_leaves_pointer_and_ledger_untouched(
    waits: State,
    kept: Approvals,
    registry: Registry,
    capsys: pytest.CaptureFixture[str],
    decision: str | None,
    said: str,
) -> None:
    if decision:
        decided(kept, decision)
    capsys.readouterr()

    closed = resume("one", waits)["closed"]

    assert closed["decision"] == "not_approved"
    assert said in closed["reason"]
    assert closed["version"] == waits["nominated"]["version"]
    assert closed["verdict"] == waits["nominated"]["verdict"]
    assert registry.champion() is None
    assert registry.bucket.keys("models/ledger/", "") == []
    assert registry.version(closed["version"]) is not None  # it can be named
    assert counted(capsys.readouterr().out) == ["not_approved"]


def test_who_comes_after_the_time_is_over_decides_nothing(waits: State, kept: Approvals) -> None:
    resume("one", waits)

    stands = decided(kept)

    assert (stands.decision, stands.who) == ("expired", "nobody")
    assert resume("one", waits)["closed"]["decision"] == "not_approved"  # a retry too


def test_what_was_woken_without_a_decision_is_not_promoted(waits: State) -> None:
    """Whoever holds the token can wake the execution, and no more than that."""
    with pytest.raises(NotApproved, match="needs an approval, which it does not have: Every"):
        ran(promote, "one", {"nominated": waits["nominated"]})


@pytest.mark.parametrize("decision", ["rejected", "expired"])
def test_no_other_decision_than_an_approval_promotes(
    waits: State, kept: Approvals, registry: Registry, decision: str
) -> None:
    decided(kept, decision)

    with pytest.raises(NotApproved):
        ran(promote, "one", {"nominated": waits["nominated"]})
    assert registry.champion() is None


def test_an_approval_is_of_one_execution_and_of_what_it_nominated(
    waits: State, kept: Approvals
) -> None:
    decided(kept)
    other = {"nominated": waits["nominated"] | {"version": "v-00000000"}}

    for execution, nominated in (("two", {"nominated": waits["nominated"]}), ("one", other)):
        with pytest.raises(NotApproved):
            ran(promote, execution, nominated)


def test_an_execution_of_a_name_that_was_used_before_is_not_approved_by_the_decision_of_then(
    waits: State, kept: Approvals
) -> None:
    decided(kept)
    other = {"nominated": waits["nominated"] | {"version": "v-00000000"}}

    with pytest.raises(ApprovalSettled, match="already requested approval of v-"):
        ran(request_approval, "one", other | {"waiting": waits["waiting"]})
    closed = ran(close_approval, "one", other)

    assert closed["decision"] == "not_approved"
    assert closed["reason"].endswith("start this one under another name.")


def test_a_retry_asks_with_its_own_token_and_goes_on_at_once_where_somebody_decided(
    waits: State, kept: Approvals
) -> None:
    again = {"nominated": waits["nominated"], "waiting": waits["waiting"] | {"token": "another"}}

    ran(request_approval, "one", again)
    asked = kept.asked("one")
    decided(kept)
    with pytest.raises(ApprovalSettled, match="was approved by ada"):
        ran(request_approval, "one", again)

    assert asked is not None
    assert asked.token == "another"  # noqa: S105
    assert resume("one", waits)["closed"]["decision"] == "approved"


@pytest.fixture
def two(
    waits: State, kept: Approvals, upload: Upload, retrain: Retrain, sample_bytes: bytes
) -> State:
    """What execution two came to, which waits, over the version of execution one."""
    decided(kept)
    resume("one", waits)
    upload(b"".join(sample_bytes.splitlines(keepends=True)[:-1]))
    return retrain("two")


def test_a_champion_that_moved_meanwhile_voids_the_approval(
    two: State, kept: Approvals, registry: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    first = registry.champion()
    assert first is not None
    version = registry.version(first.champion.version)
    assert version is not None
    moved = registry.promote(version, first, first.champion.promotion, datetime.now(UTC))
    decided(kept, execution="two")
    capsys.readouterr()

    with pytest.raises(ChampionMoved, match="was judged against promotion 1, but 2 serves now"):
        resume("two", two)

    pointer = registry.champion()
    assert pointer is not None
    assert pointer.champion.sequence == moved.sequence
    assert counted(capsys.readouterr().out) == ["approval_void"]


def test_what_lost_a_race_and_was_not_to_be_approved_is_not_void(
    two: State, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()

    with pytest.raises(ChampionMoved):
        ran(promote, "two", {"nominated": two["nominated"] | {"over": 0, "approval": []}})

    assert counted(capsys.readouterr().out) == []


def test_a_promotion_by_hand_needs_no_approval(two: State, registry: Registry) -> None:
    name = {"version": two["nominated"]["version"]}

    assert ran(promote, "by-hand", {"nominated": BY_HAND | name})["decision"] == "promoted"
    pointer = registry.champion()
    assert pointer is not None
    assert pointer.champion.promotion.approval is None


def test_nobody_is_asked_about_what_serves_already_or_was_withdrawn(
    two: State, kept: Approvals, retrain: Retrain
) -> None:
    decided(kept, execution="two")
    resume("two", two)

    again = retrain("three")
    ran(promote, "by-hand", {"nominated": BY_HAND})
    taken_back = retrain("four")

    assert again["promoted"]["decision"] == "already_champion"
    assert taken_back["promoted"]["decision"] == "withdrawn"
    assert kept.executions() == ["one", "two"]


@pytest.mark.parametrize(
    ("approval", "days", "seconds"), [("none", 7, 0), ("always", 0.5, 43_200), ("always", 1e-9, 1)]
)
def test_it_waits_as_long_as_params_say(
    retrained: Retrained,
    sample_bytes: bytes,
    monkeypatch: pytest.MonkeyPatch,
    approval: str,
    days: float,
    seconds: int,
) -> None:
    decisions = asking(approval, days)
    monkeypatch.setattr(stage, "params", lambda: decisions)

    nominated = retrained(sample_bytes)["nominated"]

    assert nominated["approval_seconds"] == seconds
    assert bool(nominated["approval"]) == bool(seconds)
