import numpy as np
import pytest
from clinical.errors import ArtefactCorrupted
from clinical.registry import MODEL
from model.scorer import MANY, Scorer

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


def test_many_rows_are_scored_as_each_alone(scorer: Scorer, patient: dict[str, object]) -> None:
    """They are sorted for it, and come back in their order."""
    generator = np.random.default_rng(1)
    rows = [
        patient | {"Age": int(age), "Gender": str(gender), "Treatment_Duration_days": int(days)}
        for age, gender, days in zip(
            generator.integers(18, 80, 2 * MANY),
            generator.choice(["Female", "Male"], 2 * MANY),
            generator.integers(5, 60, 2 * MANY),
            strict=True,
        )
    ]

    together = scorer.predict(rows)

    assert together.tolist() == [scorer.predict([row])[0] for row in rows]
    assert len(set(together.tolist())) > MANY / 2


def test_a_row_without_a_feature_is_an_error(scorer: Scorer, patient: dict[str, object]) -> None:
    del patient["Age"]

    with pytest.raises(KeyError, match="Age"):
        scorer.predict([patient])


@pytest.mark.parametrize("onnx", [b"", b"junk", b"\x08\x0a"])
def test_bytes_that_are_no_graph_are_refused(onnx: bytes) -> None:
    with pytest.raises(ArtefactCorrupted, match="cannot open"):
        Scorer(onnx)
