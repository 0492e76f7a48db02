import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from local.emulator.callbacks import STOPPED, TIMEOUT, Tokens, unless_ended
from tests.patience import until

LONG = 600.0


class Failed(Exception):
    """What a task fails with."""

    def __init__(self, error: str, cause: str) -> None:
        super().__init__(error, cause)


@pytest.fixture
def held() -> dict[str, dict[str, Any]]:
    return {}


@pytest.fixture
def tokens(held: dict[str, dict[str, Any]]) -> Tokens:
    return Tokens(held, Failed)


def execution(name: str = "one") -> dict[str, Any]:
    return {"executionArn": name, "status": "RUNNING"}


def sent(held: dict[str, dict[str, Any]], **what: Any) -> Callable[[], None]:
    """Send a token back from the very function that it was handed to."""

    def invoke() -> None:
        held["token"] |= what
        held["token"]["event"].set()

    return invoke


def nothing() -> None:
    pass


def test_what_comes_by_the_token_is_the_answer(
    tokens: Tokens, held: dict[str, dict[str, Any]]
) -> None:
    come = sent(held, result=json.dumps({"decision": "approved"}))

    assert tokens.wait("token", execution(), LONG, come) == {"decision": "approved"}
    assert held == {}


def test_an_error_that_comes_by_the_token_is_the_tasks(
    tokens: Tokens, held: dict[str, dict[str, Any]]
) -> None:
    come = sent(held, error={"Error": "Refused", "Cause": "by hand"})

    with pytest.raises(Failed) as raised:
        tokens.wait("token", execution(), LONG, come)

    assert raised.value.args == ("Refused", "by hand")


def test_a_function_that_fails_fails_its_task_at_once(
    tokens: Tokens, held: dict[str, dict[str, Any]]
) -> None:
    def failing() -> None:
        raise Failed("StorageDenied", "{}")

    with pytest.raises(Failed) as raised:
        tokens.wait("token", execution(), LONG, failing)

    assert raised.value.args == ("StorageDenied", "{}")
    assert held == {}  # the token wakes nobody any more


def test_a_time_that_is_over_is_told_as_such(
    tokens: Tokens, held: dict[str, dict[str, Any]]
) -> None:
    with pytest.raises(Failed) as raised:
        tokens.wait("token", execution(), 0.01, nothing)

    assert raised.value.args[0] == TIMEOUT
    assert held == {}


def test_an_execution_that_is_stopped_waits_no_more_and_others_wait_on(
    tokens: Tokens, held: dict[str, dict[str, Any]]
) -> None:
    running = {name: execution(name) for name in ("one", "other")}
    ended: dict[str, str] = {}

    def waiting(name: str) -> None:
        try:
            ended[name] = tokens.wait(f"token of {name}", running[name], LONG, nothing)
        except Failed as error:
            ended[name] = error.args[0]

    threads = [threading.Thread(target=waiting, args=(name,), daemon=True) for name in running]
    for thread in threads:
        thread.start()
    until(lambda: len(held) == len(running), "both to wait")

    running["one"]["status"] = "ABORTED"
    tokens.stop("one")
    until(lambda: ended, "the one that was stopped")

    assert ended == {"one": STOPPED}
    held["token of other"]["result"] = '"woken"'
    held["token of other"]["event"].set()
    until(lambda: len(ended) > 1, "the other one")
    assert ended["other"] == "woken"


@pytest.mark.parametrize(("status", "ended"), [("RUNNING", ["why"]), ("ABORTED", [])])
def test_what_was_stopped_does_not_fail_afterwards(status: str, ended: list[str]) -> None:
    told: list[str] = []
    fail = unless_ended(lambda _, error, __: told.append(error))

    fail({"status": status}, "why", "because")

    assert told == ended
