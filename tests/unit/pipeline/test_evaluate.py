import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import stage
from clinical.artefacts import Artefacts, Bucket, sha256
from clinical.boto3_bucket import Boto3Bucket
from clinical.kinds import Number
from clinical.params import Params, params
from clinical.reference import Conformal
from clinical.registry import MODEL, TRAINING_ROWS, Registry
from grouped import groups_in
from model.scorer import Columns
from retrain.against import rows_new_to
from retrain.importance import importances
from retrain.stages.evaluate import compared, covered, evaluate, within
from rows import Rows
from subgroups import subgroups

from data.generate import as_csv, patients
from tests.pipeline import Context, rows_of
from tests.unit.conftest import emf_lines, fact_lines, smaller, with_column
from tests.unit.pipeline.conftest import Retrained, without_signal

pytestmark = pytest.mark.usefixtures("few_trees")

type Retrain = Callable[[str], dict[str, Any]]
type Upload = Callable[[bytes], str]
type Scores = np.ndarray[tuple[int], np.dtype[np.float64]]


def stumps(decisions: Params) -> Params:
    """The same decisions with a forest of roots alone, which can only answer the average."""
    roots = decisions.model.model_copy(update={"n_estimators": 5, "min_samples_leaf": 10_000})
    return decisions.model_copy(update={"model": roots})


def evaluated_again(came_to: dict[str, Any], min_champion_rows: int) -> dict[str, Any]:
    """The verdict on a candidate beside the champion of now, had params.yaml said otherwise."""
    gate = params().gate.model_copy(update={"min_champion_rows": min_champion_rows})
    handler: Callable[..., dict[str, Any]] = evaluate
    inputs = {name: came_to[name] for name in ("preprocessed", "trained")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage, "params", lambda: params().model_copy(update={"gate": gate}))
        verdict: dict[str, Any] = handler({"execution": "again", **inputs}, Context())["verdict"]
    return verdict


def test_the_champion_is_compared_on_rows_that_it_was_not_trained_on(
    upload: Upload, retrain: Retrain, retrained: Retrained, sample_bytes: bytes, bucket: Bucket
) -> None:
    first = retrained(sample_bytes)
    more = as_csv(patients(600, seed=7)).encode().split(b"\n", 1)[1]
    upload(sample_bytes + more.replace(b"S0", b"T0"))

    second = retrain("two")

    def digests(artefact: dict[str, str]) -> list[str]:
        rows = Rows(bucket.get(artefact["key"]).body, params())
        return rows.digests(rows.columns)

    trained_on = set(digests(first["preprocessed"]["training"]))
    held_out = digests(second["preprocessed"]["held_out"])
    new_to_both = [digest for digest in held_out if digest not in trained_on]
    verdict = second["evaluated"]["verdict"]
    assert verdict["rows"] == len(held_out) == 320
    assert verdict["champion"]["rows"] == len(new_to_both) < 320
    assert verdict["champion"]["version"] == first["promoted"]["version"]


def test_a_champion_that_saw_nearly_all_of_them_is_not_compared(
    upload: Upload, retrain: Retrain, retrained: Retrained, sample_bytes: bytes
) -> None:
    lines = sample_bytes.splitlines(keepends=True)
    retrained(sample_bytes)
    upload(b"".join(lines[:121]))

    verdict = retrain("two")["evaluated"]["verdict"]

    champion = verdict["champion"]
    assert champion["rows"] < params().gate.min_champion_rows
    assert champion["scores"] is champion["rmse_difference"] is None
    assert champion["beats_average"] is True  # as it was judged itself
    assert verdict["reasons"][1] == (
        f"It was not compared with the champion {champion['version']}: of the held-out rows, "
        f"only {champion['rows']} are new to both and can be scored by both, which is too few."
    )


def test_as_many_rows_as_params_ask_for_are_enough_to_compare(
    upload: Upload, retrain: Retrain, retrained: Retrained, sample_bytes: bytes
) -> None:
    retrained(sample_bytes)
    upload(as_csv(patients(150, seed=7)).encode())
    second = retrain("two")
    upload(sample_bytes)
    retrain("three")  # the first model serves again, which saw none of those rows

    enough = evaluated_again(second, min_champion_rows=30)
    too_few = evaluated_again(second, min_champion_rows=31)

    assert enough["champion"]["rows"] == too_few["champion"]["rows"] == 30
    assert enough["champion"]["scores"] is not None
    assert too_few["champion"]["scores"] is None


@pytest.mark.parametrize("file", [MODEL, TRAINING_ROWS])
def test_a_champion_that_is_corrupted_does_not_stand_in_the_way(
    upload: Upload,
    retrain: Retrain,
    retrained: Retrained,
    sample_bytes: bytes,
    bucket: Bucket,
    capsys: pytest.CaptureFixture[str],
    file: str,
) -> None:
    served = retrained(sample_bytes)["promoted"]["version"]
    bucket.put(f"models/{served}/{file}", b"nothing of the kind")
    upload(as_csv(patients(500, seed=7)).encode())

    verdict = retrain("two")["evaluated"]["verdict"]

    assert verdict["decision"] == "promoted"
    assert f"was not compared with the champion {served}" in verdict["reasons"][1]
    refused = [line for line in emf_lines(capsys.readouterr().out) if "ArtefactsRefused" in line]
    assert [line["model_version"] for line in refused] == [served]


def test_what_has_no_skill_here_gives_way_with_a_warning_and_without_when_there_is_some(
    upload: Upload, retrain: Retrain, retrained: Retrained, sample_bytes: bytes
) -> None:
    retrained(sample_bytes)
    upload(without_signal(sample_bytes))
    mixed = retrain("two")

    assert mixed["evaluated"]["verdict"]["champion"]["beats_average"] is False
    assert mixed["evaluated"]["verdict"]["decision"] == "promoted_with_warning"
    upload(sample_bytes)
    assert retrain("three")["evaluated"]["verdict"]["decision"] == "promoted"


def test_a_champion_of_other_data_has_no_skill_on_the_real_set(
    upload: Upload, retrain: Retrain, retrained: Retrained, sample_bytes: bytes, real_data: Path
) -> None:
    served = retrained(sample_bytes)["promoted"]["version"]
    upload(real_data.read_bytes())

    verdict = retrain("real")["evaluated"]["verdict"]

    champion = verdict["champion"]
    assert (champion["version"], champion["rows"]) == (served, 200)
    assert champion["scores"]["r2"]["value"] < 0
    assert champion["beats_average"] is False
    assert verdict["decision"] == "promoted_with_warning"


def test_a_candidate_without_skill_leaves_a_champion_that_has_some(
    upload: Upload,
    retrain: Retrain,
    retrained: Retrained,
    sample_bytes: bytes,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    served = retrained(sample_bytes)["promoted"]["version"]
    monkeypatch.setattr(stage, "params", lambda: stumps(params()))
    upload(as_csv(patients(1000, seed=7)).encode())

    came_to = retrain("two")

    verdict = came_to["evaluated"]["verdict"]
    assert verdict["beats_average"] is False
    assert verdict["champion"]["version"] == served
    assert verdict["champion"]["beats_average"] is True
    assert verdict["champion"]["rmse_difference"]["low"] > 0
    assert verdict["decision"] == "rejected"
    assert "The champion does beat the average baseline, so it stays." in verdict["reasons"]
    assert "nominated" not in came_to
    ended = [line for line in fact_lines(capsys.readouterr().out) if "verdict" in line]
    assert [line["verdict"] for line in ended] == ["promoted", "rejected"]


@pytest.mark.parametrize("part", [50, 160])
def test_a_fragment_of_the_champions_rows_does_not_replace_it_by_itself(
    upload: Upload,
    retrain: Retrain,
    retrained: Retrained,
    sample_bytes: bytes,
    capsys: pytest.CaptureFixture[str],
    part: int,
) -> None:
    retrained(sample_bytes)
    upload(b"".join(sample_bytes.splitlines(keepends=True)[: part + 1]))

    came_to = retrain("two")

    verdict = came_to["evaluated"]["verdict"]
    assert verdict["decision"] == "withheld"
    assert verdict["champion"]["rmse_difference"] is None
    assert verdict["champion"]["lost_combinations"] > 100
    assert "promoted" not in came_to
    assert came_to["nominated"]["version"].startswith("v-")  # which somebody may name
    ended = [line for line in fact_lines(capsys.readouterr().out) if "verdict" in line]
    assert [line["verdict"] for line in ended] == ["promoted", "withheld"]


def test_rows_of_one_condition_do_not_replace_a_model_of_all(
    upload: Upload, retrain: Retrain, retrained: Retrained, sample_bytes: bytes
) -> None:
    """Enough rows to compare the two on, and no treatment of the other conditions."""
    retrained(sample_bytes)
    header, *rows = as_csv(patients(3000, seed=11)).encode().splitlines(keepends=True)
    upload(b"".join([header, *(row for row in rows if b",Hypertension," in row)]))

    verdict = retrain("two")["evaluated"]["verdict"]

    assert verdict["champion"]["rmse_difference"] is not None
    assert verdict["decision"] == "withheld"
    assert verdict["champion"]["lost_combinations"] > 0.7 * verdict["champion"]["combinations"]
    assert any("requests for them would be refused" in one for one in verdict["reasons"])


def test_the_case_of_one_condition_does_not_serve_without_being_asked(
    upload: Upload, retrain: Retrain, retrained: Retrained, sample_bytes: bytes, cases: Path
) -> None:
    served = retrained(sample_bytes)["promoted"]["version"]
    upload((cases / "csv" / "f06_one_condition.csv").read_bytes())

    came_to = retrain("two")

    verdict = came_to["evaluated"]["verdict"]
    assert verdict["decision"] in {"withheld", "rejected"}
    assert verdict["champion"]["version"] == served
    assert verdict["champion"]["lost_combinations"] > 100
    assert "promoted" not in came_to


def test_more_rows_of_the_same_kind_lose_next_to_nothing(
    upload: Upload, retrain: Retrain, retrained: Retrained, sample_bytes: bytes
) -> None:
    retrained(sample_bytes)
    _, *more = as_csv(patients(400, seed=3)).encode().splitlines(keepends=True)
    upload(b"".join([sample_bytes, *(b"T" + row[1:] for row in more)]))

    verdict = retrain("two")["evaluated"]["verdict"]

    assert verdict["champion"]["rows"] >= params().gate.min_champion_rows
    assert verdict["champion"]["lost_combinations"] == 0
    assert verdict["decision"] == "promoted"


def test_every_held_out_row_is_in_one_group_of_each_feature(
    retrained: Retrained, sample_bytes: bytes, bucket: Bucket
) -> None:
    report = bucket.get(retrained(sample_bytes)["evaluated"]["report"]["key"]).body

    evaluation = json.loads(report)
    groups = evaluation["subgroups"]
    assert evaluation["simultaneous"] is True
    for feature in ("Gender", "Age", "Condition"):
        assert sum(one["rows"] for one in groups if one["feature"] == feature) == 200
        held = [one for one in groups if one["feature"] == feature]
        assert sum(one["rows"] * one["coverage"]["value"] for one in held) == pytest.approx(
            200 * evaluation["verdict"]["coverage"]["measured"], abs=1e-3
        )
    assert all(one["rmse"]["low"] <= one["rmse"]["value"] <= one["rmse"]["high"] for one in groups)


def test_a_mean_error_above_0_is_too_hopeful(
    retrained: Retrained, sample_bytes: bytes, bucket: Bucket
) -> None:
    came_to = retrained(sample_bytes)

    report = json.loads(bucket.get(came_to["evaluated"]["report"]["key"]).body)

    predicted = json.loads(bucket.get(came_to["trained"]["predictions"]["key"]).body)
    held_out = bucket.get(came_to["preprocessed"]["held_out"]["key"]).body
    recorded = Rows(held_out, params()).target()
    found = sum(
        one["rows"] * one["mean_error"]["value"]
        for one in report["subgroups"]
        if one["feature"] == "Gender"
    )
    assert found == pytest.approx(sum(predicted) - recorded.sum(), abs=1e-3)


def rows_with(*patients: tuple[str, object], decisions: Params | None = None) -> Rows:
    """Rows of patients who differ in gender and age alone."""
    header = "Age,Gender,Condition,Drug_Name,Dosage_mg,Treatment_Duration_days,Side_Effects"
    rows = [f"{age},{gender},Infection,Ciprofloxacin,50,9,Nausea" for gender, age in patients]
    return rows_of("\n".join([header, *rows]), decisions or params())


def test_a_group_of_few_rows_gets_no_figures() -> None:
    rows = rows_with(*[("Female", 40)] * 10, *[("Male", 40)] * 9)

    found = subgroups(rows, np.full(19, -2.0), np.ones(19, bool), 0.9, params())
    groups = {one.group: one for one in found}

    male, female = groups["Male"], groups["Female"]
    assert (male.rows, male.rmse, male.mae, male.mean_error) == (9, None, None, None)
    assert (male.coverage, male.off_zero) == (None, False)
    assert female.rmse is not None
    assert female.mae is not None
    assert female.mean_error is not None
    assert (female.rmse.value, female.mae.value, female.mean_error.value) == (2, 2, -2)


def test_bands_start_where_params_say() -> None:
    rows = rows_with(*(("Male", age) for age in (18, 34, 35, 49, 50, 64, 65, 79)))

    assert list(groups_in(rows, ("Age",), params())) == [
        (band,) for band in ("18-34", "35-49", "50-64", "65-79") for _ in range(2)
    ]


def test_rows_without_a_number_are_a_group_of_their_own() -> None:
    nullable = with_column(params(), "Age", nullable=True)
    nullable = with_column(nullable, "Gender", nullable=True)
    rows = rows_with(*[("Male", 20)] * 10, *[("", "")] * 10, decisions=nullable)

    found = [
        (one.feature, one.group)
        for one in subgroups(rows, np.full(20, 1.0), np.ones(20, bool), 0.9, nullable)
    ]

    assert found == [
        ("Gender", "Male"),
        ("Gender", "missing"),
        ("Age", "18-34"),
        ("Age", "missing"),
        ("Condition", "Infection"),
    ]


def test_bands_of_decimals_are_told_by_where_they_begin_and_what_they_are_under() -> None:
    doses = Number(kind="number", min=0.5, max=4, decimals=1)
    roles = params().roles.model_copy(update={"subgroups": {"Dose": (0.5, 2.0)}})
    decisions = params().model_copy(
        update={"columns": {**params().columns, "Dose": doses}, "roles": roles}
    )
    rows = rows_of("Dose\n0.5\n1.9\n2.0\n4\n", decisions)

    assert list(groups_in(rows, ("Dose",), decisions)) == [
        ("0.5 to under 2",),
        ("0.5 to under 2",),
        ("2 to 4",),
        ("2 to 4",),
    ]


def test_what_the_sample_is_made_of_is_what_is_important(
    retrained: Retrained, sample_bytes: bytes, bucket: Bucket
) -> None:
    report = bucket.get(retrained(sample_bytes)["evaluated"]["report"]["key"]).body

    found = {one["feature"]: one["mean"] for one in json.loads(report)["importances"]}
    assert max(found, key=lambda name: found[name]) == "Condition"
    for nothing in ("Age", "Gender", "Side_Effects"):
        assert abs(found[nothing]) < 0.1 * found["Condition"]


def test_a_feature_that_a_model_ignores_has_no_importance() -> None:
    class Aged:
        def score(self, columns: Columns) -> Scores:
            return columns["Age"].astype(np.float64) / 10  # within the range of scores

    ages = np.arange(18, 80)
    columns = {name: ages if name == "Age" else np.arange(62) for name in params().features}
    recorded = ages.astype(np.float64) / 10

    found = list(importances(Aged(), columns, recorded, params()))  # type: ignore[arg-type]

    assert [one.feature for one in found] == [*params().features]
    for one in found:
        if one.feature == "Age":
            assert one.mean > 0
            assert one.std > 0
        else:
            assert (one.mean, one.std) == (0, 0)


@pytest.mark.parametrize(
    ("held", "holds"), [(169, False), (171, True), (180, True), (190, True), (191, False)]
)
def test_coverage_is_off_where_intervals_hold_too_few_scores_or_too_many(
    held: int, holds: bool
) -> None:
    interval = Conformal(coverage=0.9, half_width=1, residuals=800, folds=5)
    recorded = np.array([6.0] * held + [6.5] * (200 - held))  # at the upper end, and outside

    inside = within(recorded, np.full(200, 5.0), interval.half_width, params())
    coverage = covered(inside, interval.coverage, params())

    assert coverage.measured == held / 200
    assert coverage.target == 0.9
    assert coverage.tolerance == 0.05
    assert coverage.holds is holds


@pytest.mark.parametrize(("error", "holds"), [(0.0, True), (1e-4, True), (1.1e-4, False)])
def test_parity_holds_up_to_what_the_gate_allows(error: float, holds: bool) -> None:
    exact = np.array([0.0, 0.0])

    parity = compared(exact + np.array([0.0, error]), exact, params())

    assert parity.holds is holds
    assert parity.max_error == error


def without(decisions: Params, *names: str) -> Params:
    """The same decisions on a study that lacks some columns."""
    columns = {name: kind for name, kind in decisions.columns.items() if name not in names}
    roles = decisions.roles.model_copy(
        update={
            "treatment": tuple(set(decisions.roles.treatment) - set(names)),
            "subgroups": {
                name: bands
                for name, bands in decisions.roles.subgroups.items()
                if name not in names
            },
        }
    )
    return decisions.model_copy(update={"columns": columns, "roles": roles})


def small() -> Params:
    return smaller(params(), trees=5)


def test_a_champion_of_fewer_columns_is_compared_on_those_that_it_had(
    upload: Upload,
    retrain: Retrain,
    retrained: Retrained,
    sample_bytes: bytes,
    bucket: Bucket,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fewer = without(small(), "Treatment_Duration_days", "Gender")
    monkeypatch.setattr(stage, "params", lambda: fewer)
    first = retrained(sample_bytes)
    monkeypatch.setattr(stage, "params", small)
    more = as_csv(patients(600, seed=11)).encode().split(b"\n", 1)[1]
    upload(sample_bytes + more.replace(b"S0", b"T0"))

    second = retrain("two")

    def digests(artefact: dict[str, str]) -> list[str]:
        rows = Rows(bucket.get(artefact["key"]).body, params())
        return rows.digests(sorted(set(fewer.columns) - {"Patient_ID"}))

    trained_on = set(digests(first["preprocessed"]["training"]))
    held_out = digests(second["preprocessed"]["held_out"])
    verdict = second["evaluated"]["verdict"]
    champion = verdict["champion"]
    assert champion["version"] == first["promoted"]["version"]
    assert champion["rows"] == sum(digest not in trained_on for digest in held_out) < 320
    assert champion["rmse_difference"] is not None
    assert champion["serves"] is False  # requests say more now than it was trained under
    assert verdict["decision"] == "promoted"
    assert any("it does not block a successor" in reason for reason in verdict["reasons"])


@pytest.mark.parametrize("change", ["a column is gone", "a column has another form"])
def test_a_champion_whose_rows_cannot_be_recognised_is_not_compared_and_why_is_told(
    upload: Upload,
    retrain: Retrain,
    retrained: Retrained,
    sample_bytes: bytes,
    monkeypatch: pytest.MonkeyPatch,
    change: str,
) -> None:
    monkeypatch.setattr(stage, "params", small)
    served = retrained(sample_bytes)["promoted"]["version"]
    days = Number(kind="number", min=0, max=99, decimals=1)
    name = "Treatment_Duration_days"
    changed = (
        without(small(), name)
        if change == "a column is gone"
        else small().model_copy(update={"columns": {**small().columns, name: days}})
    )
    monkeypatch.setattr(stage, "params", lambda: changed)
    upload(as_csv(patients(700, seed=7)).encode())

    verdict = retrain("two")["evaluated"]["verdict"]

    champion = verdict["champion"]
    assert (champion["version"], champion["rows"], champion["serves"]) == (served, 0, False)
    assert champion["scores"] is champion["rmse_difference"] is None
    assert verdict["reasons"][1] == (
        f"It was not compared with the champion {served}: it was trained on columns that no "
        f"longer exist, or that have another form now: {name}."
    )
    assert verdict["decision"] == "promoted"


def test_a_champion_whose_contract_is_wider_now_is_compared_as_ever(
    retrain: Retrain, retrained: Retrained, sample_bytes: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a column may say has changed, and not how it is written: the rows are the same."""
    monkeypatch.setattr(stage, "params", small)
    retrained(sample_bytes)
    monkeypatch.setattr(stage, "params", lambda: with_column(small(), "Age", max=99))

    verdict = retrain("two")["evaluated"]["verdict"]

    assert verdict["champion"]["rows"] == 200
    assert verdict["champion"]["rmse_difference"]["value"] == pytest.approx(0)
    assert verdict["decision"] == "promoted"


def test_rows_that_an_earlier_release_named_are_recognised(
    cloud: Boto3Bucket, sample_bytes: bytes
) -> None:
    """It wrote their digests alone, of all columns in the file's order."""
    header, *lines = sample_bytes.decode().splitlines()
    without_ids = [line.split(",", 1)[1] for line in [header, *lines]]
    rows = rows_of("\n".join(without_ids), params())
    seen = sorted(sha256(line.encode())[:16] for line in without_ids[1:11])
    artefact = Artefacts(cloud, "models/v-1").write_json(TRAINING_ROWS, [*seen])
    champion = SimpleNamespace(training_rows=artefact)

    new = rows_new_to(champion, Registry(cloud), rows)  # type: ignore[arg-type]

    assert np.flatnonzero(~new).tolist() == list(range(10))
