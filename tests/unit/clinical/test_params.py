import re

import pytest
import yaml
from clinical.errors import ParamsInvalid
from clinical.params import PATH, Params, params, parse_params


def changed(path: str, value: object) -> str:
    """The text of params.yaml with one value set by its dotted path."""
    tree = yaml.safe_load(PATH.read_text())
    *parents, last = path.split(".")
    node = tree
    for parent in parents:
        node = node[parent]
    node[last] = value
    return yaml.safe_dump(tree, sort_keys=False)


def test_the_decisions_are_those_of_the_predecessor() -> None:
    decided = params()

    assert decided.seed == 42
    assert decided.split.test_fraction == 0.2
    assert decided.model.model_dump() == {
        "n_estimators": 200,
        "max_depth": 15,
        "min_samples_split": 5,
        "min_samples_leaf": 2,
    }
    assert decided.whole_number("Age").model_dump() == {
        "type": "whole_number",
        "min": 18,
        "max": 79,
        "nullable": False,
    }
    assert decided.levels("Dosage_mg") == (50, 100, 250, 500, 850)
    assert len(decided.categories("Drug_Name")) == 15
    assert len(decided.categories("Side_Effects")) == 30


@pytest.mark.parametrize("path", ["colour", "model.colour", "schema.Age.colour", "serving.colour"])
def test_an_unknown_key_is_refused_by_its_name(path: str) -> None:
    with pytest.raises(ParamsInvalid, match=r"colour.*not permitted"):
        parse_params(changed(path, "blue"))


def test_every_wrong_key_is_named_at_once() -> None:
    text = changed("seed", -1).replace("test_fraction: 0.2", "test_fraction: 2")

    with pytest.raises(ParamsInvalid) as refused:
        parse_params(text)

    assert "seed" in str(refused.value)
    assert "split.test_fraction" in str(refused.value)


def test_a_key_that_stands_twice_is_refused() -> None:
    with pytest.raises(ParamsInvalid, match="'seed' stands twice"):
        parse_params(PATH.read_text() + "\nseed: 7\n")


def test_text_that_is_no_yaml_is_refused() -> None:
    with pytest.raises(ParamsInvalid, match="no YAML"):
        parse_params("seed: [")


def test_features_must_be_columns_of_a_fitting_type() -> None:
    with pytest.raises(ParamsInvalid, match=r"only one of them names .*Weight"):
        parse_params(changed("features.numeric", ["Age", "Weight"]))
    with pytest.raises(ParamsInvalid, match=r"schema\.Gender is a whole_number"):
        parse_params(changed("schema.Gender", {"type": "whole_number", "min": 0, "max": 1}))


def test_the_default_grid_must_be_one_of_the_grids() -> None:
    with pytest.raises(ParamsInvalid, match=r"tuning: .*grid names huge, grids has small, full"):
        parse_params(changed("tuning.grid", "huge"))


def test_a_grid_is_every_combination_of_its_values() -> None:
    grid = params().tuning.grids["full"]

    candidates = grid.candidates()

    assert len(candidates) == len({one.model_dump_json() for one in candidates}) == 108
    assert candidates[0].model_dump() == {
        "n_estimators": 100,
        "max_depth": 10,
        "min_samples_split": 2,
        "min_samples_leaf": 1,
    }


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("gate.without_skill", "promoted"),
        ("intervals.coverage", 1),
        ("intervals.folds", 1),
        ("tuning.tolerated_failures", 1),
        ("tuning.grids.small.n_estimators", []),
        ("evaluation.confidence", 95),
    ],
)
def test_a_decision_that_makes_no_sense_is_refused_by_its_path(path: str, value: object) -> None:
    with pytest.raises(ParamsInvalid, match=re.escape(path)):
        parse_params(changed(path, value))


def test_params_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        params().seed = 7  # type: ignore[misc]


def test_serving_does_not_count_as_a_decision_of_the_pipeline() -> None:
    def digest(text: str) -> str:
        parsed: Params = parse_params(text)
        return parsed.pipeline_digest

    assert digest(changed("serving.refresh_seconds", 99)) == params().pipeline_digest
    assert digest(changed("seed", 43)) != params().pipeline_digest
    assert digest(changed("gate.min_champion_rows", 31)) != params().pipeline_digest
