from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from clinical.captured import Captured
from clinical.monitored import ColumnDrift, Drift
from clinical.params import Params, params
from monitor.drift import band_of, drift_of, stability_index, without_population
from monitor.requests import counted
from monitor.wording import p_in_words, shares_in_words

from tests.unit.conftest import with_column
from tests.unit.pipeline.monitor.made import (
    VERSION,
    population,
    predictions,
    told_otherwise,
    watching,
)


def found_in(captures: list[Captured], decisions: Params | None = None) -> Drift:
    decisions = decisions or params()
    data = population(decisions=decisions)
    return drift_of(counted(captures, data, VERSION, decisions), data, decisions)


def of(found: Drift, column: str) -> ColumnDrift:
    return next(one for one in found.columns if one.column == column)


def test_requests_like_the_data_have_not_moved() -> None:
    found = found_in(predictions(400))

    assert not found.drifted
    assert found.p_value is not None
    assert found.p_value > 0.01
    assert found.says.startswith("No drift: 400 requests do not differ from the version's data by ")
    assert {one.column for one in found.columns} == {*params().features, "Improvement_Score"}


def test_a_drug_asked_for_twice_as_often_is_named() -> None:
    asked = predictions(1000)
    more = [one for one in predictions(3000, seed=9) if one.features["Drug_Name"] == "Sertraline"]

    found = found_in([*asked, *more[:90]])

    drug = of(found, "Drug_Name")
    assert found.drifted
    assert drug.drifted
    assert drug.moved is not None
    assert drug.moved.level == "Sertraline"
    before, now = round(100 * drug.moved.before), round(100 * drug.moved.now)
    assert f"Drug_Name moved: Sertraline {before} → {now}% of requests (p " in found.says
    assert drug.psi is not None
    assert drug.psi < 0.2


def test_older_patients_are_named_by_the_ages_that_are_more() -> None:
    found = found_in([told_otherwise(one, Age=79) for one in predictions(300)])

    assert of(found, "Age").band == "large"
    assert "Age moved: 74 and over years, 10 → 100% of requests" in found.says
    assert not of(found, "Drug_Name").drifted


def test_scores_that_moved_are_told_as_predicted_ones() -> None:
    found = found_in([replace(one, score=1.0) for one in predictions(300)])

    assert of(found, "Improvement_Score").drifted
    assert "Predicted Improvement_Score moved: under " in found.says
    assert (found.score_mean, found.score_variance) == (1.0, 0.0)
    assert found.reference_score_mean == pytest.approx(6, abs=0.4)


@pytest.mark.parametrize(
    ("requests", "told"),
    [
        (0, "Too few to tell: 0 requests in 28 days; at least 200 are needed."),
        (1, "Too few to tell: 1 request in 28 days; at least 200 are needed."),
        (199, "Too few to tell: 199 requests in 28 days; at least 200 are needed."),
    ],
)
def test_too_few_requests_tell_nothing(requests: int, told: str) -> None:
    found = found_in([told_otherwise(one, Age=79) for one in predictions(requests or 1)[:requests]])

    assert (found.says, found.p_value, found.drifted) == (told, None, False)
    assert all(one.p_value is None and one.psi is None for one in found.columns)
    assert all(one.moved is None for one in found.columns)


def test_a_column_of_too_few_rows_has_no_share_in_the_joint_probability() -> None:
    """Side effects are known for a few alone, whatever those are."""
    asked = [
        told_otherwise(one, Side_Effects="Rash" if number < 199 else None)
        for number, one in enumerate(predictions(400))
    ]

    found = found_in(asked)

    assert of(found, "Side_Effects").p_value is None
    assert of(found, "Side_Effects").rows == 199
    assert not found.drifted


def test_scores_of_another_version_are_not_compared() -> None:
    found = found_in([replace(one, model_version="v-2", score=1.0) for one in predictions(300)])

    assert of(found, "Improvement_Score").p_value is None
    assert (found.score_mean, found.drifted, found.gaps) == (None, False, ())


def test_averaged_scores_are_compared_with_averaged_scores() -> None:
    asked = [
        replace(told_otherwise(one, Side_Effects=None), averaged_over=("Side_Effects",), score=1.0)
        for one in predictions(300)
    ]

    found = found_in(asked)

    assert not found.drifted  # the data have none of the kind, in this test


def test_a_level_that_the_data_never_had_is_told() -> None:
    decisions = with_column(params(), "Gender", values=("Female", "Male", "Other"))
    asked = [
        told_otherwise(one, Gender="Other") if number < 20 else one
        for number, one in enumerate(predictions(400))
    ]

    found = found_in(asked, decisions)

    assert "Gender moved: Other 0 → 5% of requests" in found.says


def test_a_value_that_the_contract_has_not_is_a_level_of_its_own() -> None:
    asked = [
        told_otherwise(one, Drug_Name="Placebo") if number < 20 else one
        for number, one in enumerate(predictions(400))
    ]

    found = found_in(asked)

    assert "Drug_Name moved: another value 0 → 5% of requests" in found.says


def test_a_column_of_one_level_cannot_move() -> None:
    decisions = with_column(params(), "Gender", values=("Female",))
    data = population()
    only = [
        one.model_copy(update={"names": ("Female",), "counts": (1000,)})
        if one.column == "Gender"
        else one
        for one in data.features
    ]
    data = data.model_copy(update={"features": tuple(only)})
    asked = [told_otherwise(one, Gender="Female") for one in predictions(300)]

    found = drift_of(counted(asked, data, VERSION, decisions), data, decisions)

    assert of(found, "Gender").p_value == 1.0
    assert not found.drifted


def test_what_is_all_missing_has_moved_to_missing() -> None:
    decisions = with_column(params(), "Age", nullable=True)

    found = found_in([told_otherwise(one, Age=None) for one in predictions(300)], decisions)

    assert "Age moved: missing 0 → 100% of requests (p < 0.0001)." in found.says
    assert found.drifted


def test_equal_requests_have_moved_and_break_nothing() -> None:
    (one,) = predictions(1)

    found = found_in([replace(one, prediction_id=f"{n:032x}") for n in range(300)])

    assert found.drifted
    assert all(np.isfinite(column.psi or 0) for column in found.columns)


def test_the_same_window_is_told_the_same() -> None:
    assert found_in(predictions(300)) == found_in(predictions(300))


def test_mean_scores_are_told_by_subgroup() -> None:
    asked = [
        replace(one, score=7.0 if one.features["Gender"] == "Male" else 5.0)
        for one in predictions(300)
    ]

    gaps = {(one.feature, one.group): one for one in found_in(asked).gaps}

    assert gaps["Gender", "Male"].mean == 7
    assert gaps["Gender", "Male"].less_all > 0.5
    assert sum(one.rows for (feature, _), one in gaps.items() if feature == "Age") == 300
    assert [group for feature, group in gaps if feature == "Age"] == [
        "18-34", "35-49", "50-64", "65-79"
    ]  # fmt: skip


def test_a_version_without_a_population_says_so_and_alarms_nobody() -> None:
    found = without_population(500, VERSION, params())

    assert (found.requests, found.p_value, found.drifted) == (500, None, False)
    assert "published by an earlier release" in found.says


def test_the_stability_index_has_its_bands() -> None:
    half = np.array([0.5, 0.5])

    assert stability_index(half, half) == 0
    assert stability_index(half, np.array([0.6, 0.4])) == pytest.approx(
        0.1 * np.log(1.2) - 0.1 * np.log(0.8)
    )
    assert np.isfinite(stability_index(half, np.array([1.0, 0.0])))
    assert [band_of(one) for one in (0.09, 0.1, 0.19, 0.2)] == [
        "stable", "moderate", "moderate", "large"
    ]  # fmt: skip


@pytest.mark.slow
def test_clean_windows_alarm_as_seldom_as_is_said(drawn: Callable[[int, int], Drift]) -> None:
    """At 5%, so that a hundred windows tell: more than 11 would be less than one in a hundred."""
    found = [drawn(number, 200) for number in range(100)]

    assert sum(one.drifted for one in found) <= 11
    assert sum(any(column.band == "large" for column in one.columns) for one in found) > 11


@pytest.fixture
def drawn() -> Callable[[int, int], Drift]:
    alarms = params().monitoring.false_alarms.model_copy(update={"drift": 0.05})
    decisions = watching(false_alarms=alarms, simulations=1000)

    def of_seed(number: int, rows: int) -> Drift:
        data = population(seed=2 * number + 1, pairs=1)
        captures = predictions(rows, seed=10_000 + number)
        return drift_of(counted(captures, data, VERSION, decisions), data, decisions)

    return of_seed


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        (0.07, 0.13, "7 → 13%"),
        (0.071, 0.074, "7.1 → 7.4%"),
        (0.0, 0.001, "0.0 → 0.1%"),
        (0.0, 1.0, "0 → 100%"),
    ],
)
def test_shares_are_told_in_as_many_decimals_as_they_differ_by(
    before: float, now: float, told: str
) -> None:
    assert shares_in_words(before, now) == told


@pytest.mark.parametrize(
    ("p_value", "told"),
    [
        (0.344, "p = 0.34"),
        (0.0123, "p = 0.01"),
        (0.00042, "p = 0.0004"),
        (0.00001, "p < 0.0001"),
        (1.0, "p > 0.99"),
    ],
)
def test_probabilities_are_told_in_words(p_value: float, told: str) -> None:
    assert p_in_words(p_value) == told
