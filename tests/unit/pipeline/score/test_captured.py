"""What was predicted for a file's rows, written in columns and read as predictions."""

import io
import itertools
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from clinical.artefacts import sealed_json
from clinical.captured import Captured
from clinical.errors import ArtefactCorrupted
from hypothesis import given
from hypothesis import strategies as st
from score.captured import (
    Marker,
    PartPredictions,
    Predictions,
    captured_in,
    hex_ids,
    ids_drawn,
    marker_in,
)

SEED = "0123456789abcdef" * 2
PART = PartPredictions(key="captures/scored/e/00000.npz", sha256="0" * 64, number=0, predictions=1)
MARKER = Marker(
    execution="e",
    scored_at=datetime(2026, 11, 26, 8, 30, 1, 250_000, tzinfo=UTC),
    model_version="v-b532b88d",
    coverage=0.9,
    parts=(PART,),
)
VALUES: dict[str, list[Any]] = {
    "Age": [56, None, 31, 7],
    "Größe": [1.85, -0.1, 1e-9],
    "Drug": ["Ciprofloxacin", "Парацетамол", 'a "b"', None],
}


def written(blocks: list[list[dict[str, Any]]]) -> bytes:
    """Write rows, each by its codes, figures and what it is averaged over."""
    out = io.BytesIO()
    first = 0
    with Predictions(out, VALUES, SEED, 0) as predictions:
        for rows in blocks:
            figures = np.array([row["figures"] for row in rows], np.float64).reshape(-1, 3)
            predictions.enter(
                predictions.ids(first, len(rows)),
                {name: np.array([row[name] for row in rows], np.int64) for name in VALUES},
                [*figures.T],
                [row["averaged"] for row in rows],
            )
            first += len(rows)
        predictions.end(VALUES.__getitem__)
    assert predictions.number == first
    return out.getvalue()


ROWS = st.fixed_dictionaries(
    {
        **{name: st.integers(0, len(values) - 1) for name, values in VALUES.items()},
        "figures": st.tuples(*[st.floats(allow_nan=False, allow_infinity=False)] * 3),
        "averaged": st.sampled_from([(), ("Drug",), ("Age", "Drug")]),
    }
)


@given(st.lists(st.lists(ROWS, max_size=4), max_size=4))
def test_what_is_written_is_read(blocks: list[list[dict[str, Any]]]) -> None:
    body = written(blocks)

    found = list(captured_in(body, MARKER))

    rows = list(itertools.chain(*blocks))
    ids = hex_ids(ids_drawn(SEED, 0, 0, len(rows)))
    assert found == [
        Captured(
            prediction_id=prediction_id,
            predicted_at=MARKER.scored_at,
            source="score",
            model_version="v-b532b88d",
            features={name: values[row[name]] for name, values in VALUES.items()},
            score=row["figures"][0],
            low=row["figures"][1],
            high=row["figures"][2],
            coverage=0.9,
            averaged_over=row["averaged"],
        )
        for prediction_id, row in zip(ids, rows, strict=True)
    ]
    assert body == written(blocks)
    for one in found:  # a prediction that was read is a line of a day's file
        assert Captured.of_line(one.line()) == one


def test_a_value_that_no_row_with_a_score_has_is_not_written() -> None:
    row = {"Age": 2, "Größe": 0, "Drug": 0, "figures": (1.0, 0.0, 2.0), "averaged": ()}

    body = written([[row]])

    (found,) = captured_in(body, MARKER)
    assert found.features == {"Age": 31, "Größe": 1.85, "Drug": "Ciprofloxacin"}
    assert b"56" not in body
    assert b"\\u041f" not in body


def test_a_part_without_a_prediction_has_none() -> None:
    assert list(captured_in(written([]), MARKER)) == []


# ---- Ids ----


@given(st.integers(0, 10**7), st.lists(st.integers(0, 1500), max_size=5))
def test_ids_are_the_same_however_many_are_drawn_at_once(first: int, sizes: list[int]) -> None:
    starts = itertools.accumulate(sizes, initial=first)

    drawn = [ids_drawn(SEED, 3, start, size) for start, size in zip(starts, sizes, strict=False)]

    together = ids_drawn(SEED, 3, first, sum(sizes))
    assert together.shape == (sum(sizes), 16)
    assert b"".join(one.tobytes() for one in drawn) == together.tobytes()


@given(
    st.lists(
        st.tuples(st.sampled_from([SEED, "f" * 32]), st.integers(0, 1000), st.integers(0, 10**5)),
        unique=True,
        max_size=20,
    )
)
def test_ids_of_other_rows_parts_and_executions_are_others(
    where: list[tuple[str, int, int]],
) -> None:
    ids = [
        one for seed, part, place in where for one in hex_ids(ids_drawn(seed, part, 50 * place, 50))
    ]

    assert len(set(ids)) == len(ids)
    assert all(len(one) == 32 and set(one) <= set("0123456789abcdef") for one in ids)


def test_every_bit_of_an_id_is_as_often_set_as_not() -> None:
    bits = np.unpackbits(ids_drawn(SEED, 0, 0, 10_000), axis=1)

    assert np.abs(bits.mean(0) - 0.5).max() < 0.025  # five standard errors


# ---- Markers ----


def test_a_marker_is_read_as_it_was_sealed() -> None:
    assert marker_in("captures/scored/e.json", sealed_json(MARKER)) == MARKER


@pytest.mark.parametrize(
    "body",
    [
        sealed_json(MARKER).replace(b'"predictions": 1', b'"predictions": 2'),
        sealed_json(MARKER)[:-9],
        sealed_json(PART),
        b"[]",
    ],
)
def test_a_marker_that_was_altered_is_refused(body: bytes) -> None:
    with pytest.raises(ArtefactCorrupted, match=r"^captures/scored/e\.json "):
        marker_in("captures/scored/e.json", body)
