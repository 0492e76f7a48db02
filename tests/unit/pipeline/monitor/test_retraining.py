"""When the model that serves is made anew by itself, and when it is not: a table of it all."""

from datetime import timedelta

import pytest
from clinical.registry import MAX_WHY, Champion, Promotion
from clinical.upload import Upload
from monitor.retraining import Decision, Earlier, Found, Retraining, Status, decided, says

from tests.localstack.retrain import EVALUATED
from tests.monitored import LAST, MIDNIGHT, MOVED, window

UPLOAD = Upload(key="raw/data.csv", version_id="7", uploaded_at=MIDNIGHT - timedelta(days=90))
CHAMPION = Champion(
    version="v-0a1b2c3d",
    files={},
    verdict=EVALUATED.verdict,
    execution="one",
    published_at=MIDNIGHT,
    upload=UPLOAD,
    sequence=4,
    promoted_at=MIDNIGHT,
    promotion=Promotion(who="ada", why="It was better.", execution="one"),
    previous=None,
)
NAME = f"drift-{LAST}"


def found(
    further: int = 20,
    alarms: tuple[str, ...] = (MOVED,),
    execution: str = "now",
    champion: Champion = CHAMPION,
) -> Found:
    return Found(execution, champion, window(), alarms, further)


def earlier(
    status: Status, further: int = 20, ordinal: int = 0, by: str = "before", execution: str = NAME
) -> Earlier:
    return Earlier(
        Retraining(
            sequence=4,
            ordinal=ordinal,
            version="v-0a1b2c3d",
            further=further,
            execution=execution,
            asked={"outcomes": "2026-11-20T00:00:00+00:00"},
            by=by,
            decided_at=MIDNIGHT - timedelta(days=5),
        ),
        status,
    )


def decision(
    of: Found, after: int = 20, *before: Earlier, taken: frozenset[str] = frozenset()
) -> Decision:
    names = {one.decided.execution for one in before} | taken
    return decided(of, after, before, names, MIDNIGHT)


def test_what_alarms_with_enough_outcomes_is_retrained_on_its_upload_and_all_of_them() -> None:
    starts = decision(found(20)).starts

    assert starts == Retraining(
        sequence=4,
        ordinal=0,
        version="v-0a1b2c3d",
        further=20,
        execution=NAME,
        asked={
            "raw": {"key": "raw/data.csv", "version_id": "7"},
            "outcomes": "2026-11-26T00:00:00+00:00",
            "who": "the monitor, in now",
            "reason": MOVED,
        },
        by="now",
        decided_at=MIDNIGHT,
    )
    assert says(starts) == (
        f"Retraining as {NAME}, with 20 outcomes that v-0a1b2c3d was not trained on."
    )


@pytest.mark.parametrize(
    ("of", "after", "before", "why_not"),
    [
        (found(alarms=()), 20, [], "there is no alarm"),
        (found(alarms=()), 0, [], "there is no alarm"),
        (found(alarms=()), 20, [earlier("never_started")], "there is no alarm"),
        (found(), 0, [], "RetrainAfterOutcomes is 0. Only the alarm is raised."),
        (found(), 0, [earlier("never_started")], "RetrainAfterOutcomes is 0"),
        (found(0), 1, [], "New to v-0a1b2c3d: 0 outcomes; required"),
        (found(1), 2, [], "New to v-0a1b2c3d: 1 outcome; required"),
        (found(19), 20, [], "RetrainAfterOutcomes: 20. Only the alarm is raised."),
        (found(99), 20, [earlier("running")], f"{NAME} was started for the same promotion"),
        (found(99), 20, [earlier("running")], "is running or waiting for approval"),
        (found(99), 20, [earlier("ended"), earlier("running", 50, 1)], "waiting for approval"),
        (found(20), 20, [earlier("ended")], "needs 20 further outcomes; there have been 0 since."),
        (found(39), 20, [earlier("ended")], "needs 20 further outcomes; there have been 19 since."),
        (found(5), 20, [earlier("ended")], "have been 0 since."),  # of a window that lies before
        (found(59), 20, [earlier("ended"), earlier("ended", 40, 1)], "have been 19 since."),
        (
            found(champion=CHAMPION.model_copy(update={"upload": None})),
            20,
            [],
            "an earlier release trained v-0a1b2c3d",
        ),
    ],
)
def test_what_is_not_retrained_is_told_with_the_reason(
    of: Found, after: int, before: list[Earlier], why_not: str
) -> None:
    came_to = decision(of, after, *before)

    assert came_to.starts is None
    assert why_not in came_to.why_not
    assert came_to.why_not.startswith("No ")


@pytest.mark.parametrize("status", ["never_started", "running", "ended"])
def test_a_run_that_is_tried_again_comes_to_what_it_had_decided(status: Status) -> None:
    before = earlier(status, by="now")

    assert decision(found(99), 20, before).starts == before.decided


def test_what_was_decided_and_never_started_is_started_by_the_next_run_that_alarms() -> None:
    before = earlier("never_started")

    assert decision(found(5), 20, before).starts == before.decided


def test_as_many_outcomes_again_are_another_cause_once_the_one_before_is_through() -> None:
    starts = decision(found(40), 20, earlier("ended", execution="drift-2026-11-20")).starts

    assert starts
    assert (starts.ordinal, starts.execution, starts.further) == (1, NAME, 40)


def test_a_name_that_another_cause_has_is_left_to_it() -> None:
    starts = decision(found(), 20, taken=frozenset({NAME, f"{NAME}-2"})).starts

    assert starts
    assert starts.execution == f"{NAME}-3"


def test_a_reason_is_no_longer_than_the_ledger_takes() -> None:
    starts = decision(found(alarms=("x" * 1500, "y" * 1500))).starts

    assert starts
    assert len(starts.asked["reason"]) == MAX_WHY
