"""What is exported is a data set that passes validation, with the prediction's id for a patient."""

import csv
import io
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from clinical.captured import Captured, new_ids
from clinical.kinds import Column, Kind, Value, broken_rule
from clinical.outcomes import Outcome
from clinical.params import Params, params, read_params
from exporting import LeftOut, cell_of, joined_csv, told
from pydantic import TypeAdapter
from retrain.stages.validate import judge
from tables import read

from tests.unit.conftest import ROOT
from tests.unit.pipeline.monitor.clouds import utc

NOON = utc(2026, 11, 23, 12)


def captured(features: dict[str, Value], one: str, version: str = "v-00000000") -> Captured:
    return Captured(
        prediction_id=one,
        predicted_at=NOON,
        source="predict",
        model_version=version,
        features=features,
        score=6.5,
        low=4.0,
        high=8.25,
        coverage=0.9,
    )


def outcome(one: str, value: float) -> Outcome:
    return Outcome(
        prediction_id=one,
        value=value,
        observed_at=NOON + timedelta(days=30),
        received_at=NOON + timedelta(days=31),
        told_by="api",
    )


def rows_of(sample: Path, decisions: Params) -> list[tuple[Captured, Outcome]]:
    """The rows of a data set as if they had been predicted, and observed since."""
    with sample.open(newline="") as lines:
        rows = list(csv.DictReader(lines))[:120]
    return [
        (
            captured(
                {
                    name: kind.value(kind.canonical(row[name]))
                    for name, kind in decisions.features.items()
                },
                one,
            ),
            outcome(one, float(row[decisions.target.column])),
        )
        for row, one in zip(rows, new_ids(len(rows)), strict=True)
    ]


def exported(
    rows: list[tuple[Captured, Outcome]], decisions: Params, left_out: LeftOut | None = None
) -> str:
    outcomes = {of.prediction_id: of for _, of in rows}
    return "".join(joined_csv((one for one, _ in rows), outcomes, decisions, left_out))


def test_what_is_exported_passes_validation(sample: Path) -> None:
    rows, left_out = rows_of(sample, params()), Counter[tuple[str, str | None]]()

    text = exported(rows, params(), left_out)

    report, _ = judge(read("new.csv", text.encode(), params()), params())
    assert (report.rows, report.violations, report.notes) == (120, (), ())
    assert not left_out
    first = next(csv.DictReader(io.StringIO(text)))
    with sample.open(newline="") as lines:
        recorded = next(csv.DictReader(lines))
    assert first.pop("Patient_ID") == rows[0][0].prediction_id
    assert first == {name: cell for name, cell in recorded.items() if name != "Patient_ID"}


def test_predictions_without_an_outcome_are_no_rows(sample: Path) -> None:
    rows = rows_of(sample, params())
    outcomes = {of.prediction_id: of for _, of in rows[::2]}

    lines = list(joined_csv((one for one, _ in rows), outcomes, params()))

    assert len(lines) == 1 + 60


def test_what_a_data_set_cannot_have_is_left_out_and_told(sample: Path) -> None:
    rows, left_out = rows_of(sample, params()), Counter[tuple[str, str | None]]()
    without: dict[str, Any] = {"Side_Effects": None}
    for place in range(3):
        one, of = rows[place]
        rows[place] = replace(one, features={**one.features, **without}), of
    one, of = rows[3]
    rows[3] = replace(one, features={**one.features, "Age": 7}), of
    one, of = rows[4]
    rows[4] = replace(one, features={**one.features, "Age": "fifty"}), of
    one, of = rows[5]
    rows[5] = one, of.model_copy(update={"prediction_id": new_ids(1)[0]})

    text = exported(rows, params(), left_out)

    assert len(text.splitlines()) == 1 + 120 - 6
    assert list(told(left_out)) == [
        "3 rows left out: `Side_Effects` was not known at the time of prediction.",
        "1 row left out: `Age` breaks the rule out_of_range in params.yaml.",
        "1 row left out: `Age` breaks the rule whole_number in params.yaml.",
        "1 outcome left out: no captured prediction has the id.",
    ]


def test_nothing_to_export_is_a_header() -> None:
    assert list(joined_csv((), {}, params())) == [",".join(params().read) + "\n"]


@pytest.mark.parametrize("study", ["diabetes", "actg175"])
def test_every_study_can_export(study: str) -> None:
    decisions = read_params(ROOT / "studies" / study / "params.yaml")
    features: dict[str, Value] = {
        name: kind.example if kind.example is not None else _any(kind.widget)
        for name, kind in decisions.features.items()
    }
    lowest, highest = decisions.scale
    ids = new_ids(60)
    rows = [
        (captured(features, one), outcome(one, lowest if place % 2 else highest))
        for place, one in enumerate(ids)
    ]

    text = exported(rows, decisions)

    report, _ = judge(read("new.csv", text.encode(), decisions), decisions)
    assert (report.rows, report.violations) == (60, ())


@pytest.mark.parametrize(
    ("declared", "value", "cell"),
    [
        ({"kind": "yes_no"}, True, "yes"),
        ({"kind": "yes_no"}, False, "no"),
        ({"kind": "yes_no", "nullable": True}, None, ""),
        ({"kind": "whole_number", "min": 0, "max": 99}, 56, "56"),
        ({"kind": "whole_number", "min": 0, "max": 99, "nullable": True}, 56.0, "56"),
        ({"kind": "number", "min": 0, "max": 1, "decimals": 6}, 1e-06, "0.000001"),
        ({"kind": "number", "min": -1, "max": 1, "decimals": 2}, -0.5, "-0.5"),
        ({"kind": "number", "min": 0, "max": 1e12, "decimals": 1}, 1e12, "1000000000000.0"),
        ({"kind": "level", "values": [0.5, 1]}, 1, "1.0"),
        ({"kind": "level", "values": [50, 100]}, 50.0, "50"),
        ({"kind": "category", "values": ["a, b", 'c "d"']}, "a, b", "a, b"),
        ({"kind": "category", "values": ["да", "Größe"], "nullable": True}, "Größe", "Größe"),
        (
            {"kind": "date", "since": "2020-01-01", "min": "2020-01-01", "max": "2030-01-01"},
            "2026-11-26",
            "2026-11-26",
        ),
    ],
)
def test_a_value_is_written_as_its_kind_writes_it(
    declared: dict[str, Any], value: Value, cell: str
) -> None:
    kind: Kind = TypeAdapter(Column).validate_python(declared)

    written = cell_of(kind, value)

    assert written == cell
    assert broken_rule(written, kind.rules()) is None
    assert kind.value(written) == value


def _any(widget: Any) -> Any:
    return widget["values"][0] if "values" in widget else widget["range"][0]
