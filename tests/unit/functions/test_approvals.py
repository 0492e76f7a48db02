"""Somebody whom IAM knows decides on what waits, by a POST alone."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from clinical.approvals import Approvals
from clinical.errors import StorageDenied, StorageUnavailable
from clinical.obstore_bucket import ObstoreBucket
from clinical.registry import MAX_WHO, MAX_WHY, Approval

from tests.unit.conftest import ROOT, Answer, Api, emf_lines
from tests.waiting import NOW, States, asked

ROUTE = "/approvals/{execution}"
ARN = "arn:aws:sts::000000000000:assumed-role/Statisticians/r.fisher"
WHY = "The replay moves nobody by more than a point."
APPROVED = {"decision": "approve", "reason": WHY}
REJECTED = {"decision": "reject", "reason": "It loses combinations."}

type Decide = Callable[..., Answer]


@pytest.fixture
def states(approvals_api: Api, monkeypatch: pytest.MonkeyPatch) -> States:
    made = States("one", "two")
    monkeypatch.setattr(approvals_api.module, "stepfunctions", lambda: made)
    return made


@pytest.fixture
def kept(store: ObstoreBucket) -> Approvals:
    return Approvals(store)


@pytest.fixture
def decide(approvals_api: Api, states: States) -> Decide:
    """Decide as a caller whom the gateway names; None for one whom it does not."""
    assert states

    def ask(
        body: object = APPROVED,
        execution: object = "one",
        identity: object = None,
        method: str = "POST",
        **event: Any,
    ) -> Answer:
        named = {"userArn": ARN, "accountId": "000000000000"} if identity is None else identity
        event = {"requestContext": {"identity": named}, **event}
        return approvals_api(method, ROUTE, body, pathParameters={"execution": execution}, **event)

    return ask


def test_a_candidate_is_approved_of_in_the_name_of_the_caller(
    decide: Decide, kept: Approvals, states: States
) -> None:
    asked(kept.bucket)

    answer = decide(APPROVED | {"reason": f"  {WHY} "})

    assert answer.status == 200, answer.text
    stands = kept.decision("one")
    assert stands == Approval(
        decision="approved", who=ARN, why=WHY, decided_at=answer.body["decided_at"]
    )
    assert answer.body == {
        "execution": "one",
        "version": "v-0a1b2c3d",
        "decision": "approved",
        "who": ARN,
        "why": WHY,
        "decided_at": answer.body["decided_at"],
    }
    assert states.woken == [("token-of-one", {"decision": "approved"})]
    assert "token" not in answer.text


def test_a_candidate_is_rejected(decide: Decide, kept: Approvals, states: States) -> None:
    asked(kept.bucket)

    answer = decide(REJECTED)

    assert (answer.status, answer.body["decision"]) == (200, "rejected")
    assert states.woken == [("token-of-one", {"decision": "rejected"})]


def test_the_first_decision_stands_and_another_is_a_conflict(
    decide: Decide, kept: Approvals, states: States
) -> None:
    asked(kept.bucket)
    decide(REJECTED)

    answer = decide(APPROVED)

    assert answer.status == 409
    assert ARN in answer.body["detail"]
    assert REJECTED["reason"] in answer.body["detail"]
    stands = kept.decision("one")
    assert stands is not None
    assert stands.decision == "rejected"
    assert [output for _, output in states.woken] == [{"decision": "rejected"}]


def test_what_waited_too_long_is_a_conflict(decide: Decide, kept: Approvals) -> None:
    asked(kept.bucket, until=NOW - timedelta(seconds=1))

    assert decide().status == 409
    assert kept.decision("one") is None


def test_what_nobody_asked_for_is_not_found(decide: Decide, kept: Approvals) -> None:
    answer = decide(execution="nothing")

    assert answer.status == 404
    assert "nothing" in answer.body["detail"]
    assert kept.bucket.keys("approvals/", "") == []


@pytest.mark.parametrize(
    "execution",
    [
        "one",
        "drift-2026-11-26",
        "again-9.5_b",
        "5e0d9a1c-0b7e-4f43-8a0f-5e0d9a1c0b7e_5e0d9a1c-0b7e-4f43-8a0f-5e0d9a1c0b7e",
    ],
)
def test_an_execution_goes_by_its_name_however_it_was_started(
    decide: Decide, kept: Approvals, states: States, execution: str
) -> None:
    states.running = (execution,)
    asked(kept.bucket, execution)

    assert decide(execution=execution).body["execution"] == execution


@pytest.mark.parametrize("execution", ["", "x" * 81, "a/b", "a b", "..%2f", "<b>", None, 7])
def test_what_names_no_execution_is_refused(decide: Decide, execution: object) -> None:
    answer = decide(execution=execution)

    assert answer.status == 422
    assert [error["loc"] for error in answer.body["errors"]] == [["path", "execution"]]


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({"decision": "approve"}, ["reason"]),
        ({"reason": WHY}, ["decision"]),
        ({}, ["decision", "reason"]),
        (APPROVED | {"reason": ""}, ["reason"]),
        (APPROVED | {"reason": " \n\t"}, ["reason"]),
        (APPROVED | {"reason": "x" * (MAX_WHY + 1)}, ["reason"]),
        (APPROVED | {"reason": None}, ["reason"]),
        (APPROVED | {"reason": ["why"]}, ["reason"]),
        (APPROVED | {"decision": "approved"}, ["decision"]),
        (APPROVED | {"decision": "Approve"}, ["decision"]),
        (APPROVED | {"decision": True}, ["decision"]),
        (APPROVED | {"who": "somebody else"}, ["who"]),
        (APPROVED | {"token": "x"}, ["token"]),
    ],
)
def test_a_decision_without_a_reason_or_with_anything_else_decides_nothing(
    decide: Decide, kept: Approvals, states: States, body: object, wrong: list[str]
) -> None:
    asked(kept.bucket)

    answer = decide(body)

    assert answer.status == 422
    assert [error["loc"] for error in answer.body["errors"]] == [["body", one] for one in wrong]
    assert kept.decision("one") is None
    assert states.woken == []


@pytest.mark.parametrize(
    "identity",
    [
        {},
        {"userArn": None, "caller": None},
        {"userArn": ""},
        {"userArn": "  "},
        {"userArn": 7},
        {"sourceIp": "127.0.0.1", "userAgent": ARN},
        "somebody",
    ],
)
def test_a_caller_whom_nobody_knows_decides_nothing_even_if_the_gateway_lets_them_in(
    decide: Decide, kept: Approvals, states: States, identity: object
) -> None:
    asked(kept.bucket)

    answer = decide(identity=identity)

    assert answer.status == 403
    assert "sign the request" in answer.body["detail"]
    assert kept.decision("one") is None
    assert states.woken == []


def test_no_header_and_no_query_says_who_the_caller_is(decide: Decide, kept: Approvals) -> None:
    asked(kept.bucket)
    said = {"userArn": ARN, "X-Amzn-Caller": ARN, "Authorization": f"AWS4-HMAC-SHA256 {ARN}"}
    headers = {"Content-Type": "application/json", **said}

    answer = decide(identity={}, headers=headers, queryStringParameters=said)

    assert answer.status == 403
    assert kept.decision("one") is None


def test_an_arn_that_is_too_long_for_the_ledger_keeps_both_its_ends(
    decide: Decide, kept: Approvals
) -> None:
    asked(kept.bucket)
    arn = f"arn:aws:iam::000000000000:user/{'a-very-long-path/' * 20}r.fisher"

    who = decide(identity={"userArn": arn}).body["who"]

    assert len(who) == MAX_WHO
    assert who.startswith("arn:aws:iam::000000000000:user/")
    assert who.endswith("/r.fisher")


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("body", [None, APPROVED])
def test_nothing_but_a_post_decides_anything(
    decide: Decide, kept: Approvals, states: States, method: str, body: object
) -> None:
    asked(kept.bucket)

    answer = decide(body, method=method, queryStringParameters=APPROVED)

    assert answer.status == (204 if method == "OPTIONS" else 404)
    assert kept.decision("one") is None
    assert states.woken == []


@pytest.mark.parametrize(
    ("error", "said"),
    [(StorageUnavailable, "not responding"), (StorageDenied, "denies this function")],
)
def test_where_s3_fails_nothing_is_decided_and_the_reason_is_told(
    decide: Decide,
    kept: Approvals,
    states: States,
    monkeypatch: pytest.MonkeyPatch,
    error: type[Exception],
    said: str,
) -> None:
    def failing(*_: object) -> None:
        raise error("s3://bucket/key")

    asked(kept.bucket)
    for what in ("get", "put_new"):
        with monkeypatch.context() as patch:
            patch.setattr(ObstoreBucket, what, failing)
            answer = decide()

        assert answer.status == 503
        assert said in answer.body["detail"]
        assert "s3://" not in answer.text
    assert kept.decision("one") is None
    assert states.woken == []


@pytest.mark.parametrize(
    "error",
    [
        EndpointConnectionError(endpoint_url="https://states"),
        ClientError({"Error": {"Code": "AccessDeniedException"}}, "SendTaskSuccess"),
    ],
)
def test_where_step_functions_fail_the_decision_is_kept_and_can_be_told_again(
    decide: Decide,
    kept: Approvals,
    states: States,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    def failing(**_: object) -> None:
        raise error

    asked(kept.bucket)
    with monkeypatch.context() as patch:
        patch.setattr(states, "send_task_success", failing)
        answer = decide()

    assert answer.status == 503
    assert "decision is stored" in answer.body["detail"]
    assert kept.decision("one") is not None
    assert decide().status == 200
    assert states.woken == [("token-of-one", {"decision": "approved"})]


def test_the_log_tells_what_was_decided_on_and_neither_token_nor_reason(
    decide: Decide, kept: Approvals, capsys: pytest.CaptureFixture[str]
) -> None:
    asked(kept.bucket)

    decide()

    printed = capsys.readouterr().out
    (line,) = emf_lines(printed)
    assert line["route"] == f"POST {ROUTE}"
    assert (line["execution"], line["decision"]) == ("one", "approved")
    assert line["model_version"] == "v-0a1b2c3d"
    assert "token-of" not in printed
    assert WHY not in printed


def test_the_event_for_sam_local_is_one_that_decides(decide: Decide, kept: Approvals) -> None:
    event = json.loads((ROOT / "events/approvals.json").read_text())
    asked(kept.bucket)

    answer = decide(event["body"], identity=event["requestContext"]["identity"])

    assert answer.body["decision"] == "rejected"
