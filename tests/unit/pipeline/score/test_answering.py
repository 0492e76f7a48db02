import io
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from clinical.params import params
from score.answering import BANDS, Answering
from score.captured import Predictions
from score.patients import Fault
from score.scoring import Scoring
from score.state import Counts, Reading

from tests.unit.pipeline.score.conftest import NOWHERE, SEED, Desk

HEADER = tuple(params().asked)
READING = Reading(header=HEADER, places={name: place for place, name in enumerate(HEADER)})


@pytest.fixture
def answering(desk: Desk) -> Iterator[Answering]:
    with answering_by(desk) as answering:
        yield answering


@contextmanager
def answering_by(desk: Desk) -> Iterator[Answering]:
    with Predictions(io.BytesIO(), params().features, SEED, 0) as predictions:
        yield Answering(Scoring(desk.model), params(), READING, predictions)


def columns(lines: list[str]) -> dict[str, list[str]]:
    cells = zip(*(line.split(",") for line in lines), strict=True)
    return dict(zip(HEADER, map(list, cells), strict=True))


def counts(answering: Answering) -> Counts:
    return answering.counts(NOWHERE)


def test_scores_are_counted_in_bands_of_the_scale(answering: Answering, lines: list[str]) -> None:
    answers = answering.answers(columns(lines[1:201]), range(2, 202), {})

    found = counts(answering)
    scores = np.array(answers.scores)
    assert (found.rows, found.scored, found.refused, found.averaged) == (200, 200, 0, 0)
    assert found.scores.counts == tuple(np.histogram(scores, BANDS, (0, 10))[0])
    assert sum(found.scores.counts) == 200
    assert found.scores.sum == pytest.approx(scores.sum())
    assert found.scores.sum_of_squares == pytest.approx((scores**2).sum())
    assert (found.scores.min, found.scores.max) == (scores.min(), scores.max())
    assert found.written.rows == 200


def test_counts_are_the_same_in_one_call_and_in_many(
    desk: Desk, answering: Answering, lines: list[str]
) -> None:
    spoilt = [line.replace("Male", "x") for line in lines[1:101]]
    at_once = answering.answers(columns(spoilt), range(2, 102), {})

    ids = []
    with answering_by(desk) as many:
        for start in range(0, 100, 7):
            some = spoilt[start : start + 7]
            ids += many.answers(columns(some), range(start + 2, start + 2 + len(some)), {}).ids

    assert ids == at_once.ids
    assert len(set(ids)) == 100
    whole, parts = counts(answering), counts(many)
    assert whole.problems == parts.problems
    assert (whole.rows, whole.scored, whole.refused) == (parts.rows, parts.scored, parts.refused)
    assert whole.scores.counts == parts.scores.counts
    assert whole.scores.sum == pytest.approx(parts.scores.sum)


def test_problems_are_in_the_contracts_order_with_their_first_rows(
    answering: Answering, lines: list[str]
) -> None:
    spoilt = lines[1:31]
    for row in range(5, 25):
        cells = spoilt[row].split(",")
        cells[HEADER.index("Gender")] = "x"
        cells[HEADER.index("Age")] = "" if row % 2 else "17"
        spoilt[row] = ",".join(cells)

    answering.answers(columns(spoilt), range(2, 32), {0: Fault("row_width", None, "…")})

    found = counts(answering)
    assert [(one.rule, one.column, one.count, one.first_rows) for one in found.problems] == [
        ("row_width", None, 1, (2,)),
        ("missing", "Age", 10, tuple(range(7, 27, 2))),
        ("out_of_range", "Age", 10, tuple(range(8, 28, 2))),
        ("unknown_value", "Gender", 20, tuple(range(7, 17))),
    ]
    assert (found.scored, found.refused) == (9, 21)


def test_what_is_averaged_is_counted_where_it_is_scored(
    answering: Answering, lines: list[str]
) -> None:
    without = columns(lines[1:11])
    without["Side_Effects"] = [""] * 10
    without["Age"][:3] = ["x"] * 3

    answering.answers(without, range(2, 12), {})

    found = counts(answering)
    assert (found.rows, found.scored, found.averaged) == (10, 7, 7)


def test_where_no_row_is_scored_there_is_no_score_to_describe(
    answering: Answering, lines: list[str]
) -> None:
    wrong = columns(lines[1:11])
    wrong["Age"] = ["x"] * 10

    answers = answering.answers(wrong, range(2, 12), {})

    found = counts(answering)
    assert np.isnan(answers.scores).all()
    assert (found.scored, found.refused) == (0, 10)
    assert (found.scores.min, found.scores.max, sum(found.scores.counts)) == (None, None, 0)


def test_a_row_that_does_not_fit_has_that_one_fault(answering: Answering, lines: list[str]) -> None:
    wrong = columns(lines[1:3])
    wrong["Age"][0] = "x"
    width = Fault("row_width", None, "The row has 3 cells, the header has 8")

    answers = answering.answers(wrong, [2, 3], {0: width})

    assert answers.faults == {0: (width,)}
    assert str(width) == "The row has 3 cells, the header has 8"
