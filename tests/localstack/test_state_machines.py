"""Every branch of the state machines, in another engine than the local cloud's."""

import json

import pytest

from tests.localstack.cases import Machine, plain
from tests.localstack.conftest import MACHINES
from tests.localstack.execution import Execution, steps_of

type Executions = dict[str, dict[str, Execution]]

of_every_machine = pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
in_every_case = pytest.mark.parametrize(
    ("machine", "name"),
    [
        pytest.param(machine, name, id=f"{machine.name}-{name}")
        for machine in MACHINES
        for name in machine.cases
    ],
)


@in_every_case
def test_a_case_takes_its_path_and_ends_as_it_should(
    executions: Executions, machine: Machine, name: str
) -> None:
    case, execution = machine.cases[name], executions[machine.name][name]

    assert execution.path == case.path.split(), execution.described
    assert execution.within == case.within
    match case.ends:
        case (error, cause):
            assert execution.described["status"] == "FAILED"
            assert execution.described["error"] == error
            assert _message(execution.described["cause"]) == cause
        case output:
            assert execution.described["status"] == "SUCCEEDED", execution.described
            assert json.loads(execution.described["output"]) == plain(output)


def _message(cause: str) -> str:
    """The error's own words: where no state caught it, the cause is all that Lambda said."""
    try:
        told = json.loads(cause)
    except ValueError:
        return cause
    message: str = told.get("errorMessage", cause)
    return message


@of_every_machine
def test_together_they_enter_every_state_and_follow_every_choice_and_every_catch(
    executions: Executions, machine: Machine
) -> None:
    ran = executions[machine.name].values()

    entered = {name for execution in ran for name in execution.entered}
    steps = {step for execution in ran for step in execution.steps}
    assert entered == set(machine.states)
    assert steps == steps_of(machine.states)


@in_every_case
def test_what_was_asked_for_reaches_the_first_state_as_it_was_written(
    executions: Executions, machine: Machine, name: str
) -> None:
    first = machine.definition["StartAt"]

    payload = executions[machine.name][name].asked(first)[0]

    assert payload == {"execution": name, "given": machine.cases[name].asked}


@pytest.mark.parametrize(
    ("machine", "name", "stage", "failures", "error"),
    [
        ("retrain", "StorageUnavailableTwice", "Ingest", 2, "StorageUnavailable"),
        ("retrain", "TooManyRequestsTwice", "Promote", 2, "Lambda.TooManyRequestsException"),
        ("retrain", "StorageStaysUnavailable", "Promote", 5, "StorageUnavailable"),
        ("retrain", "StorageDenied", "Train", 1, "StorageDenied"),
        ("retrain", "DecisionCannotBeRead", "CloseApproval", 1, "StorageDenied"),
        ("score", "SplitUnavailableTwice", "Split", 2, "StorageUnavailable"),
        ("score", "SplitDenied", "Split", 1, "StorageDenied"),
        ("score", "NoRoomForLong", "ScorePart", 4, "Lambda.TooManyRequestsException"),
        ("score", "PartStaysBroken", "ScorePart", 4, "StorageDenied"),
        ("score", "PartUnreadable", "ScorePart", 1, "DatasetUnreadable"),
        ("score", "SummariseUnavailableTwice", "Summarise", 2, "StorageUnavailable"),
        ("score", "PartMissing", "Summarise", 1, "ArtefactMissing"),
        ("monitor", "NoRoomTwice", "JoinOutcomes", 2, "Lambda.TooManyRequestsException"),
        ("monitor", "CaptureDenied", "Capture", 1, "StorageDenied"),
        ("monitor", "ReportStaysUnavailable", "Report", 5, "StorageUnavailable"),
    ],
)
def test_what_may_pass_is_tried_again_and_the_history_shows_it(
    executions: Executions, machine: str, name: str, stage: str, failures: int, error: str
) -> None:
    execution = executions[machine][name]

    assert execution.failures == [error] * failures
    recovered = execution.described["status"] == "SUCCEEDED"
    assert len(execution.asked(stage)) == failures + recovered
