import json
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from clinical.approvals import Approvals
from clinical.boto3_bucket import Boto3Bucket
from clinical.params import ApprovalWhen, MovesMoreThan, params
from clinical.registry import MAX_WHY, Approval, Champion, Promotion

from local.console.approvals import (
    LISTED,
    REASONLESS,
    TOO_LONG,
    Reader,
    came_to,
    decided,
    evidence_of,
    fault,
    in_words,
)
from local.console.models import approval_of
from local.models import operator
from tests.unit.conftest import PROMOTION, Candidate
from tests.waiting import NOW, States, asked

HOUR = timedelta(hours=1)
OTHER = Approval(
    decision="approved", who="bob@elsewhere", why="It errs less.", decided_at=NOW - HOUR
)


@pytest.fixture
def states() -> States:
    return States("one", "two")


@pytest.fixture
def stack(cloud: Boto3Bucket, states: States) -> Any:
    return SimpleNamespace(
        s3=cloud.client,
        stepfunctions=states,
        outputs=SimpleNamespace(artifacts_bucket=cloud.name),
    )


def test_where_nothing_was_ever_asked_there_is_nothing(stack: Any) -> None:
    told = Reader(stack).read()

    assert (told.waiting, told.decided, told.unreadable) == ([], [], [])


def test_what_waits_the_longest_comes_first_and_what_ended_does_not_wait(
    stack: Any, cloud: Boto3Bucket
) -> None:
    asked(cloud, "one", asked_at=NOW - HOUR)
    asked(cloud, "two", asked_at=NOW - 2 * HOUR)
    asked(cloud, "ended")
    asked(cloud, "three", until=NOW - HOUR)

    assert [one.execution for one in Reader(stack).read().waiting] == ["two", "one"]


def test_what_was_decided_is_told_with_what_came_of_it_the_newest_first(
    stack: Any, cloud: Boto3Bucket
) -> None:
    for number, name in enumerate(("one", "ended")):
        asked(cloud, name)
        late = OTHER.model_copy(update={"decided_at": NOW + number * HOUR})
        Approvals(cloud).decide(name, late)

    told = Reader(stack).read()

    assert told.waiting == []
    assert [(one["execution"], one["result"]) for one in told.decided] == [
        ("ended", "failed"),
        ("one", "the execution is still running"),
    ]
    assert told.decided[1] == {
        "decided (UTC)": f"{NOW:%Y-%m-%d %H:%M:%S}",
        "version": "v-0a1b2c3d",
        "decision": "approved",
        "by": "bob@elsewhere",
        "reason": "It errs less.",
        "result": "the execution is still running",
        "execution": "one",
    }


def test_decisions_are_listed_not_for_ever_and_read_once(
    stack: Any, cloud: Boto3Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(LISTED + 1):
        asked(cloud, f"{number}")
        late = OTHER.model_copy(update={"decided_at": NOW + number * HOUR})
        Approvals(cloud).decide(f"{number}", late)
    reader = Reader(stack)

    first = reader.read().decided
    monkeypatch.setattr(Approvals, "asked", None)

    assert [one["execution"] for one in first] == [f"{n}" for n in range(LISTED, 0, -1)]
    assert reader.read().decided == first


def test_what_is_not_as_it_was_written_is_said_and_the_rest_waits(
    stack: Any, cloud: Boto3Bucket
) -> None:
    asked(cloud, "one")
    asked(cloud, "two")
    key = "approvals/two.json"
    cloud.put(key, cloud.get(key).body.replace(b"v-0a1b2c3d", b"v-0a1b2c3e"))

    told = Reader(stack).read()

    assert [one.execution for one in told.waiting] == ["one"]
    assert told.unreadable == [
        (
            f"{key} was altered since it was written; restore an earlier version of the object, or "
            "delete it."
        )
    ]


def test_an_approval_that_would_be_void_is_told(
    stack: Any,
    cloud: Boto3Bucket,
    candidate: Candidate,
    promote: Callable[[Candidate], Champion],
) -> None:
    champion = promote(candidate)
    asked(cloud, "one", over=champion.sequence)
    asked(cloud, "two", over=champion.sequence - 1)

    (void,) = Reader(stack).read().overtaken.items()

    assert void[0] == "two"
    assert void[1].startswith("An approval would be void")
    assert "but promotion 1 has changed the champion since" in void[1]


def test_a_decision_rests_on_the_verdict_of_the_execution_that_waits(
    stack: Any,
    cloud: Boto3Bucket,
    candidate: Candidate,
    publish: Callable[[Candidate], Any],
) -> None:
    published = publish(candidate)
    verdict = published.verdict.model_copy(update={"reasons": ("It was judged anew.",)})
    again = asked(cloud, "one", version=published.version, verdict=verdict)
    first = asked(cloud, published.execution, version=published.version)

    judged_anew, judged_first = evidence_of(stack, again), evidence_of(stack, first)

    assert judged_anew.verdict == ("It was judged anew.",)
    assert judged_anew.card
    assert judged_anew.card["verdict"]["reasons"] == ["It was judged anew."]
    assert judged_first.verdict == published.verdict.reasons
    assert judged_first.card
    assert judged_first.card["calibration_curve"] == judged_anew.card["calibration_curve"]


def test_a_card_that_cannot_be_read_hides_no_verdict(
    stack: Any, cloud: Boto3Bucket, candidate: Candidate, publish: Callable[[Candidate], Any]
) -> None:
    published = publish(candidate)
    waits = asked(cloud, "one", version=published.version, verdict=published.verdict)
    cloud.put(published.card.key, b"{}")

    evidence = evidence_of(stack, waits)

    assert evidence.verdict == published.verdict.reasons
    assert evidence.card is None
    assert evidence.unreadable.startswith("The model card cannot be read: ")
    unknown = evidence_of(stack, asked(cloud, "two"))
    assert unknown.unreadable.startswith("The registry has no version v-0a1b2c3d")


def test_a_decision_is_kept_wakes_the_execution_and_is_said(
    stack: Any, cloud: Boto3Bucket, states: States
) -> None:
    waits = asked(cloud, "one")

    came = decided(stack, waits, "rejected", " Too few women. ", again=False)

    stands = Approvals(cloud).decision("one")
    assert stands
    assert (stands.decision, stands.who, stands.why) == ("rejected", operator(), "Too few women.")
    assert states.woken == [("token-of-one", {"decision": "rejected"})]
    assert came == f"v-0a1b2c3d {stands.in_words}"


@pytest.mark.parametrize("decision", ["approved", "rejected"])
def test_who_comes_second_is_told_who_decided_before(
    stack: Any, cloud: Boto3Bucket, states: States, decision: Any
) -> None:
    waits = asked(cloud, "one")
    Approvals(cloud).decide("one", OTHER)

    came = decided(stack, waits, decision, "So I say.", again=False)

    assert came == f"v-0a1b2c3d {OTHER.in_words}; this decision is final."
    assert Approvals(cloud).decision("one") == OTHER
    assert states.woken == []


def test_a_window_whose_first_try_failed_wakes_the_execution(
    stack: Any, cloud: Boto3Bucket, states: States
) -> None:
    waits = asked(cloud, "one")
    Approvals(cloud).decide("one", OTHER)  # kept, before the network failed

    decided(stack, waits, "approved", OTHER.why, again=True)

    assert states.woken == [("token-of-one", {"decision": "approved"})]


def test_what_waits_no_more_says_so(stack: Any, cloud: Boto3Bucket) -> None:
    waits = asked(cloud, "one", until=NOW - HOUR)

    came = decided(stack, waits, "approved", "At last.", again=False)

    assert "UTC; promote v-0a1b2c3d by name, or retrain." in came
    assert Approvals(cloud).decision("one") is None


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        (None, REASONLESS),
        (" \n", REASONLESS),
        ("a" * (MAX_WHY + 1), TOO_LONG),
        (" It errs less. ", None),
    ],
)
def test_a_reason_is_asked_for(reason: str | None, said: str | None) -> None:
    assert fault(reason) == said


@pytest.mark.parametrize(
    ("ended", "came"),
    [
        ({"output": json.dumps({"decision": "promoted"}), "status": "SUCCEEDED"}, "promoted"),
        (
            {
                "output": json.dumps({"decision": "approval_void", "reason": "Another serves."}),
                "status": "SUCCEEDED",
            },
            "approval void: Another serves.",
        ),
        ({"error": "ArtefactCorrupted", "status": "FAILED"}, "ArtefactCorrupted"),
        ({"status": "ABORTED"}, "aborted"),
    ],
)
def test_what_came_of_a_decision_is_how_its_execution_ended(
    ended: dict[str, str], came: str
) -> None:
    assert came_to(ended) == came


def test_params_yaml_says_who_is_asked() -> None:
    gate = params().gate
    rules = ("with_warning", "loses_combinations", MovesMoreThan(replay_moves_more_than=0.1))

    assert in_words(gate).endswith("is none: candidates that pass the gate serve at once.")
    always = gate.model_copy(update={"approval": "always", "approval_days": 1})
    assert "is always: every candidate that passes the gate waits here" in in_words(always)
    assert in_words(always).endswith("for up to 1 day.")
    when = in_words(gate.model_copy(update={"approval": ApprovalWhen(when=rules)}))
    assert "for up to 7 days, if it would serve with a warning; or its data lack" in when
    assert "or more than 10.0% of the replayed requests would be refused or change" in when


def test_the_ledger_says_who_approved_and_why() -> None:
    approved = PROMOTION.model_copy(update={"approval": OTHER})

    assert approval_of(PROMOTION) == ""
    assert approval_of(Promotion.model_validate(approved)) == (
        f"bob@elsewhere, {OTHER.decided_at:%Y-%m-%d %H:%M} UTC: It errs less."
    )
