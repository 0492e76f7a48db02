import json
from typing import Any

import numpy as np
import pytest
from clinical.artefacts import Artefact, Bucket, read_verified
from clinical.boto3_bucket import Boto3Bucket
from clinical.params import params
from clinical.population import Population
from clinical.registry import POPULATION, Registry
from retrain.intervals import LeftOut
from retrain.population import MOST_PAIRS, feature_levels, left_out_pairs
from retrain.stages.publish import publish

from data.generate import as_csv, patients
from tests.pipeline import ran, rows_of
from tests.unit.pipeline.conftest import Retrained

pytestmark = pytest.mark.usefixtures("few_trees")


@pytest.fixture
def came_to(retrained: Retrained, sample_bytes: bytes) -> dict[str, Any]:
    return retrained(sample_bytes)


@pytest.fixture
def population(bucket: Bucket, came_to: dict[str, Any]) -> Population:
    (version,) = Registry(bucket).versions()
    found = Registry(bucket).annex(version.version, POPULATION, Population)
    written = read_verified(bucket, Artefact(**came_to["trained"]["population"]))
    assert found == Population.model_validate_json(written)
    return found


def test_features_are_those_of_all_rows_and_scores_those_of_held_out_ones(
    population: Population,
) -> None:
    assert population.rows == 1000
    assert [one.column for one in population.features] == list(params().features)
    assert {one.rows for one in population.features} == {1000}
    assert {one.over: one.rows for one in population.scores} == {(): 200, ("Side_Effects",): 200}


def test_listed_values_are_counted_as_the_data_have_them(
    population: Population, sample_bytes: bytes
) -> None:
    drugs = next(one for one in population.features if one.column == "Drug_Name")

    found = dict(zip(drugs.names, drugs.counts, strict=True))

    assert found["Sertraline"] == sample_bytes.count(b",Sertraline,")
    assert list(drugs.names) == list(params().columns["Drug_Name"].listed)


def test_scores_are_as_they_are_served(
    population: Population, bucket: Bucket, came_to: dict[str, Any]
) -> None:
    predicted = json.loads(read_verified(bucket, Artefact(**came_to["trained"]["predictions"])))

    served = np.round(np.clip(predicted, 0, 10), 2)

    assert population.score_mean == pytest.approx(served.mean(), abs=1e-6)
    assert population.score_variance == pytest.approx(served.var(), abs=1e-6)
    found = population.scores[0]
    assert found.counts == tuple(np.histogram(served, [-1, *found.edges, 11])[0].tolist())
    assert min(found.counts) >= 15


def test_left_out_rows_are_kept_by_what_was_not_known(
    population: Population, came_to: dict[str, Any]
) -> None:
    assert [one.over for one in population.left_out] == [(), ("Side_Effects",)]
    for one in population.left_out:
        assert len(one.predicted) == len(one.recorded) == 800
    known = population.left_out_of(())
    assert known is not None
    errors = np.clip(known.predicted, 0, 10) - np.array(known.recorded)
    assert np.sqrt((errors**2).mean()) == pytest.approx(
        came_to["trained"]["cross_validation"]["rmse"], abs=1e-6
    )
    assert population.average == pytest.approx(came_to["trained"]["average"], abs=1e-6)


def test_a_version_that_an_earlier_release_published_gets_it_with_the_next_training(
    bucket: Boto3Bucket, came_to: dict[str, Any], population: Population
) -> None:
    name, inputs = came_to["nominated"]["version"], (
        "admitted", "ingested", "validated", "preprocessed", "chosen", "trained", "evaluated"
    )  # fmt: skip
    bucket.client.delete_object(Bucket=bucket.name, Key=f"models/{name}/{POPULATION}")

    again = ran(publish, "one", {one: came_to[one] for one in inputs})

    assert again["version"] == name
    assert Registry(bucket).annex(name, POPULATION, Population) == population


def test_nobody_is_in_it(bucket: Bucket, came_to: dict[str, Any], sample_bytes: bytes) -> None:
    text = read_verified(bucket, Artefact(**came_to["trained"]["population"])).decode()

    names = [line.split(",")[0] for line in sample_bytes.decode().splitlines()[1:]]
    assert not any(f'"{name}"' in text for name in names)
    assert set(json.loads(text)) == {
        "rows", "average", "features", "scores", "score_mean", "score_variance", "left_out"
    }  # fmt: skip


def test_the_parts_of_a_data_set_are_counted_together() -> None:
    drawn = patients(60, seed=3)
    parts = tuple(rows_of(as_csv(some), params()) for some in (drawn[:40], drawn[40:]))

    found = feature_levels("Age", parts, params())

    assert found == feature_levels("Age", (rows_of(as_csv(drawn), params()),), params())
    assert found.rows == 60


def test_of_many_left_out_rows_some_are_kept_the_same_ones_each_time() -> None:
    rows = np.arange(3 * MOST_PAIRS)
    scores = rows / 10_000
    predicted = LeftOut(rows, {(): scores, ("Side_Effects",): scores + 1})

    known, later = left_out_pairs(predicted, scores + 2, params())

    assert len(known.predicted) == MOST_PAIRS
    assert np.subtract(known.recorded, known.predicted) == pytest.approx(2)
    assert np.subtract(later.recorded, later.predicted) == pytest.approx(1)
    assert left_out_pairs(predicted, scores + 2, params()) == [known, later]
