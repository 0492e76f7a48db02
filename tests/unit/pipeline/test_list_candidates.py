from inspect import unwrap

from clinical.params import params
from stages.list_candidates import list_candidates
from state import Asked, Listed


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
    assert {one.n_estimators for one in found} == {100, 200, 300}
    assert {one.max_depth for one in found} == {10, 15, 20, None}
    assert {one.min_samples_split for one in found} == {2, 5, 10}
    assert {one.min_samples_leaf for one in found} == {1, 2, 4}
