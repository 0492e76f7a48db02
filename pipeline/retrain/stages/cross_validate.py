"""Cross-validate one candidate of a grid on the training rows."""

from statistics import fmean

import numpy as np
from clinical.artefacts import Artefacts
from clinical.params import Params
from rows import Rows
from sklearn.metrics import root_mean_squared_error
from stage import stage

from retrain.encoding import encoded, table_of
from retrain.families import family_of, on_one_thread
from retrain.folds import folds
from retrain.state import Candidate, CrossValidated, Preprocessed


@stage()
def cross_validate(
    candidate: Candidate, preprocessed: Preprocessed, artefacts: Artefacts, params: Params
) -> CrossValidated:
    """Fit a model for each fold; all candidates have the same folds."""
    training = Rows(artefacts.read(preprocessed.training), params)
    table, target = table_of(training), training.target()
    family = family_of(candidate.hyperparameters, params)
    features = encoded(family.encoder(table), table)
    errors, leaves = [], []
    # Not scikit-learn's cross_validate, which would keep all forests, the largest of which take
    # gigabytes.
    for fitted_on, left_out in folds(params.tuning.folds, params).split(features):
        with on_one_thread():
            regressor = family.regressor().fit(features[fitted_on], target[fitted_on])
            predicted = regressor.predict(features[left_out])
        served = np.clip(predicted, *params.scale)
        errors.append(float(root_mean_squared_error(target[left_out], served)))
        leaves.append(family.fitted_values(regressor))
    return CrossValidated(
        hyperparameters=candidate.hyperparameters, rmse=tuple(errors), leaves=fmean(leaves)
    )
