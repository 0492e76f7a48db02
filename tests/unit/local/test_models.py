"""`make retrain`: what a model is worth, on the terminal."""

from rich.console import Console

from local.models import show_verdict
from tests.replays import a_replay
from tests.unit.conftest import Candidate


def printed(candidate: Candidate, **changes: object) -> str:
    console = Console(width=160, no_color=True)
    with console.capture() as captured:
        show_verdict(candidate.verdict.model_copy(update=changes), console)
    return captured.get()


def test_errors_on_outcomes_of_replayed_requests_stand_beside_the_others(
    candidate: Candidate,
) -> None:
    text = printed(candidate, replay=a_replay())

    assert "candidate, on 140 outcomes" in text
    assert "v-4e5f6a7b, on the same" in text
    assert "1.300" in text
    assert "1.400 to 1.600" in text


def test_where_outcomes_are_too_few_there_are_no_rows_of_them(candidate: Candidate) -> None:
    few = a_replay().model_copy(update={"candidate_scores": None, "champion_scores": None})

    assert printed(candidate, replay=few) == printed(candidate)
