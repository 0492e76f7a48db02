"""On the public data set nothing beats the average, and the report says so on its first page."""

from pathlib import Path

from clinical.card import Card
from clinical.params import params
from clinical.report.wording import MINUS

from tests.unit.clinical.reports import Page
from tests.unit.conftest import candidate_on


def test_the_first_page_says_that_neither_the_model_nor_a_ridge_beats_the_average(
    real_data: Path,
) -> None:
    made = candidate_on(real_data.read_bytes(), params())
    card = Card.model_validate_json(made.findings["card.json"])

    page = Page.of(card, params())

    assert made.findings["report.html"] == page.text.encode()
    assert (
        "The model does not beat always answering the average: its RMSE is 1.477 points, the "
        f"average's 1.460, a difference of +0.017 (95% interval {MINUS}0.036 to +0.069)."
    ) in page.first
    assert "Ridge regression of the same training rows does not beat the average either" in (
        page.first
    )
    assert "Do not read differences between its scores as differences between patients." in (
        page.first
    )
