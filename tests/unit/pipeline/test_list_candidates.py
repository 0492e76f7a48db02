from inspect import unwrap

from clinical.params import params
from retrain.stages.list_candidates import list_candidates
from retrain.state import Asked, Listed


def listed(tune: bool | str) -> Listed:
    found: Listed = unwrap(list_candidates)(Asked(tune=tune), params())
    return found


def test_the_default_grid_is_the_one_that_params_name() -> None:
    found = listed(tune=True)

    assert found.grid == params().tuning.grid == "small"
    assert len(found.candidates) == 8
    assert len(set(map(str, found.candidates))) == 8


def test_the_full_grid_is_the_predecessors() -> None:
    found = listed(tune="full").candidates

    assert len(found) == 3 * 4 * 3 * 3
    tried = [one.model_dump() for one in found]
    assert {one["n_estimators"] for one in tried} == {100, 200, 300}
    assert {one["max_depth"] for one in tried} == {10, 15, 20, None}
    assert {one["min_samples_split"] for one in tried} == {2, 5, 10}
    assert {one["min_samples_leaf"] for one in tried} == {1, 2, 4}


def test_every_family_that_params_name_is_tried_in_their_order() -> None:
    tuning = params().tuning.model_copy(update={"families": ("ridge", "random_forest")})
    decisions = params().model_copy(update={"tuning": tuning})

    found = unwrap(list_candidates)(Asked(tune="small"), decisions).candidates

    families = [one.family for one in found]
    assert families == sorted(families, reverse=True)
    assert families.count("random_forest") == 8
    assert families.count("ridge") == 6
    # Of equally simple ones the first is chosen: the one that is penalized most.
    alphas = [one.alpha for one in found if one.family == "ridge"]
    assert alphas == sorted(alphas, reverse=True)
