"""The retrain state machine, started by uploads and by hand, on good data and on bad."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from clinical.params import params

from local import executions
from tests.integration.conftest import Laptop, of_few_trees
from tests.patience import until


def lineage(laptop: Laptop, execution: dict[str, Any]) -> dict[str, Any]:
    name = execution["executionArn"].rsplit(":", 1)[-1]
    found: dict[str, Any] = laptop.artefact(f"runs/{name}/lineage.json")
    return found


def test_the_real_data_ends_in_a_served_model(laptop: Laptop, real_data: Path) -> None:
    done = laptop.run("retrain", DATA=str(real_data))

    assert done.returncode == 0, done.stdout
    assert "does not beat a baseline that always predicts the average" in done.stdout
    assert "It does not beat the average baseline" in done.stdout
    champion = laptop.artefact("models/champion.json")
    verdict = champion["verdict"]
    assert verdict["decision"] == "promoted_with_warning"
    assert verdict["candidate"]["rmse"]["value"] == pytest.approx(1.475, abs=0.05)
    assert verdict["rmse_difference"]["low"] < 0 < verdict["rmse_difference"]["high"]
    assert verdict["parity"]["max_error"] <= 1e-4
    laptop.wait_until_served(champion["version"])


def test_no_client_can_miss_what_the_model_is_worth(
    laptop: Laptop, patient: dict[str, object]
) -> None:
    skill = laptop.post("/predict", patient).body["skill"]
    card = laptop.get("/model").body

    assert skill["beats_average"] is False
    assert skill["r2"] < 0
    assert card["overview"]["limits"][0].startswith("The model does not beat the average baseline")


def test_a_second_run_on_the_same_data_promotes_nothing_new(laptop: Laptop) -> None:
    champion = laptop.artefact("models/champion.json")

    ended = laptop.ended(executions.start(laptop.stack))

    assert ended["status"] == "SUCCEEDED"
    assert json.loads(ended["output"])["decision"] == "already_champion"
    assert laptop.artefact("models/champion.json") == champion
    stages = lineage(laptop, ended)["stages"]
    assert [name for name in sorted(stages) if stages[name]["from_cache_of"] is None] == [
        "admit",
        "annotate",
        "document",
        "evaluate",
        "ingest",
        "promote",
        "publish",
        "replay",
    ]


def test_bad_data_is_rejected_with_all_of_it_in_one_report_and_the_champion_answers(
    laptop: Laptop, sample: Path, tmp_path: Path, patient: dict[str, object]
) -> None:
    with sample.open(newline="") as file:
        header, *rows = csv.reader(file)
    column = {name: number for number, name in enumerate(header)}
    rows[0][column["Condition"]] = "Flu"
    rows[1][column["Age"]] = "17"
    rows[2][column["Improvement_Score"]] = "NaN"
    rows[4][column["Patient_ID"]] = rows[3][column["Patient_ID"]]
    for line in (header, *rows):
        line.pop(column["Gender"])
    bad = tmp_path / "bad.csv"
    with bad.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])

    ended = laptop.retrain_on(bad)

    assert ended["status"] == "FAILED"
    assert ended["error"] == "DatasetRejected"
    cause = json.loads(ended["cause"])
    assert {(one["rule"], one["column"]) for one in cause["violations"]} == {
        ("column_missing", "Gender"),
        ("unknown_value", "Condition"),
        ("out_of_range", "Age"),
        ("missing", "Improvement_Score"),
        ("repeated", "Patient_ID"),
    }
    report = laptop.artefact(cause["report"]["key"])
    assert report["violations"] == cause["violations"]
    assert laptop.post("/predict", patient).status == 200


@pytest.mark.parametrize("body", [b"", b"Patient_ID,Age\n", b"\x89PNG\r\n\x1a\n", b'a,b\n"1,2\n'])
def test_what_is_no_csv_ends_in_its_own_failure(
    laptop: Laptop, tmp_path: Path, body: bytes
) -> None:
    file = tmp_path / "unreadable.csv"
    file.write_bytes(body)

    ended = laptop.retrain_on(file)

    assert ended["status"] == "FAILED"
    assert ended["error"] == "DatasetUnreadable"
    assert "raw/unreadable.csv" in ended["cause"]


def test_the_command_shows_a_rejection_and_fails(laptop: Laptop, tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text("Patient_ID,Age\nP0001,17\n")

    done = laptop.run("retrain", DATA=str(bad))

    assert done.returncode == 1
    for shown in ("DatasetRejected", "out_of_range", "column_missing", "too_few_rows"):
        assert shown in done.stdout
    assert "P0001" not in done.stdout


def test_up_with_a_bad_upload_says_so_and_serves_on(laptop: Laptop, tmp_path: Path) -> None:
    bad = tmp_path / "worse.csv"
    bad.write_text("Patient_ID,Age\nP0001,16\n")

    done = laptop.run("up", DATA=str(bad))

    assert done.returncode == 0, done.stdout
    assert "DatasetRejected; the champion stays" in done.stdout
    assert '"Improvement_Score"' in done.stdout


def test_a_good_upload_after_bad_ones_serves(laptop: Laptop, sample: Path) -> None:
    ended = laptop.retrain_on(sample)

    assert ended["status"] == "SUCCEEDED"
    laptop.wait_until_served(json.loads(ended["output"])["version"])


def test_the_card_has_the_learning_curve_and_says_whether_more_rows_would_help(
    laptop: Laptop,
) -> None:
    ended = laptop.ended(executions.start(laptop.stack))
    version = json.loads(ended["output"])["version"]
    annex = laptop.artefact(f"models/{version}/learning_curve.json")
    laptop.wait_until_served(version)
    until(lambda: laptop.get("/model").body["learning_curve"], "the curve in the card")

    curve = laptop.get("/model").body["learning_curve"]

    assert curve == {name: annex[name] for name in curve}
    assert [one["fraction"] for one in curve["points"]] == list(params().learning_curve.fractions)
    assert "more rows would" in curve["says"]


def test_an_execution_that_is_stopped_in_a_branch_promotes_nothing(
    laptop: Laptop, sample: Path, tmp_path: Path
) -> None:
    champion = laptop.artefact("models/champion.json")
    fewer = tmp_path / "stopped.csv"
    fewer.write_bytes(b"".join(sample.read_bytes().splitlines(keepends=True)[:301]))
    arn = executions.upload(laptop.stack, fewer)
    until(lambda: "Train" in names(laptop, arn, "Entered"), "training")

    laptop.stack.stepfunctions.stop_execution(executionArn=arn)
    # The function goes on to its end.
    until(lambda: "Train" in names(laptop, arn, "Exited"), "the end of its training")

    assert "Evaluate" not in names(laptop, arn, "Entered")
    assert laptop.artefact("models/champion.json") == champion
    assert laptop.ended(arn)["status"] == "ABORTED"


def names(laptop: Laptop, arn: str, kind: str) -> list[str]:
    """The states that an execution entered, or exited."""
    return [
        event[f"state{kind}EventDetails"]["name"]
        for event in executions.history(laptop.stack, arn)
        if event["type"].endswith(f"State{kind}")
    ]


def test_tuning_tries_every_candidate_and_trains_with_the_chosen_one(
    laptop: Laptop, sample: Path, tmp_path: Path
) -> None:
    few = tmp_path / "few.csv"
    few.write_bytes(b"".join(sample.read_bytes().splitlines(keepends=True)[:401]))

    with of_few_trees(laptop, tmp_path):
        laptop.retrain_on(few)
        ended = laptop.ended(executions.start(laptop.stack, {"tune": True}))

    assert ended["status"] == "SUCCEEDED", ended
    stages = lineage(laptop, ended)["stages"]
    report = laptop.artefact(stages["choose"]["output"]["tuning"]["key"])
    chosen = [one for one in report["candidates"] if one["chosen"]]
    assert len(report["candidates"]) == len(params().tuning.candidates("small"))
    assert [one["hyperparameters"] for one in chosen] == [
        stages["train"]["output"]["hyperparameters"]
    ]
