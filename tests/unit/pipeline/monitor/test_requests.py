from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
import requested
from clinical.params import params
from monitor import requests
from monitor.requests import counted
from requested import asked_once

from tests.unit.conftest import with_column
from tests.unit.pipeline.monitor.made import (
    VERSION,
    captured,
    ids,
    population,
    predictions,
    told_otherwise,
    watching,
)


def test_every_prediction_is_counted_in_one_level_of_each_column() -> None:
    found = counted(predictions(500), population(), VERSION, params())

    assert (found.requests, found.answered, found.overall.rows) == (500, 500, 500)
    assert {int(counts.sum()) for counts in found.features.values()} == {500}
    assert {int(counts[-1]) for counts in found.features.values()} == {0}
    assert int(found.scores[()].sum()) == 500


def test_counting_a_batch_at_a_time_counts_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = counted(predictions(300), population(), VERSION, params())
    monkeypatch.setattr(requests, "AT_ONCE", 7)

    parts = counted(predictions(300), population(), VERSION, params())

    assert all(
        np.array_equal(parts.features[name], whole.features[name]) for name in whole.features
    )
    assert np.array_equal(parts.scores[()], whole.scores[()])
    assert parts.groups.keys() == whole.groups.keys()
    assert parts.overall.mean == pytest.approx(whole.overall.mean)


def test_features_count_of_any_version_and_scores_of_this_one() -> None:
    mixed = [
        replace(one, model_version="v-00000002") if number % 2 else one
        for number, one in enumerate(predictions(100))
    ]

    found = counted(mixed, population(), VERSION, params())

    assert (found.requests, found.answered) == (100, 50)
    assert (int(found.features["Age"].sum()), int(found.scores[()].sum())) == (100, 50)


def test_a_comparison_is_no_request() -> None:
    asked = [replace(one, source="compare") for one in predictions(10)]

    assert counted(asked, population(), VERSION, params()).requests == 0


def test_what_is_known_after_treatment_counts_where_it_is_known() -> None:
    later = [
        replace(told_otherwise(one, Side_Effects=None), averaged_over=("Side_Effects",))
        for one in predictions(40)
    ]

    found = counted([*later, *predictions(10)], population(), VERSION, params())

    assert (int(found.features["Side_Effects"].sum()), int(found.features["Age"].sum())) == (10, 50)
    assert (int(found.scores[()].sum()), found.overall.rows) == (10, 10)


def test_what_is_missing_counts_as_missing_where_it_may_be() -> None:
    decisions = with_column(params(), "Age", nullable=True)
    data = population(decisions=decisions)
    asked = [told_otherwise(one, Age=None) for one in predictions(30)]

    found = counted(asked, data, VERSION, decisions)

    levels = next(one for one in data.features if one.column == "Age")
    assert levels.names[-1] == "missing"
    assert found.features["Age"][len(levels.names) - 1] == 30


def test_a_value_that_the_data_have_no_level_for_is_counted_apart() -> None:
    asked = [told_otherwise(one, Drug_Name="Placebo") for one in predictions(5)]

    assert counted(asked, population(), VERSION, params()).features["Drug_Name"][-1] == 5


def test_a_feature_that_an_older_prediction_does_not_have_is_not_counted() -> None:
    asked = [captured(0, {"Age": 50, "Gender": "Male", "Condition": "Infection"})]

    found = counted(asked, population(), VERSION, params())

    assert (int(found.features["Drug_Name"].sum()), int(found.features["Age"].sum())) == (0, 1)


def test_an_explanation_of_what_was_just_asked_is_the_same_request() -> None:
    first, other = predictions(2)
    explained = replace(
        first,
        prediction_id="e" * 32,
        explained=True,
        predicted_at=first.predicted_at + timedelta(minutes=59),
    )
    much_later = replace(
        explained, prediction_id="f" * 32, predicted_at=first.predicted_at + timedelta(minutes=61)
    )
    alone = replace(other, prediction_id="d" * 32, explained=True, predicted_at=first.predicted_at)

    assert ids(list(asked_once([first, explained, explained]))) == ids([first])
    assert ids(list(asked_once([first, much_later]))) == ids([first, much_later])
    assert ids(list(asked_once([alone, first]))) == ids([alone, first])


def test_the_same_patient_asked_for_twice_counts_twice() -> None:
    (one,) = predictions(1)

    assert len(list(asked_once([one, replace(one, prediction_id="a" * 32)]))) == 2


def test_only_so_many_questions_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requested, "MOST_REMEMBERED", 1)
    first, second = predictions(2)
    of_first = replace(first, prediction_id="a" * 32, explained=True)
    of_second = replace(second, prediction_id="b" * 32, explained=True)

    counted_once = list(asked_once([first, second, of_first, of_second]))

    assert ids(counted_once) == ids([first, second, of_first])


def test_no_predictions_are_counted_as_none() -> None:
    found = counted([], population(), VERSION, watching())

    assert (found.requests, found.overall.rows, found.groups) == (0, 0, {})
