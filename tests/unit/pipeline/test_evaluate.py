import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from clinical.artefacts import Bucket
from clinical.params import params
from clinical.registry import MODEL
from rows import row_digests
from stages.evaluate import age_bands, compared, subgroups

from data.generate import as_csv, patients

pytestmark = pytest.mark.usefixtures("few_trees")

type Retrain = Callable[[str], dict[str, Any]]
type Upload = Callable[[bytes], str]


def without_signal(body: bytes) -> bytes:
    """The same patients with each other's scores: there is nothing to learn."""
    header, *lines = body.decode().splitlines()
    cells = [line.split(",") for line in lines]
    scores = np.random.default_rng(1).permutation([row[-1] for row in cells])
    mixed = [",".join([*row[:-1], score]) for row, score in zip(cells, scores, strict=True)]
    return "\n".join([header, *mixed, ""]).encode()


def test_the_champion_is_compared_on_rows_that_it_was_not_trained_on(
    upload: Upload, retrain: Retrain, sample_bytes: bytes, bucket: Bucket
) -> None:
    upload(sample_bytes)
    first = retrain("one")
    more = as_csv(patients(600, seed=7)).encode().split(b"\n", 1)[1]
    upload(sample_bytes + more.replace(b"S0", b"T0"))

    second = retrain("two")

    trained_on = set(row_digests(bucket.get(first["preprocessed"]["training"]["key"]).body))
    held_out = row_digests(bucket.get(second["preprocessed"]["held_out"]["key"]).body)
    new_to_both = [digest for digest in held_out if digest not in trained_on]
    verdict = second["evaluated"]["verdict"]
    assert verdict["rows"] == len(held_out) == 320
    assert verdict["champion"]["rows"] == len(new_to_both) < 320
    assert verdict["champion"]["version"] == first["promoted"]["version"]


def test_a_champion_that_saw_nearly_all_of_them_is_not_compared(
    upload: Upload, retrain: Retrain, sample_bytes: bytes
) -> None:
    lines = sample_bytes.splitlines(keepends=True)
    upload(sample_bytes)
    retrain("one")
    upload(b"".join(lines[:121]))

    champion = retrain("two")["evaluated"]["verdict"]["champion"]

    assert champion["rows"] < params().gate.min_champion_rows
    assert champion["scores"] is champion["rmse_difference"] is None
    assert champion["beats_average"] is True  # as it was judged itself


def test_a_champion_that_is_corrupted_does_not_stand_in_the_way(
    upload: Upload, retrain: Retrain, sample_bytes: bytes, bucket: Bucket
) -> None:
    upload(sample_bytes)
    served = retrain("one")["promoted"]["version"]
    bucket.put(f"models/{served}/{MODEL}", b"no model")
    upload(as_csv(patients(500, seed=7)).encode())

    verdict = retrain("two")["evaluated"]["verdict"]

    assert verdict["decision"] == "promoted"
    assert f"was not compared with the champion {served}" in verdict["reasons"][1]


def test_what_has_no_skill_here_gives_way_with_a_warning_and_without_when_there_is_some(
    upload: Upload, retrain: Retrain, sample_bytes: bytes
) -> None:
    upload(sample_bytes)
    retrain("one")
    upload(without_signal(sample_bytes))
    mixed = retrain("two")

    assert mixed["evaluated"]["verdict"]["champion"]["beats_average"] is False
    assert mixed["evaluated"]["verdict"]["decision"] == "promoted_with_warning"
    upload(sample_bytes)
    assert retrain("three")["evaluated"]["verdict"]["decision"] == "promoted"


def test_every_held_out_row_is_in_one_group_of_each_feature(
    upload: Upload, retrain: Retrain, sample_bytes: bytes, bucket: Bucket
) -> None:
    upload(sample_bytes)

    report = bucket.get(retrain("one")["evaluated"]["report"]["key"]).body

    groups = json.loads(report)["subgroups"]
    for feature in ("Gender", "Age", "Condition"):
        assert sum(one["rows"] for one in groups if one["feature"] == feature) == 200
    assert all(one["rmse"]["low"] <= one["rmse"]["value"] <= one["rmse"]["high"] for one in groups)


def test_a_group_of_few_rows_gets_no_figures() -> None:
    columns = {
        "Gender": np.array(["Female"] * 10 + ["Male"] * 9, object),
        "Age": np.full(19, 40),
        "Condition": np.array(["Infection"] * 19, object),
    }

    groups = {one.group: one for one in subgroups(columns, np.ones(19), params())}

    assert groups["Male"].rows == 9
    assert groups["Male"].rmse is None
    assert groups["Female"].rmse is not None
    assert groups["Female"].rmse.value == 1


def test_age_bands_start_where_params_say() -> None:
    ages = np.array([18, 34, 35, 49, 50, 64, 65, 79])

    assert age_bands(ages, params()).tolist() == [
        band for band in ("18-34", "35-49", "50-64", "65-79") for _ in range(2)
    ]


def test_what_the_sample_is_made_of_is_what_is_important(
    upload: Upload, retrain: Retrain, sample_bytes: bytes, bucket: Bucket
) -> None:
    upload(sample_bytes)

    report = bucket.get(retrain("one")["evaluated"]["report"]["key"]).body

    found = {one["feature"]: one["mean"] for one in json.loads(report)["importances"]}
    assert max(found, key=lambda name: found[name]) == "Condition"
    for nothing in ("Age", "Gender", "Side_Effects"):
        assert abs(found[nothing]) < 0.1 * found["Condition"]


@pytest.mark.parametrize(("error", "holds"), [(0.0, True), (1e-4, True), (1.1e-4, False)])
def test_parity_holds_up_to_what_the_gate_allows(error: float, holds: bool) -> None:
    exact = np.array([0.0, 0.0])

    parity = compared(exact + np.array([0.0, error]), exact, params())

    assert parity.holds is holds
    assert parity.max_error == error
