"""On the public data set nothing beats the average, and the report says so on its first page."""

from pathlib import Path

import pytest
from clinical.artefacts import Bucket
from clinical.card import Card
from clinical.params import params
from clinical.registry import Registry
from clinical.report.wording import MINUS

from tests.unit.clinical.reports import Page
from tests.unit.pipeline.conftest import Retrained


@pytest.mark.slow
def test_the_first_page_says_that_neither_the_model_nor_a_ridge_beats_the_average(
    bucket: Bucket, retrained: Retrained, real_data: Path
) -> None:
    nominated = retrained(real_data.read_bytes())["nominated"]["version"]
    version = Registry(bucket).version(nominated)
    assert version is not None
    card = Card.model_validate_json(bucket.get(version.files["card.json"].key).body)

    page = Page.of(card, params())

    assert bucket.get(version.files["report.html"].key).body == page.text.encode()
    assert (
        "The model does not beat the average baseline: its RMSE is 1.477 points, the "
        f"baseline's is 1.460, a difference of +0.017 (95% interval {MINUS}0.036 to +0.069)."
    ) in page.first
    assert "Ridge regression on the same training rows does not beat the average either" in (
        page.first
    )
    assert "Do not interpret differences between its scores as differences between patients." in (
        page.first
    )
