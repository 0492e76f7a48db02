import json
from typing import Any

from rich.console import Console

from local.executions import Outcome
from local.outcomes import show_notes, show_rejection


def printed(outcome: Outcome) -> str:
    console = Console(width=120, no_color=True)
    with console.capture() as captured:
        show_rejection(outcome, console)
    return captured.get()


def failed(cause: str) -> Outcome:
    return Outcome("arn:one", "FAILED", 1.0, {}, error="DatasetRejected", cause=cause)


def report(**changes: Any) -> str:
    violation = {"rule": "unknown_value", "column": "Gender", "count": 2, "first_rows": [3, 9]}
    told = {"rows": 60, "violations": [violation | changes], "report": {"key": "runs/one/x.json"}}
    return json.dumps(told | {"notes": ["1 column ignored: the 2nd (`[bold]dose`)."]})


def test_a_rejection_shows_the_values_that_the_contract_allows_and_how_it_was_read() -> None:
    text = printed(failed(report(allowed=["Female", "[red]Male"])))

    assert "Female, [red]Male" in text
    assert "3, 9" in text
    assert "How the file was read:\n• 1 column ignored: the 2nd (`[bold]dose`).\n" in text


def test_a_rule_without_such_values_has_none_to_show() -> None:
    assert "out_of_range" in printed(failed(report(rule="out_of_range")))


def test_a_cause_that_is_a_sentence_is_printed_as_it_is() -> None:
    assert printed(failed("raw/[x].xlsx is an Excel workbook")) == (
        "raw/[x].xlsx is an Excel workbook\n"
    )


def test_what_was_read_without_leniency_has_no_note() -> None:
    console = Console(no_color=True)
    with console.capture() as captured:
        show_notes(None, console)
        show_notes([], console)

    assert captured.get() == ""
