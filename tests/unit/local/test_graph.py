import pytest

from local.console.graph import COLOURS, colours, flowchart, marks
from local.executions import Step
from tests import state_machine

MACHINE = {
    "StartAt": "Look",
    "States": {
        "Look": {"Type": "Choice", "Choices": [{"Next": "Both"}], "Default": "Done"},
        "Both": {
            "Type": "Parallel",
            "Branches": [
                {
                    "StartAt": "One",
                    "States": {
                        "One": {
                            "Type": "Task",
                            "Next": "Two",
                            "Catch": [{"ErrorEquals": ["Bent"], "Next": "Mended"}],
                        },
                        "Two": {"Type": "Task", "End": True},
                        "Mended": {"Type": "Pass", "End": True},
                    },
                }
            ],
            "Catch": [{"ErrorEquals": ["Broken"], "Next": "Failed"}],
            "Next": "Done",
        },
        "Done": {"Type": "Succeed"},
        "Failed": {"Type": "Fail"},
    },
}


def test_where_a_state_may_lead_is_drawn_and_what_an_error_leads_to_is_dashed() -> None:
    drawn = flowchart(MACHINE).splitlines()

    assert {"Look --> Both", "Look --> Done", "Both --> Done"} <= set(drawn)
    assert 'Both -. "Broken" .-> Failed' in drawn
    assert drawn.index("subgraph Both") < drawn.index('One["One"]') < drawn.index("end")


def test_what_any_error_leads_to_is_dashed_without_a_name() -> None:
    caught = {"One": {"Type": "Task", "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Two"}]}}

    drawn = flowchart({"StartAt": "One", "States": {**caught, "Two": {"Type": "Pass"}}})

    assert "One -.-> Two" in drawn.splitlines()


def test_branches_of_many_states_are_drawn_from_top_to_bottom() -> None:
    drawn = flowchart(state_machine.definition()).splitlines()

    assert drawn[drawn.index("subgraph Release") + 1] == "direction TB"
    assert drawn[drawn.index("subgraph Prepare") + 1] != "direction TB"


def test_a_state_is_coloured_by_how_it_stands() -> None:
    steps = [
        Step("Look", 0, seconds=1),
        Step("Both", 1, seconds=1, error="Broken"),
        Step("Failed", 2, failed=True),
    ]

    assert marks(steps) == {"Look": "succeeded", "Both": "caught", "Failed": "failed"}
    styled = colours(MACHINE, marks(steps))
    for state, status in (("Look", "succeeded"), ("Failed", "failed")):
        assert rule(styled, f"flowchart-{state}-").count(f"fill: {COLOURS[status][0]}") == 1
    assert f"stroke: {COLOURS['caught'][0]}" in rule(styled, "-Both")
    assert rule(styled, "flowchart-Done-") == ""


def test_states_that_the_history_does_not_name_stand_as_what_they_are_in() -> None:
    styled = colours(MACHINE, {"Both": "running"})

    for state in ("One", "Two"):
        assert f"fill: {COLOURS['running'][0]}" in rule(styled, f"flowchart-{state}-")
    assert rule(styled, "flowchart-Mended-") == ""  # only an error leads there


def test_a_state_of_a_container_stands_as_it_does_itself() -> None:
    styled = colours(MACHINE, {"Both": "running", "One": "succeeded"})

    assert f"fill: {COLOURS['succeeded'][0]}" in rule(styled, "flowchart-One-")


def test_the_drawing_is_the_same_however_its_states_stand() -> None:
    assert not any(status in flowchart(MACHINE) for status in COLOURS)


def rule(styled: str, part: str) -> str:
    """Give the rules of a style sheet for the element whose id has this part."""
    return "\n".join(line for line in styled.splitlines() if f'"{part}"' in line)


def test_a_state_that_is_entered_again_stands_as_the_last_time() -> None:
    steps = [Step("Look", 0, seconds=1, error="Broken"), Step("Look", 2)]

    assert marks(steps) == {"Look": "running"}


@pytest.mark.parametrize("which", ["retrain", "score"])
def test_every_state_of_the_real_machines_is_drawn(which: str) -> None:
    machine = state_machine.definition(which)

    drawn = flowchart(machine)

    for name in state_machine.states(machine):
        assert f'{name}["{name}"]' in drawn or f'"{name}"' in drawn or f"subgraph {name}" in drawn


def test_of_a_state_that_was_entered_many_times_what_failed_or_goes_on_is_drawn() -> None:
    done, running = Step("Each", 0.0, seconds=1.0), Step("Each", 0.0)
    failed = Step("Each", 0.0, failed=True, error="Broken")

    assert marks([running, done]) == {"Each": "running"}
    assert marks([failed, running, done]) == {"Each": "failed"}
    assert marks([Step("Each", 0.0, seconds=1.0, error="Bent"), done]) == {"Each": "succeeded"}
