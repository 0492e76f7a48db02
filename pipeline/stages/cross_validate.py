"""Score one candidate of a grid on training rows, each by a forest that was not fitted on it."""

import io
from statistics import fmean

import joblib
from clinical.artefacts import Artefacts
from clinical.params import Params
from forest import folds, forest_of, table_of
from rows import Rows
from sklearn.metrics import root_mean_squared_error
from stage import stage
from state import Candidate, CrossValidated, Preprocessed


@stage()
def cross_validate(
    candidate: Candidate, preprocessed: Preprocessed, artefacts: Artefacts, params: Params
) -> CrossValidated:
    """Fit a forest for each fold, of which every candidate gets the same."""
    encoder = joblib.load(io.BytesIO(artefacts.read(preprocessed.encoder)))
    training = Rows(artefacts.read(preprocessed.training), params)
    features, target = encoder.transform(table_of(training)), training.target()
    errors, leaves = [], []
    # Fold by fold, and not by scikit-learn's cross_validate: that would keep all forests, of which
    # the largest have gigabytes.
    for fitted_on, left_out in folds(params.tuning.folds, params).split(features):
        forest = forest_of(candidate.hyperparameters, params)
        forest.fit(features[fitted_on], target[fitted_on])
        predicted = forest.predict(features[left_out])
        errors.append(float(root_mean_squared_error(target[left_out], predicted)))
        leaves.append(sum(tree.get_n_leaves() for tree in forest.estimators_))
    return CrossValidated(
        hyperparameters=candidate.hyperparameters, rmse=tuple(errors), leaves=fmean(leaves)
    )
