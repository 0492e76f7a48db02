"""What the retrain machine hands from stage to stage, in another engine than the local cloud's."""

import json
import re

import pytest

from events.generate import inputs_of, stages
from tests.localstack.execution import Execution
from tests.localstack.retrain import VERSION, WAITS

STAGES = {"".join(part.capitalize() for part in name.split("_")): name for name in stages()}


@pytest.fixture
def retrained(executions: dict[str, dict[str, Execution]]) -> dict[str, Execution]:
    return executions["retrain"]


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_is_handed_what_its_models_take(
    retrained: dict[str, Execution], stage: str
) -> None:
    payloads = [
        (execution.name, payload)
        for execution in retrained.values()
        for payload in execution.asked(stage)
    ]

    assert payloads
    for execution, payload in payloads:
        inputs = inputs_of(STAGES[stage])
        assert set(payload) == {"execution", *inputs}, (execution, payload)
        assert payload["execution"] == execution
        for name, kind in inputs.items():
            kind.model_validate(payload[name])


@pytest.mark.parametrize(
    ("name", "over"),
    [
        ("PromotedWithWarning", [0]),
        ("Promoted", [1]),
        ("Overtaken", [1, 2]),
        ("OvertakenByHand", [None, None]),
    ],
)
def test_the_nomination_says_over_which_champion_and_after_a_lost_race_over_the_next(
    retrained: dict[str, Execution], name: str, over: list[int | None]
) -> None:
    asked = retrained[name].asked("Promote")

    assert [one["nominated"].get("over") for one in asked] == over


@pytest.mark.parametrize("name", ["Approved", "NobodyCouldBeTold", "Promoted", "Withheld"])
def test_whoever_may_decide_is_told_what_waits_why_and_where_but_never_the_token(
    retrained: dict[str, Execution], name: str
) -> None:
    execution = retrained[name]
    tokens = [one["waiting"]["token"] for one in execution.asked("RequestApproval")]

    assert bool(execution.told) == bool(tokens) == (name in {"Approved", "NobodyCouldBeTold"})
    for message in execution.told:
        assert message["Subject"] == f"{VERSION} is waiting for approval"
        assert f"make approve EXECUTION={name} " in message["Message"]
        assert f"POST /approvals/{name}." in message["Message"]
        assert re.search(r" until \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", message["Message"])
        assert WAITS.approval[0] in message["Message"]
        assert not any(token in json.dumps(message) for token in tokens)


def test_every_try_to_ask_is_handed_a_token_and_the_arn_of_what_it_wakes(
    retrained: dict[str, Execution],
) -> None:
    asked = retrained["DecidedBeforeItAskedAgain"].asked("RequestApproval")

    assert len(asked) == 2
    for one in asked:
        assert one["waiting"]["token"]
        assert one["waiting"]["arn"].endswith(":DecidedBeforeItAskedAgain")


def test_one_candidate_that_fails_is_reported_with_its_error(
    retrained: dict[str, Execution],
) -> None:
    (asked,) = retrained["Tuned"].asked("Choose")

    tried = asked["tried"]["candidates"]
    assert [one["error"] for one in tried if "error" in one] == ["MemoryError"]
    assert sum("rmse" in one for one in tried) == len(tried) - 1


def test_what_tuning_chose_is_trained(retrained: dict[str, Execution]) -> None:
    (tuned,) = retrained["Tuned"].asked("Train")
    (untuned,) = retrained["Promoted"].asked("Train")

    assert tuned["chosen"]["hyperparameters"]["n_estimators"] == 100
    assert untuned["chosen"] == {}


def test_a_promotion_does_not_wait_for_the_learning_curve(
    retrained: dict[str, Execution],
) -> None:
    left = retrained["CurveSlow"].left

    assert left.index("Promote") < left.index("LearningCurve") < left.index("Annotate")


@pytest.mark.parametrize(
    ("name", "annotated"),
    [
        ("Promoted", [VERSION]),
        ("Overtaken", [VERSION]),
        ("Withheld", [VERSION]),
        ("Rejected", []),
        ("ByHand", []),
        ("CurveFails", []),
        ("OutOfMemoryInPublish", []),
    ],
)
def test_a_curve_goes_to_the_version_that_was_published(
    retrained: dict[str, Execution], name: str, annotated: list[str]
) -> None:
    asked = retrained[name].asked("Annotate")

    assert [one["published"]["version"] for one in asked] == annotated


def test_a_curve_is_of_the_hyperparameters_that_are_trained(
    retrained: dict[str, Execution],
) -> None:
    for name in ("Tuned", "Promoted"):
        (trained,), (measured,) = (
            retrained[name].asked(stage) for stage in ("Train", "LearningCurve")
        )
        assert measured["chosen"] == trained["chosen"]
