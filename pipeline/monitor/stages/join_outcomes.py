"""Import outcomes, join them with predictions, and compare them with the verdict."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta

from clinical.artefacts import Artefacts, read_verified
from clinical.captures import Captures
from clinical.environment import environment
from clinical.monitored import Selection
from clinical.outcomes import Outcome, Outcomes
from clinical.params import Params
from clinical.population import Population
from clinical.registry import POPULATION, Champion, Registry
from further import further
from stage import RawBucket, Run, stage

from monitor.degraded import Came, observed_of, selection_of
from monitor.joining import joined
from monitor.requests import counted
from monitor.state import Begun, Joined
from monitor.told import take_in

LOOKED_BACK = timedelta(days=92)  # on predictions without an outcome, beside those with one


@stage(cached=False)  # outcomes and captures are not among its inputs
def join_outcomes(  # noqa: PLR0913, PLR0917 - what is told, and what it is told of
    begun: Begun,
    raw: RawBucket,
    artefacts: Artefacts,
    registry: Registry,
    run: Run,
    params: Params,
) -> Joined:
    """Join outcomes with their predictions, and test whether the model has got worse."""
    version, window = begun.serving, begun.window
    captures, told = Captures(artefacts.bucket), Outcomes(artefacts.bucket)
    taken = take_in(raw, told, captures, run, params)
    every = told.all()
    found = joined(every, captures, window, version.version)
    population = registry.annex(version.version, POPULATION, Population)
    observed = observed_of(
        found.came, population, params, beat_average=version.verdict.beats_average
    )
    observed = observed.model_copy(
        update={
            "unknown": found.unknown,
            "waiting": found.waiting,
            "selection": population
            and selection(found.came, every, captures, population, version.version, params),
            "notes": (*taken.notes, *found.notes, *observed.notes),
        }
    )
    return Joined(
        observed=artefacts.write_json("observed.json", observed),
        degraded=observed.degraded,
        says=observed.says,
        further=unlearned(version, window.until, registry, params),
    )


def unlearned(champion: Champion, until: datetime, registry: Registry, params: Params) -> int:
    """Count the outcomes that a model was not trained on, but could be.

    0 if automatic retraining is off, because the count takes a while and is not needed then.
    """
    upload = champion.upload
    if not environment().retrain_after_outcomes or upload is None:
        return 0
    if upload.outcomes_until and until <= upload.outcomes_until:
        return 0
    card = json.loads(read_verified(registry.bucket, champion.card))
    there = further(registry.bucket, upload, until, params).rows
    return max(0, there - int(card["data"].get("outcomes", 0)))


def selection(  # noqa: PLR0913, PLR0917 - what is set beside what
    came: list[Came],
    outcomes: Mapping[str, Outcome],
    captures: Captures,
    population: Population,
    version: str,
    params: Params,
) -> Selection | None:
    """Compare predictions with an outcome with contemporary predictions without one."""
    if not came:
        return None
    last = max(one.prediction.predicted_at for one in came)
    first = max(min(one.prediction.predicted_at for one in came), last - LOOKED_BACK)
    chosen = sorted(
        (one.prediction for one in came if one.prediction.predicted_at >= first),
        key=lambda one: one.predicted_at,
    )
    others = (
        one
        for one in captures.between(first, last)
        if one.model_version == version and one.prediction_id not in outcomes
    )
    return selection_of(
        counted(chosen, population, version, params),
        counted(others, population, version, params),
        params,
    )
