"""Choose among the candidates of a grid by the one-standard-error rule."""

from math import sqrt
from statistics import mean, stdev

from clinical.artefacts import Artefacts
from clinical.card import Tuning, TuningCandidate
from clinical.errors import TuningFailed
from clinical.params import Params
from stage import stage

from retrain.state import Chosen, CrossValidated, Failed, Tried


@stage()
def choose(tried: Tried, artefacts: Artefacts, params: Params) -> Chosen:
    """Choose the simplest candidate that is about as good as the best, and report all.

    Raises TuningFailed if more candidates failed than params.yaml tolerates.
    """
    failed = [one for one in tried.candidates if isinstance(one, Failed)]
    if len(failed) > params.tuning.tolerated_failures * len(tried.candidates):
        raise TuningFailed(
            f"{len(failed)} of {len(tried.candidates)} candidates failed, more than "
            f"tuning.tolerated_failures allows; the first failed with {failed[0].error}"
        )
    candidates = [one for one in tried.candidates if isinstance(one, CrossValidated)]
    best = min(candidates, key=lambda one: mean(one.rmse))
    limit = mean(best.rmse) + standard_error(best)
    chosen = simplest([one for one in candidates if mean(one.rmse) <= limit])
    report = Tuning(
        grid=tried.grid,
        limit=limit,
        candidates=tuple(
            TuningCandidate(
                hyperparameters=one.hyperparameters,
                rmse=mean(one.rmse),
                standard_error=standard_error(one),
                leaves=one.leaves,
                chosen=one is chosen,
                best=one is best,
            )
            if isinstance(one, CrossValidated)
            else TuningCandidate(hyperparameters=one.hyperparameters, error=one.error)
            for one in tried.candidates
        ),
    )
    return Chosen(
        hyperparameters=chosen.hyperparameters,
        tuning=artefacts.write_json("tuning.json", report),
    )


def standard_error(candidate: CrossValidated) -> float:
    """Return the standard error of a candidate's mean RMSE over its folds."""
    return stdev(candidate.rmse) / sqrt(len(candidate.rmse))


def simplest(candidates: list[CrossValidated]) -> CrossValidated:
    """Return the one with the fewest leaves or coefficients, the first in the grid's order.

    Source of the rule: Breiman et al., Classification and Regression Trees, 1984, section 3.4.3.
    """
    return min(candidates, key=lambda one: one.leaves)
