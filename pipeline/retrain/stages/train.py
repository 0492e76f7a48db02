"""Fit the model, and export the whole pipeline, encoding included, to one ONNX graph."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from clinical.artefacts import Artefact, Artefacts
from clinical.kinds import Value
from clinical.params import Params
from clinical.recorded import Combination, Names
from clinical.reference import Reference
from clinical.registry import POPULATION, REFERENCE_PROPERTY
from grouped import groups_in, half_widths
from pydantic import TypeAdapter
from rows import Rows
from sklearn.metrics import r2_score, root_mean_squared_error
from sklearn.pipeline import Pipeline
from stage import stage

from retrain.averaging import Averaging, Counting, as_combinations, counting, counts_of, in_order_of
from retrain.baseline import ridge_predictions
from retrain.encoding import dumped, encoded, encoder_of, table_of
from retrain.export import as_onnx
from retrain.families import ENCODER, REGRESSOR, family_of, model_of, on_one_thread
from retrain.intervals import (
    LeftOut,
    by_table,
    chosen_by,
    conformal,
    differences,
    predicted_when_left_out,
)
from retrain.population import MOST_SCORED, population_of
from retrain.state import Chosen, Combined, CrossScores, Preprocessed, Trained, Validated

type Array = np.ndarray[tuple[int], np.dtype[np.float64]]


@stage()
def train(  # noqa: PLR0913, PLR0917 - what a model and its reference are made of
    validated: Validated,
    preprocessed: Preprocessed,
    combined: Combined,
    chosen: Chosen,
    artefacts: Artefacts,
    params: Params,
) -> Trained:
    """Write the model in scikit-learn and ONNX form, and the reference that serving needs."""
    training = Rows(artefacts.read(preprocessed.training), params)
    held_out = Rows(artefacts.read(preprocessed.held_out), params)
    recorded = TypeAdapter(list[dict[str, Value]]).validate_json(
        artefacts.read(combined.combinations)
    )
    table, target, asked = table_of(training), training.target(), table_of(held_out)
    hyperparameters = chosen.hyperparameters or params.model

    family = family_of(hyperparameters, params)
    model = model_of(family, family.encoder(table))
    features = encoded(model[ENCODER], table)
    counted = counting(recorded, training, params)
    with on_one_thread():
        left_out = predicted_when_left_out(model, features, training, counted, params)
        model[REGRESSOR].fit(features, target)
    family.settle(model[REGRESSOR])
    recorded_of, served = target[left_out.rows], np.clip(left_out.scores[()], *params.scale)
    del features  # as large as all that follows
    baseline = ridge_predictions(encoder_of(params), table, target, asked, params)
    known = reference_of(training, recorded, counted, left_out, params)
    reference = artefacts.write_json("reference.json", known)
    predictions = model[REGRESSOR].predict(encoded(model[ENCODER], asked))
    scores = {(): predictions} | averaged_scores(model, held_out, known, params)
    population = population_of(training, held_out, scores, left_out, params)
    return Trained(
        model=artefacts.write("model.joblib", dumped(model)),
        onnx=artefacts.write(
            "model.onnx", as_onnx(model, family, provenance(validated, reference, params), params)
        ),
        reference=reference,
        population=artefacts.write_json(POPULATION, population),
        predictions=artefacts.write_json("predictions.json", predictions.tolist()),
        baseline=artefacts.write_json("baseline.json", [*baseline]) if baseline else None,
        average=float(target.mean()),
        hyperparameters=hyperparameters,
        cross_validation=CrossScores(
            folds=params.intervals.folds,
            rmse=float(root_mean_squared_error(recorded_of, served)),
            r2=float(r2_score(recorded_of, served)),
        ),
    )


def reference_of(
    training: Rows,
    recorded: Sequence[Mapping[str, Value]],
    counted: Counting,
    left_out: LeftOut,
    params: Params,
) -> Reference:
    """Build the reference that serving needs besides the model.

    recorded: the combinations of the data set. left_out: out-of-fold predictions of training rows.
    """
    target = training.target()[left_out.rows]
    residuals = {over: target - scores for over, scores in left_out.scores.items()}
    by = chosen_by(residuals[()], left_out.rows, training, params)
    of_rows = groups_in(training, by, params).at(left_out.rows)
    groups = of_rows if by else None
    intervals = {over: conformal(one, params, over, by, groups) for over, one in residuals.items()}
    together, later = params.roles.recorded_together, params.roles.known_after_treatment
    interval = intervals[later]  # treatments are compared before any of it is known
    widths = half_widths(interval, of_rows)
    return Reference(
        combinations=with_support(recorded, training, params),
        interval=intervals[()],
        background=background(training, params),
        contract=params.contract_digest,
        known_later=()
        if set(later) <= set(together)
        else counted(np.arange(training.number)).combinations,
        treatments=treatments(training, params),
        averaged=tuple(one for over, one in intervals.items() if over),
        differences=differences(residuals[later], widths, interval.half_width),
    )


def averaged_scores(
    model: Pipeline, held_out: Rows, reference: Reference, params: Params
) -> dict[Names, Array]:
    """Score held-out rows as if columns were not known yet, for each combination of columns."""
    averaging = Averaging(held_out, reference.later, params)
    rows = np.random.default_rng(params.seed).permutation(held_out.number)[:MOST_SCORED]
    return {
        over: averaging.predict(by_table(model), over, np.sort(rows)) for over in params.left_out
    }


def with_support(
    recorded: Sequence[Mapping[str, Value]], training: Rows, params: Params
) -> tuple[Combination, ...]:
    """Count the training rows of each recorded combination."""
    columns = params.roles.recorded_together
    counted = counts_of(training.coded(columns))
    return as_combinations(
        columns,
        {
            values: counted.get(values, 0)
            for one in recorded
            for values in [tuple(one[c] for c in columns)]
        },
    )


def treatments(training: Rows, params: Params) -> tuple[Combination, ...]:
    """Count the treatments in the training rows, if `combinations` do not include them."""
    together, later = params.roles.recorded_together, params.roles.known_after_treatment
    if set(params.compared) <= set(together):
        return ()
    known = (*(name for name in together if name not in later), *params.compared)
    columns = tuple(dict.fromkeys(known))
    counts = counts_of(training.coded(columns))
    return as_combinations(
        columns, dict(sorted(counts.items(), key=lambda one: in_order_of(one[0])))
    )


def background(training: Rows, params: Params) -> tuple[dict[str, Value], ...]:
    """Draw the background rows for explanations from the training rows."""
    drawn = pd.Series(range(training.number)).sample(
        min(params.explanations.background_rows, training.number), random_state=params.seed
    )
    columns = [
        [values[row] for row in drawn]
        for values in (training.values(name) for name in params.features)
    ]
    return tuple(
        dict(zip(params.features, values, strict=True)) for values in zip(*columns, strict=True)
    )


def provenance(validated: Validated, reference: Artefact, params: Params) -> dict[str, str]:
    """Describe a graph's inputs, so that a difference in any of them gives another version."""
    return {
        "dataset_sha256": validated.dataset.sha256,
        "params_sha256": params.pipeline_digest,
        REFERENCE_PROPERTY: reference.sha256,
    }
