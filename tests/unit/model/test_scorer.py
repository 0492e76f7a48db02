import numpy as np
import pytest
from clinical.errors import ArtefactCorrupted
from clinical.registry import MODEL
from model.scorer import Scorer, as_improvement_score

from tests.unit.conftest import Candidate


@pytest.fixture
def scorer(candidate: Candidate) -> Scorer:
    return Scorer(candidate.files[MODEL])


def test_rows_are_scored_in_order_and_alone_as_together(
    scorer: Scorer, patient: dict[str, object]
) -> None:
    older = patient | {"Age": 79, "Dosage_mg": 850}

    together = scorer.predict([patient, older])

    assert together.shape == (2,)
    assert together.dtype == np.float64
    assert together.tolist() == [*scorer.predict([patient]), *scorer.predict([older])]


def test_a_row_without_a_feature_is_an_error(scorer: Scorer, patient: dict[str, object]) -> None:
    del patient["Age"]

    with pytest.raises(KeyError, match="Age"):
        scorer.predict([patient])


@pytest.mark.parametrize("onnx", [b"", b"junk", b"\x08\x0a"])
def test_bytes_that_are_no_graph_are_refused(onnx: bytes) -> None:
    with pytest.raises(ArtefactCorrupted, match="cannot open"):
        Scorer(onnx)


@pytest.mark.parametrize(
    ("raw", "served"), [(-1.0, 0.0), (10.001, 10.0), (7.126, 7.13), (7.0, 7.0)]
)
def test_a_served_score_is_within_its_scale(raw: float, served: float) -> None:
    assert as_improvement_score(raw) == served
