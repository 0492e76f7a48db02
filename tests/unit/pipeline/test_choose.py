import json
from inspect import unwrap

import pytest
from clinical.artefacts import Artefacts, Bucket, read_verified
from clinical.card import Tuning
from clinical.errors import TuningFailed
from clinical.hyperparameters import Model
from clinical.params import params
from retrain.stages.choose import choose
from retrain.state import Chosen, CrossValidated, Failed, Tried

# Means 1.0, 1.02 and 2.0; the standard error of the best is 0.0577.
BEST, SIMPLER, WORSE = (1.1, 0.9, 1.0), (1.12, 0.92, 1.02), (2.1, 1.9, 2.0)


def candidate(trees: int, rmse: tuple[float, ...], leaves: float) -> CrossValidated:
    return CrossValidated(hyperparameters=hyperparameters(trees), rmse=rmse, leaves=leaves)


def hyperparameters(trees: int) -> Model:
    return params().model.model_copy(update={"n_estimators": trees})


def failed(trees: int) -> Failed:
    return Failed(hyperparameters=hyperparameters(trees), error="Sandbox.Timedout")


def chosen_of(bucket: Bucket, *candidates: CrossValidated | Failed) -> tuple[Chosen, Tuning]:
    chosen = unwrap(choose)(
        Tried(grid="small", candidates=candidates), Artefacts(bucket, "runs/one/choose"), params()
    )
    return chosen, Tuning.model_validate_json(read_verified(bucket, chosen.tuning))


def test_the_simplest_within_a_standard_error_of_the_best_is_chosen(bucket: Bucket) -> None:
    chosen, report = chosen_of(
        bucket,
        candidate(300, BEST, leaves=900),
        candidate(200, SIMPLER, leaves=500),
        candidate(100, WORSE, leaves=100),
    )

    assert chosen.hyperparameters == hyperparameters(200)
    assert report.limit == pytest.approx(1.0 + 0.1 / 3**0.5)
    assert [(one.best, one.chosen) for one in report.candidates] == [
        (True, False),
        (False, True),
        (False, False),
    ]


def test_of_equally_simple_ones_the_first_is_chosen(bucket: Bucket) -> None:
    chosen, _ = chosen_of(bucket, candidate(200, SIMPLER, 500), candidate(300, BEST, 500))

    assert chosen.hyperparameters == hyperparameters(200)


def test_a_candidate_that_failed_is_reported_and_tolerated(bucket: Bucket) -> None:
    others = [candidate(trees, BEST, trees) for trees in range(1, 10)]

    chosen, report = chosen_of(bucket, *others, failed(100))

    assert chosen.hyperparameters == hyperparameters(1)
    assert [one.error for one in report.candidates] == [None] * 9 + ["Sandbox.Timedout"]
    assert report.candidates[-1].rmse is None


def test_more_failures_than_tolerated_choose_nothing(bucket: Bucket) -> None:
    others = [candidate(trees, BEST, trees) for trees in range(1, 9)]

    with pytest.raises(TuningFailed, match=r"2 of 10 candidates failed.*Sandbox\.Timedout"):
        chosen_of(bucket, *others, failed(100), failed(200))


def test_what_the_state_machine_makes_of_a_failure_is_understood() -> None:
    sent = json.dumps(
        {
            "grid": "small",
            "candidates": [
                {"hyperparameters": hyperparameters(1).model_dump(), "error": "States.Timeout"}
            ],
        }
    )

    (one,) = Tried.model_validate_json(sent).candidates

    assert isinstance(one, Failed)
