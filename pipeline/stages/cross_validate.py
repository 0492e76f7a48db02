"""Score one candidate of a grid on training rows, each by a forest that was not fitted on it."""

import io

import joblib
import numpy as np
import pandas as pd
from clinical.artefacts import Artefacts
from clinical.params import Params
from sklearn.model_selection import KFold
from sklearn.model_selection import cross_validate as cross_validated
from sklearn.pipeline import Pipeline
from stage import stage
from state import Candidate, CrossValidated, Preprocessed

from stages.train import forest_of


@stage()
def cross_validate(
    candidate: Candidate, preprocessed: Preprocessed, artefacts: Artefacts, params: Params
) -> CrossValidated:
    """Fit a forest for each fold, of which every candidate gets the same."""
    encoder = joblib.load(io.BytesIO(artefacts.read(preprocessed.encoder)))
    training = pd.read_csv(io.BytesIO(artefacts.read(preprocessed.training)))
    found = cross_validated(
        Pipeline([("encoder", encoder), ("forest", forest_of(candidate.hyperparameters, params))]),
        training[list(params.features.names)],
        training[params.features.target],
        cv=KFold(params.tuning.folds, shuffle=True, random_state=params.seed),
        scoring="neg_root_mean_squared_error",
        return_estimator=True,
        error_score="raise",
    )
    return CrossValidated(
        hyperparameters=candidate.hyperparameters,
        rmse=tuple(float(-score) for score in found["test_score"]),
        leaves=float(np.mean([leaves(fitted["forest"]) for fitted in found["estimator"]])),
    )


def leaves(forest: object) -> int:
    """Count the leaves of all trees of a fitted forest."""
    return sum(tree.get_n_leaves() for tree in forest.estimators_)  # type: ignore[attr-defined]
