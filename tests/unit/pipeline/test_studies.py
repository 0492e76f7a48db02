"""Studies other than the drug study pass the whole pipeline and are answered by the API."""

import csv
import io
import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import stage
from clinical.boto3_bucket import Boto3Bucket
from clinical.contract import patient_of
from clinical.params import parse_params
from rows import Rows

from tests.studies import Asked, Json, ask, asked, study
from tests.unit.conftest import without_ids

TARGET = "Δ score, (pts)"
WIDE: Json = {
    "Pat. ID": {"kind": "identifier", "example": "Ä 1"},
    "Alter (Jahre)": {"kind": "whole_number", "min": 18, "max": 90, "nullable": True},
    "BMI": {"kind": "number", "min": 12, "max": 60, "decimals": 1, "nullable": True},
    "Größe": {"kind": "number", "min": 1.2, "max": 2.3, "decimals": 2, "nullable": True},
    'CD4 "baseline"': {"kind": "whole_number", "min": -50, "max": 1500},
    "CD8'": {"kind": "whole_number", "min": 0, "max": 5000, "nullable": True},
    "smoker?": {"kind": "yes_no", "nullable": True},
    "hemophilia": {"kind": "yes_no"},
    "性別": {"kind": "category", "values": ["女", "男"], "nullable": True},
    "arm": {"kind": "category", "values": ["placebo", "Ärm-B", 'the "third", new']},
    "ward": {"kind": "category", "values": ["No", "None", "NA", "north"], "nullable": True},
    "dose, mg": {"kind": "level", "values": [0.5, 1, 2.25], "nullable": True},
    "visit": {"kind": "level", "values": [1, 2, 3]},
    "birth": {
        "kind": "date",
        "since": "1900-01-01",
        "min": "1920-01-01",
        "max": "2008-12-31",
        "nullable": True,
    },
    "enrolled": {
        "kind": "date",
        "since": "2020-01-01",
        "min": "2019-06-01",
        "max": "2024-12-31",
    },
    "treated": {
        "kind": "date",
        "since": "enrolled",
        "min": "2019-01-01",
        "max": "2025-12-31",
        "nullable": True,
    },
    "x{y}": {"kind": "number", "min": -3, "max": 3, "decimals": 0},
    "a/b": {"kind": "number", "min": -1, "max": 1, "decimals": 3, "nullable": True},
    "возраст": {"kind": "whole_number", "min": 0, "max": 9},
    "support": {"kind": "number", "min": 0, "max": 1, "decimals": 6, "nullable": True},
    "note": {"kind": "ignored"},
    TARGET: {"kind": "number", "min": -120, "max": 40, "decimals": 1},
}
NULLABLE = [name for name, column in WIDE.items() if column.get("nullable")]
FEATURES = [name for name in WIDE if name not in {"Pat. ID", "note", TARGET}]
WIDE_TEXT = study(
    WIDE,
    {"column": TARGET, "decimals": 1, "higher_is": "worse", "bands": {"low": -120, "high": 0}},
    {
        "treatment": ["arm", "dose, mg"],
        "recorded_together": ["arm", "性別", "smoker?"],
        "known_after_treatment": ["ward"],
        "subgroups": {"性別": None, "BMI": [12, 25, 30], "smoker?": None},
    },
)


def drawn(column: Json, random: Random) -> Any:
    """Draw a value of a column, as JSON has it."""
    match column["kind"]:
        case "whole_number":
            return random.randint(column["min"], column["max"])
        case "number":
            return round(random.uniform(column["min"], column["max"]), column["decimals"])
        case "yes_no":
            return random.random() < 0.5
        case "category" | "level":
            return random.choice(column["values"])
        case "date":
            first, last = (date.fromisoformat(column[end]) for end in ("min", "max"))
            return str(first + timedelta(random.randint(0, (last - first).days)))
    return None


def patients(columns: Json, target: str, number: int, seed: int = 5) -> list[Json]:
    """Draw patients, of whom a sixth of what may be missing is."""
    random = Random(seed)  # noqa: S311 - which patients is no secret
    found = []
    for row in range(number):
        patient = {
            name: None if column.get("nullable") and random.random() < 1 / 6 else value
            for name, column in columns.items()
            if name != target and (value := drawn(column, random)) is not None
        }
        found.append({**patient, "Pat. ID": f"Ä {row}"} if "Pat. ID" in columns else patient)
    return found


def written(value: Any) -> str:
    said = {True: "Yes", False: "no", None: ""}
    if value is None or isinstance(value, bool):
        return said[value]
    return f"{value:.6f}" if isinstance(value, float) else str(value)


def as_csv(rows: list[Json], outcome: Callable[[Json], float], columns: Json, target: str) -> str:
    """Write patients with their outcome, as people may: yes and no, and nothing for nothing."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(columns)
    for row in rows:
        known = {**row, target: outcome(row)}
        cells = (known.get(name) for name in columns)
        writer.writerow(written(cell) for cell in cells)
    return buffer.getvalue()


def of_the_wide(patient: Json) -> float:
    """Make an outcome that follows from what is said, and from what is not."""
    bmi: float = 27 if patient["BMI"] is None else patient["BMI"]
    arm = {"placebo": 0, "Ärm-B": -15}.get(patient["arm"], -30)
    score: float = -20 - bmi / 2 + arm + 8 * (patient["smoker?"] is None) + 4 * patient["x{y}"]
    return round(min(40, max(-120, score)), 1)


PATIENTS = patients(WIDE, TARGET, 400)


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Asked:
    rows = as_csv(PATIENTS, of_the_wide, WIDE, TARGET)
    first = next(row for row in PATIENTS if None not in row.values())
    nothing = {name: None if name in NULLABLE else value for name, value in first.items()}
    recorded = next(
        {**nothing, **{one: row[one] for one in ("arm", "性別", "smoker?")}}
        for row in PATIENTS
        if row["性別"] is None and row["smoker?"] is None
    )
    left_out = {name: value for name, value in recorded.items() if value is not None}
    treatment = {name: first[name] for name in ("arm", "dose, mg")}
    untreated = {name: first[name] for name in first if name not in {*treatment, "ward"}}
    return ask(
        tmp_path_factory.mktemp("wide"),
        WIDE_TEXT,
        rows,
        asked("POST", "/predict", first),
        asked("POST", "/predict", first, explain=True),
        asked("POST", "/predict", recorded, explain=True),
        asked("POST", "/predict", left_out, explain=True),
        asked("POST", "/predict/batch", {"patients": [*PATIENTS[:20], {}, left_out]}),
        asked("POST", "/predict", {**first, "arm": None, "BMI": "27", "note": "?"}),
        asked("GET", "/health"),
        asked("GET", "/model"),
        asked("GET", "/dropdown-values", function="dropdown"),
        asked("POST", "/compare", {"patient": untreated}),
        asked("POST", "/compare", {"patient": untreated, "reference": treatment}),
    )


def test_a_study_of_every_kind_with_gaps_is_trained_and_promoted(wide: Asked) -> None:
    verdict = wide.came_to["evaluated"]["verdict"]

    assert len(FEATURES) == 19
    assert wide.came_to["promoted"]["decision"] == "promoted"
    assert verdict["parity"]["holds"]
    assert verdict["coverage"]["holds"]
    assert verdict["candidate"]["r2"]["value"] > 0.5
    missing = wide.came_to["preprocessed"]["missing"]
    assert set(missing) == set(NULLABLE)
    assert missing == {name: sum(row[name] is None for row in PATIENTS) for name in NULLABLE}


def test_onnx_answers_as_scikit_learn_does_on_every_row(wide: Asked) -> None:
    assert len(wide.onnx) == len(PATIENTS)
    assert np.abs(np.array(wide.onnx) - wide.sklearn).max() <= 1e-5 * 160


def test_a_patient_of_such_a_study_is_scored_under_the_studys_names(wide: Asked) -> None:
    answer = wide.answers[0]

    assert answer["status"] == 200, answer
    body = answer["body"]
    assert body["Pat. ID"].startswith("Ä ")
    assert -120 <= body["interval"]["low"] <= body[TARGET] <= body["interval"]["high"] <= 40
    assert round(body[TARGET], 1) == body[TARGET] < 0
    assert body["missing"] == []


def test_what_is_null_and_what_is_left_out_are_missing_alike(wide: Asked) -> None:
    """But for what is known after treatment: that is averaged over, for nobody knows it yet."""
    null, left_out = wide.answers[2:4]

    assert null["status"] == 200, null
    assert without_ids(null["body"]) == without_ids(left_out["body"])
    assert null["body"]["missing"] == [name for name in NULLABLE if name != "ward"]
    assert null["body"]["averaged_over"] == ["ward"]
    assert "averaged_over" not in wide.answers[0]["body"]


def test_its_treatments_are_compared_as_they_were_recorded(wide: Asked) -> None:
    """Of arm and dosage; the latter is in no combination that a request is held to."""
    first = next(row for row in PATIENTS if None not in row.values())
    alike = [
        row for row in PATIENTS if all(row[name] == first[name] for name in ("性別", "smoker?"))
    ]
    for answer in wide.answers[9:]:
        body = answer["body"]
        assert answer["status"] == 200, answer
        treatments = [tuple(one["treatment"].values()) for one in body["treatments"]]
        assert set(treatments) <= {(row["arm"], row["dose, mg"]) for row in alike}
        assert len(set(treatments)) == len(treatments) > 6
        by_score = sorted(body["treatments"], key=lambda one: one[TARGET])
        lower_wins = [one["win_probability"] for one in by_score]
        assert lower_wins == sorted(lower_wins, reverse=True)
        assert lower_wins[0] > lower_wins[-1]
        assert body["averaged_over"] == ["ward"]
        supports = [one["support"] for one in body["treatments"]]
        assert min(supports) >= 1
        assert sum(supports) <= len(alike)
        own = next(one for one in body["treatments"] if one["treatment"] == body["reference"])
        assert own["win_probability"] == 0.5
    assert wide.answers[10]["body"]["reference"] == {
        name: first[name] for name in ("arm", "dose, mg")
    }


def test_a_score_of_19_features_is_explained_by_permutations_with_their_error(wide: Asked) -> None:
    for answer in wide.answers[1:4]:
        body = answer["body"]
        assert body["explained_by"] == "permutations"
        assert set(body["contributions"]) == set(body["standard_errors"]) == set(FEATURES)
        total = body["base_value"] + sum(body["contributions"].values())
        assert total == pytest.approx(body[TARGET], abs=0.05 + 1e-3)
        assert max(body["standard_errors"].values()) > 0


def test_a_batch_of_such_a_study_answers_each_patient(wide: Asked) -> None:
    answer = wide.answers[4]

    assert answer["status"] == 200
    *scored, nobody, nothing = answer["body"]["predictions"]
    assert [one["missing"] for one in scored] == [
        [name for name in WIDE if name != "ward" and name in row and row[name] is None]
        for row in PATIENTS[:20]
    ]
    required = {*FEATURES, "Pat. ID"} - set(NULLABLE)
    assert {error["loc"][-1] for error in nobody["errors"]} == required
    assert nothing["missing"] == [name for name in NULLABLE if name != "ward"]
    assert nothing["averaged_over"] == ["ward"]


def test_what_is_wrong_is_named_by_the_studys_names(wide: Asked) -> None:
    answer = wide.answers[5]

    assert answer["status"] == 422
    assert {error["loc"][-1] for error in answer["body"]["errors"]} == {"arm", "BMI", "note"}


def test_the_other_routes_speak_of_the_study_too(wide: Asked) -> None:
    health, card, values = wide.answers[6:9]

    assert health["body"]["status"] == "healthy"
    assert card["status"] == 200
    assert TARGET in card["body"]["overview"]["predicts"]
    groups = {(one["feature"], one["group"]) for one in card["body"]["subgroups"]}
    assert groups >= {("smoker?", "yes"), ("smoker?", "missing"), ("BMI", "12 to under 25")}
    assert values["status"] == 200
    fields = {one["name"]: one for one in values["body"]["fields"]}
    assert list(fields) == [name for name in WIDE if name not in {"note", TARGET}] + [TARGET]
    assert fields["ward"]["values"] == ["No", "None", "NA", "north"]
    assert fields["treated"]["range"] == ["2019-01-01", "2025-12-31"]
    assert {"arm", "性別", "smoker?"} == set(values["body"]["valid_combinations"][0])
    assert None in {one["性別"] for one in values["body"]["valid_combinations"]}


def outcome_of(target: str = "score") -> Json:
    return {"column": target, "decimals": 0, "higher_is": "better", "bands": {"all": 0}}


SCORE: Json = {"kind": "whole_number", "min": 0, "max": 100}
SMALL: dict[str, tuple[Json, Callable[[Json], float]]] = {
    "three columns": (
        {
            "Pat. ID": {"kind": "identifier"},
            "dose": {"kind": "number", "min": 0, "max": 9, "decimals": 2},
            "score": SCORE,
        },
        lambda row: round(10 * row["dose"]),
    ),
    "nobody is named": (
        {
            "dose": {"kind": "whole_number", "min": 0, "max": 9},
            "arm": {"kind": "category", "values": ["a", "b"]},
            "score": SCORE,
        },
        lambda row: 10 * row["dose"] + 5 * (row["arm"] == "a"),
    ),
    "only categories": (
        {
            "arm": {"kind": "category", "values": ["a", "b", "c"], "nullable": True},
            "ward": {"kind": "category", "values": ["north", "south"]},
            "score": SCORE,
        },
        lambda row: 30 * (row["arm"] == "a") + 20 * (row["ward"] == "north"),
    ),
    "only numbers, which may be missing": (
        {
            "dose": {"kind": "number", "min": 0, "max": 9, "decimals": 1, "nullable": True},
            "visits": {"kind": "whole_number", "min": 0, "max": 9, "nullable": True},
            "score": SCORE,
        },
        lambda row: 50 if row["dose"] is None else round(9 * row["dose"]),
    ),
    "one yes or no": (
        {"treated": {"kind": "yes_no"}, "score": SCORE},
        lambda row: 60 if row["treated"] else 20,
    ),
}


@pytest.mark.parametrize("name", SMALL)
def test_a_small_study_is_trained_and_answered(name: str, tmp_path: Path) -> None:
    columns, outcome = SMALL[name]
    rows = patients(columns, "score", 120)
    text = as_csv(rows, outcome, columns, "score")

    found = ask(
        tmp_path,
        study(columns, outcome_of()),
        text,
        asked("POST", "/predict", rows[0], explain=True),
        asked("POST", "/predict/batch", {"patients": rows}),
        asked("GET", "/dropdown-values", function="dropdown"),
        asked("GET", "/model"),
    )

    assert found.came_to["promoted"]["decision"] == "promoted"
    assert np.abs(np.array(found.onnx) - found.sklearn).max() <= 1e-5 * 100
    assert [one["status"] for one in found.answers] == [200] * 4, json.dumps(found.answers)[:2000]
    one, many, values, _ = (answer["body"] for answer in found.answers)
    assert one["explained_by"] == "exact"
    assert ("Pat. ID" in one) == ("Pat. ID" in columns)
    assert sum(one["contributions"].values()) + one["base_value"] == pytest.approx(
        one["score"], abs=0.5 + 1e-3
    )
    assert one["support"] == 96  # no roles: every training row
    expected = np.clip(np.round(found.sklearn), 0, 100)
    assert [row["score"] for row in many["predictions"]] == pytest.approx(expected, abs=1)
    assert values["valid_combinations"] == [{}]


def test_what_was_recorded_together_is_judged_as_it_is_rounded(tmp_path: Path) -> None:
    columns: Json = {
        "dose": {"kind": "number", "min": 0, "max": 1, "decimals": 1, "nullable": True},
        "visits": {"kind": "whole_number", "min": 0, "max": 9},
        "score": SCORE,
    }
    rows = patients(columns, "score", 120)
    text = as_csv(rows, lambda row: 9 * row["visits"], columns, "score")

    found = ask(
        tmp_path,
        study(columns, outcome_of(), {"recorded_together": ["dose"]}),
        text,
        asked("POST", "/predict", {"dose": 0.5432, "visits": 1}),
        asked("POST", "/predict", {"dose": 0.5432, "visits": 10}),
        asked("POST", "/predict", {"visits": 10}),
        asked("POST", "/predict/batch", {"patients": [{"dose": 0.5432, "visits": 10}]}),
    )

    right, wrong, nothing, batch = found.answers
    assert right["status"] == 200
    assert right["body"]["support"] > 0
    (in_batch,) = batch["body"]["predictions"]
    for problem in (wrong["body"], nothing["body"], in_batch):
        assert [error["type"] for error in problem["errors"]] == ["less_than_equal"]


ODD_NAMES = (
    "a",
    "A",
    "b c",
    "b_c",
    "x/y",
    "Δ",
    "n'",
    'q"',
    "variable",
    "input",
    "1",
    "true",
    "e,f",
)
ODD_WORDS = ("a", "No", "Yes", "None", "NA", "1", "0", "-", "x,y", 'q"r', "é", "null", "nan")


def column_by_chance(random: Random) -> Json:
    """A column of any kind, on a scale that may be tiny, huge or below 0."""
    kind = random.choice(["whole_number", "number", "yes_no", "category", "level", "date"])
    lowest = random.choice([-1000, -1, 0, 10**6])
    highest = lowest + random.choice([1, 3, 10**5])
    settings: dict[str, Json] = {
        "whole_number": {"min": lowest, "max": highest},
        "number": {"min": lowest, "max": highest, "decimals": random.randint(0, 6)},
        "category": {"values": random.sample(ODD_WORDS, random.randint(1, 8))},
        "level": {"values": random.sample([0, 1, 5, 0.1, 0.25, -1, 1000], random.randint(1, 6))},
        "date": {"since": "2000-01-01", "min": "1990-01-01", "max": "2030-01-01"},
    }
    return {"kind": kind, "nullable": random.random() < 0.5, **settings.get(kind, {})}


@pytest.mark.parametrize("seed", range(6))
def test_any_study_says_the_same_in_a_csv_in_json_and_to_both_models(
    seed: int,
    bucket: Boto3Bucket,
    upload: Callable[[bytes], str],
    retrain: Callable[[str], Json],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    random = Random(seed)  # noqa: S311 - which columns is no secret
    names = random.sample(ODD_NAMES, random.randint(2, 11))
    columns = {**{name: column_by_chance(random) for name in names}, "score": SCORE}
    together = random.sample(names, random.randint(0, 2))
    text = study(columns, outcome_of(), {"recorded_together": together})
    decisions = parse_params(text)
    monkeypatch.setattr(stage, "params", lambda: decisions)
    rows = patients(columns, "score", 120, seed)
    upload(as_csv(rows, lambda row: len(json.dumps(row)) % 50, columns, "score").encode())

    came_to = retrain("one")

    assert came_to["evaluated"]["verdict"]["parity"]["holds"]
    validated = Rows(bucket.get(came_to["validated"]["dataset"]["key"]).body, decisions)
    of_csv = {name: column.tolist() for name, column in validated.features().items()}
    asked_for = patient_of(decisions)
    of_json = [
        decisions.features_of(asked_for.model_validate_json(json.dumps(row)).values) for row in rows
    ]
    for name, column in of_csv.items():
        known = [row[name] for row in of_json]
        assert list(map(str, known)) == [
            str(type(one)(cell)) for one, cell in zip(known, column, strict=True)
        ]
