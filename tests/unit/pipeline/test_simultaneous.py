import numpy as np
import pytest
from bootstrap import Bootstrap
from simultaneous import Members, coverage_by_group, errors_by_group, wilson

BOOTSTRAP = Bootstrap(resamples=500, confidence=0.95, seed=42)
SHARES = ((0.5, 0.5), (0.1, 0.25, 0.35, 0.3), (0.3, 0.25, 0.2, 0.12, 0.08, 0.05))


def groups(rows: int, seed: int) -> Members:
    """A dozen groups of three columns, without those of fewer than ten rows."""
    draws = np.random.default_rng(seed)
    columns = [
        draws.choice(len(one), size=rows, p=one)[:, np.newaxis] == np.arange(len(one))
        for one in SHARES
    ]
    members = np.concatenate(columns, axis=1)
    return members[:, members.sum(axis=0) >= 10]


def test_figures_are_those_of_each_group() -> None:
    members = groups(200, 1)
    errors = np.random.default_rng(1).normal(0.5, 2, size=200)

    found = errors_by_group(errors, members, BOOTSTRAP)

    for one, of_group in zip(found, members.T, strict=True):
        within = errors[of_group]
        assert one.rmse.value == pytest.approx(np.sqrt((within**2).mean()), abs=1e-6)
        assert one.mae.value == pytest.approx(np.abs(within).mean(), abs=1e-6)
        assert one.mean_error.value == pytest.approx(within.mean(), abs=1e-6)
        for figure in (one.rmse, one.mae):
            assert 0 < figure.low < figure.value < figure.high
        assert one.mean_error.low < one.mean_error.value < one.mean_error.high


@pytest.mark.parametrize("skewed", [False, True])
def test_among_a_dozen_groups_none_of_which_is_off_hardly_any_is_marked(*, skewed: bool) -> None:
    """Of 100 sets at 5%, more than 14 have a mark in one of 5,000; one at a time, 45 would."""
    marked = 0
    for seed in range(100):
        draws = np.random.default_rng([seed, 1])
        errors = draws.exponential(size=200) - 1 if skewed else draws.normal(size=200)
        found = errors_by_group(errors, groups(200, seed), Bootstrap(300, 0.95, seed))
        marked += any(one.off_zero for one in found)

    assert marked <= 14


def test_a_group_that_is_far_off_is_marked_and_the_others_are_not() -> None:
    members = np.zeros((200, 2), np.bool_)
    members[:50, 0], members[50:, 1] = True, True
    errors = np.random.default_rng(1).normal(size=200) - 2 * members[:, 0]

    found = errors_by_group(errors, members, BOOTSTRAP)

    assert [one.off_zero for one in found] == [True, False]
    assert found[0].mean_error.high < 0


def test_more_groups_take_wider_intervals() -> None:
    members = groups(200, 1)
    errors = np.random.default_rng(1).normal(size=200)

    alone = errors_by_group(errors, members[:, :1], BOOTSTRAP)[0].mean_error
    among = errors_by_group(errors, members, BOOTSTRAP)[0].mean_error

    assert among.low < alone.low < alone.high < among.high


@pytest.mark.parametrize("error", [0.0, -2.0])
def test_errors_that_are_all_the_same_have_no_width(error: float) -> None:
    members = np.ones((20, 1), np.bool_)

    (found,) = errors_by_group(np.full(20, error), members, BOOTSTRAP)

    assert (found.rmse.value, found.rmse.low, found.rmse.high) == (-error,) * 3
    assert (found.mean_error.low, found.mean_error.high) == (error, error)
    assert found.off_zero is (error != 0)


def test_no_groups_are_no_figures() -> None:
    none = np.zeros((20, 0), np.bool_)

    assert errors_by_group(np.zeros(20), none, BOOTSTRAP) == []
    assert coverage_by_group(np.ones(20, np.bool_), none, 0.9, BOOTSTRAP) == []


def test_groups_of_two_rows_have_intervals_that_are_numbers() -> None:
    members = np.zeros((40, 2), np.bool_)
    members[:2, 0], members[2:, 1] = True, True

    found = errors_by_group(np.random.default_rng(1).normal(size=40), members, BOOTSTRAP)

    for one in found:
        assert all(np.isfinite([*dict(one.rmse).values(), *dict(one.mean_error).values()]))


def test_coverage_of_all_groups_is_within_its_intervals_at_once() -> None:
    """Of 100 sets at 5%, more than 14 miss in one of 5,000."""
    missed = 0
    for seed in range(100):
        members = groups(200, seed)
        held = np.random.default_rng([seed, 1]).random(200) < 0.9
        found = coverage_by_group(held, members, 0.9, Bootstrap(300, 0.95, seed))
        missed += not all(one.low <= 0.9 <= one.high for one in found)

    assert missed <= 14


def test_coverage_that_is_far_too_low_in_a_group_is_told() -> None:
    members = np.zeros((200, 2), np.bool_)
    members[:60, 0], members[60:, 1] = True, True
    held = np.arange(200) % 10 != 0
    held[:25] = False

    low, right = coverage_by_group(held, members, 0.9, BOOTSTRAP)

    assert low.value == pytest.approx(held[:60].mean(), abs=1e-6)
    assert low.high < 0.9
    assert right.low <= 0.9 <= right.high <= 1


def test_wilsons_interval_is_that_of_the_textbook() -> None:
    """Newcombe, Statistics in Medicine 17, 1998, table I: 81 of 263 at 95%."""
    found = wilson(81 / 263, 263, 1.959964)

    assert found.low == pytest.approx(0.2553, abs=1e-4)
    assert found.high == pytest.approx(0.3662, abs=1e-4)
    assert wilson(1.0, 10, 3).high == 1
