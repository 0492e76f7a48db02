"""A study of one's own: proposed from its data, served, and extended by one edit each."""

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.conftest import ROOT, Laptop, Laptops, few_trees_in
from tests.patience import until

ROWS = 300
NEW_DRUG, OLDEST = "Venlafaxine", 95
OTHER_CONTRACT = "ModelOfAnotherStudy"


@pytest.fixture(scope="module")
def own(start_laptop: Laptops, tmp_path_factory: pytest.TempPathFactory) -> Laptop:
    """A laptop with a study of its own: the drug study's decisions, with a forest soon fitted."""
    folder = tmp_path_factory.mktemp("studies") / "own"
    folder.mkdir()
    few_trees_in(folder)
    laptop = start_laptop("own").with_study(str(folder))
    served(laptop, written(folder, rows()))
    return laptop


def rows() -> list[dict[str, Any]]:
    with (ROOT / "data/sample.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))[:ROWS]


def written(folder: Path, data: list[dict[str, Any]]) -> Path:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(data[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(data)
    path = folder / "data.csv"
    path.write_text(buffer.getvalue(), encoding="utf-8")
    return path


def edited(laptop: Laptop, edit: Callable[[dict[str, Any]], None]) -> Path:
    """Edit the study's params.yaml, and give its folder."""
    file = Path(laptop.study) / "params.yaml"
    decided = yaml.safe_load(file.read_text("utf-8"))
    edit(decided["schema"])
    file.write_text(yaml.safe_dump(decided, sort_keys=False), "utf-8")
    return file.parent


def served(laptop: Laptop, data: Path) -> str:
    """Run the one command, and give what it printed."""
    done = laptop.run("up", DATA=str(data))
    assert done.returncode == 0, done.stdout
    assert "was promoted" in done.stdout, done.stdout
    return done.stdout


def asked(row: dict[str, Any], **said: object) -> dict[str, Any]:
    numbers = {"Age", "Dosage_mg", "Treatment_Duration_days"}
    return {
        name: int(value) if name in numbers else value
        for name, value in row.items()
        if name != "Improvement_Score"
    } | said


def test_a_new_value_and_a_wider_range_are_one_edit_each_and_one_command(own: Laptop) -> None:
    data = rows()
    of_the_new = [row for row in data if row["Drug_Name"] == "Sertraline"][::2]
    patients = [asked(of_the_new[0], Drug_Name=NEW_DRUG), asked(data[1], Age=OLDEST)]
    assert [own.post("/predict", patient).status for patient in patients] == [422, 422]

    edited(own, lambda schema: schema["Drug_Name"]["values"].append(NEW_DRUG))
    folder = edited(own, lambda schema: schema["Age"].update(max=OLDEST))
    for row in of_the_new:
        row["Drug_Name"] = NEW_DRUG
    data[1]["Age"] = OLDEST
    served(own, written(folder, data))

    until(
        lambda: all(own.post("/predict", patient).status == 200 for patient in patients),
        "an answer for the new drug and for the age",
    )
    offered = own.get("/dropdown-values").body
    assert NEW_DRUG in offered["drugs"]
    assert offered["age_range"] == [18, OLDEST]


def test_a_new_column_is_one_edit_and_one_command(own: Laptop) -> None:
    data = rows()
    patient = asked(data[0], BMI=23.5)
    assert own.post("/predict", patient).status == 422

    folder = edited(
        own,
        lambda schema: schema.update(
            BMI={"kind": "number", "min": 10, "max": 60, "decimals": 1, "unit": "kg/m²"}
        ),
    )
    for number, row in enumerate(data):
        row["BMI"] = 18 + number % 200 / 10
    served(own, written(folder, data))

    until(lambda: own.post("/predict", patient).status == 200, "an answer with the new column")
    assert own.post("/predict", asked(rows()[0])).status == 422
    assert own.get("/health").status == 200
    assert any(one["name"] == "BMI" for one in own.get("/dropdown-values").body["fields"])


def test_until_it_is_trained_anew_each_route_says_what_is_the_matter(own: Laptop) -> None:
    edited(own, lambda schema: schema["BMI"].update(max=61))
    stack = own.stack
    stack.build()
    stack.deploy()

    answers = {path: own.get(path) for path in ("/health", "/model", "/dropdown-values")}

    assert {path: answer.status for path, answer in answers.items()} == dict.fromkeys(answers, 503)
    assert [path for path, one in answers.items() if OTHER_CONTRACT not in one.text] == []
    assert own.post("/predict", asked(rows()[0], BMI=23.5)).status == 503
