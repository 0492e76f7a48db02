"""What cells are answered is what the model answers requests, bit for bit."""

import csv
import math
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
from clinical.params import params, parse_params
from clinical.reference import Conformal, GroupWidth, Reference
from clinical.registry import MODEL, REFERENCE, Champion
from model.loader import Model
from model.scorer import Scorer
from score.scoring import Answers, Scoring

from tests.studies import Json, study
from tests.unit.conftest import candidate_on
from tests.unit.pipeline.score.conftest import SAMPLE, Desk
from tests.unit.pipeline.test_studies import (
    NULLABLE,
    PATIENTS,
    WIDE,
    WIDE_TEXT,
    as_csv,
    of_the_wide,
    patients,
    written,
)
from tests.unit.pipeline.test_studies import TARGET as WIDE_TARGET

if TYPE_CHECKING:
    from clinical.obstore_bucket import ObstoreBucket

LATER = "Side_Effects"
type Row = dict[str, str]


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    with SAMPLE.open(encoding="utf-8", newline="") as file:
        return [{name: row[name] for name in params().asked} for row in csv.DictReader(file)]


def answers(model: Model, rows: list[Row]) -> Answers:
    columns = {name: [row[name] for row in rows] for name in rows[0]} if rows else {}
    return Scoring(model).answers(columns, len(rows))


def as_request(row: Row) -> dict[str, Any]:
    kinds = params().columns
    return {name: kinds[name].value(cell) for name, cell in row.items()}


def check_equals(model: Model, rows: list[Row]) -> None:
    """Compare with the very answers that requests get, without any tolerance."""
    found = answers(model, rows)

    expected = model.predict([as_request(row) for row in rows])
    assert found.faults == {}
    assert found.scores == [one.score for one in expected]
    assert found.lows == [one.low for one in expected]
    assert found.highs == [one.high for one in expected]
    assert found.supports == [one.support for one in expected]
    assert found.averaged == [one.averaged_over for one in expected]


def test_rows_are_answered_as_requests_are(desk: Desk, rows: list[Row]) -> None:
    check_equals(desk.model, rows[:300])


def test_what_is_known_after_treatment_may_be_left_out(desk: Desk, rows: list[Row]) -> None:
    check_equals(desk.model, [{**row, LATER: ""} for row in rows[:100]])


def test_rows_with_and_without_it_may_be_mixed(desk: Desk, rows: list[Row]) -> None:
    random = Random(1)  # noqa: S311 - which rows is no secret

    check_equals(
        desk.model, [{**row, LATER: random.choice([row[LATER], ""])} for row in rows[:100]]
    )


def test_a_column_that_is_not_there_is_not_said(desk: Desk, rows: list[Row]) -> None:
    without = [{name: cell for name, cell in row.items() if name != LATER} for row in rows[:20]]

    assert answers(desk.model, without) == answers(
        desk.model, [{**row, LATER: ""} for row in rows[:20]]
    )


def test_one_row_is_answered_alone_as_among_others(desk: Desk, rows: list[Row]) -> None:
    together = answers(desk.model, rows[:20])

    alone = [answers(desk.model, [row]) for row in rows[:20]]

    assert [one.scores[0] for one in alone] == together.scores
    assert [one.lows[0] for one in alone] == together.lows


def test_no_row_is_answered_nothing(desk: Desk) -> None:
    assert answers(desk.model, []) == Answers([], [], [], [], [])


def test_answers_do_not_hang_on_what_was_answered_before(desk: Desk, rows: list[Row]) -> None:
    scoring = Scoring(desk.model)
    halves = [rows[:30], rows[20:50]]

    found = [
        scoring.answers({name: [row[name] for row in half] for name in half[0]}, len(half))
        for half in halves
    ]

    assert found == [answers(desk.model, half) for half in halves]


def test_all_that_is_wrong_with_a_row_is_told_in_the_contracts_order(
    desk: Desk, rows: list[Row]
) -> None:
    wrong = {**rows[0], "Patient_ID": "", "Age": "x", "Gender": "y", LATER: "z"}

    found = answers(desk.model, [rows[1], wrong])

    assert list(found.faults) == [1]
    assert [(one.column, one.rule) for one in found.faults[1]] == [
        ("Patient_ID", "missing"),
        ("Age", "whole_number"),
        ("Gender", "unknown_value"),
        (LATER, "unknown_value"),
    ]
    assert found.scores[0] == answers(desk.model, [rows[1]]).scores[0]
    assert math.isnan(found.scores[1])


def test_a_combination_that_was_never_recorded_is_refused_as_the_api_does(
    desk: Desk, rows: list[Row]
) -> None:
    wrong = {**rows[0], "Condition": "Infection", "Drug_Name": "Sertraline"}

    found = answers(desk.model, [wrong, {**wrong, LATER: ""}, {**wrong, "Age": "x"}])

    assert [[one.rule for one in faults] for faults in found.faults.values()] == [
        ["unrecorded_combination"],
        ["unrecorded_combination"],
        ["whole_number", "unrecorded_combination"],
    ]
    expected = desk.model.unrecorded(as_request(wrong))
    assert expected is not None
    assert found.faults[0][0].message == expected.msg
    assert found.faults[0][0].column is None
    assert found.supports == [0, 0, 0]


def test_a_cell_that_is_wrong_in_a_combination_is_told_alone(desk: Desk, rows: list[Row]) -> None:
    found = answers(desk.model, [{**rows[0], "Drug_Name": "nothing known"}])

    assert [one.rule for one in found.faults[0]] == ["unknown_value"]


def test_intervals_go_by_groups_where_the_model_has_such(desk: Desk, rows: list[Row]) -> None:
    by_gender = [
        Conformal(
            coverage=0.9,
            half_width=1.0,
            residuals=800,
            folds=5,
            over=over,
            by=("Gender",),
            groups=(GroupWidth(of=("Female",), half_width=2.0, residuals=400),),
        )
        for over in ((), (LATER,))
    ]
    reference = desk.model.reference.model_copy(
        update={"interval": by_gender[0], "averaged": (by_gender[1],)}
    )
    reference.__dict__.pop("intervals", None)
    model = replace(desk.model, reference=reference)

    check_equals(model, [*rows[:50], *({**row, LATER: ""} for row in rows[:50])])
    found = answers(model, rows[:50])
    widths = np.array(found.highs) - found.lows
    is_female = np.array([row["Gender"] == "Female" for row in rows[:50]])
    assert widths[is_female].mean() > widths[~is_female].mean() + 1


def test_a_model_that_cannot_average_asks_for_what_is_left_out(desk: Desk, rows: list[Row]) -> None:
    reference = desk.model.reference.model_copy(update={"averaged": ()})
    reference.__dict__.pop("intervals", None)
    model = replace(desk.model, reference=reference)

    found = answers(model, [rows[0], {**rows[0], LATER: ""}])

    assert list(found.faults) == [1]
    (fault,) = found.faults[1]
    assert (fault.rule, fault.column) == ("missing", LATER)
    assert fault.message.startswith("Field required: the current model was trained before")


# ---- Other studies ----


def model_of(decided: str, rows: str) -> Model:
    """Train a small model of another study; nobody promotes it."""
    decisions = parse_params(decided)
    trained = candidate_on(rows.encode(), decisions)
    reference = Reference.model_validate_json(trained.files[REFERENCE])
    names = decisions.roles.recorded_together
    return Model(
        version="v-00000000",
        bucket=cast("ObstoreBucket", None),  # from which only a card would be read
        champion=cast("Champion", None),
        scorer=Scorer(trained.files[MODEL]),
        reference=reference,
        params=decisions,
        training_rows={
            tuple(one.values.get(name) for name in names): one.training_rows
            for one in reference.combinations
        },
    )


def check_study(model: Model, recorded: list[Json]) -> None:
    """Compare with what requests get, who leave out what is missing."""
    names = list(model.params.asked)
    columns = {name: [written(row.get(name)) for row in recorded] for name in names}

    found = Scoring(model).answers(columns, len(recorded))

    values = [{name: row.get(name) for name in names} for row in recorded]
    wrong = {row for row, one in enumerate(values) if model.unrecorded(one) is not None}
    fine = [row for row in range(len(recorded)) if row not in wrong]
    expected = model.predict([values[row] for row in fine])
    assert set(found.faults) == wrong
    assert len(fine) > len(recorded) / 2
    assert [found.scores[row] for row in fine] == [one.score for one in expected]
    assert [found.lows[row] for row in fine] == [one.low for one in expected]
    assert [found.highs[row] for row in fine] == [one.high for one in expected]
    assert [found.supports[row] for row in fine] == [one.support for one in expected]
    assert [found.averaged[row] for row in fine] == [one.averaged_over for one in expected]


@pytest.fixture(scope="module")
def wide() -> Model:
    recorded = as_csv(PATIENTS, of_the_wide, WIDE, WIDE_TARGET)
    return model_of(WIDE_TEXT, recorded)


def test_a_study_of_every_kind_with_gaps_is_answered_as_requests_are(wide: Model) -> None:
    check_study(wide, PATIENTS)


def test_its_patients_are_averaged_over_what_is_known_later(wide: Model) -> None:
    check_study(wide, [{**row, "ward": None} for row in PATIENTS[:60]])


def test_its_columns_may_be_missing_where_they_may_be_empty(wide: Model) -> None:
    there = [name for name in wide.params.asked if name not in NULLABLE]
    columns = {name: [written(row.get(name)) for row in PATIENTS[:40]] for name in there}

    found = Scoring(wide).answers(columns, 40)

    emptied = [{name: row.get(name) for name in there} for row in PATIENTS[:40]]
    wrong = {row for row, one in enumerate(emptied) if wide.unrecorded(one) is not None}
    assert set(found.faults) == wrong
    assert {rule.rule for faults in found.faults.values() for rule in faults} <= {
        "unrecorded_combination"
    }


def test_a_day_without_the_day_it_is_counted_from_is_missing(wide: Model) -> None:
    check_study(wide, [{**row, "treated": "2024-02-29", "birth": None} for row in PATIENTS[:30]])


def test_a_study_without_an_identifier_is_answered() -> None:
    columns: Json = {
        "dose": {"kind": "number", "min": 0, "max": 9, "decimals": 1, "nullable": True},
        "arm": {"kind": "category", "values": ["a", "b"]},
        "start": {"kind": "date", "since": "2020-01-01", "min": "2019-01-01", "max": "2025-01-01"},
        "end": {"kind": "date", "since": "start", "min": "2019-01-01", "max": "2026-01-01"},
        "score": {"kind": "number", "min": 0, "max": 10, "decimals": 1},
    }
    target = {"column": "score", "decimals": 1, "higher_is": "better", "bands": {"all": 0}}
    recorded = patients(columns, "score", 120)
    rows = as_csv(recorded, lambda row: 3.0 + 4 * (row["arm"] == "a"), columns, "score")

    check_study(model_of(study(columns, target), rows), recorded)
