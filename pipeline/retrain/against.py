"""Compare a candidate on the held-out rows with the champion and with a ridge regression."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from bootstrap import Bootstrap, rmse_difference
from clinical import telemetry
from clinical.artefacts import Artefacts, read_verified
from clinical.errors import ArtefactCorrupted, ArtefactMissing, ModelOfAnotherStudy
from clinical.kinds import Value
from clinical.params import Params
from clinical.reference import Reference, read_reference
from clinical.registry import Champion, Registry
from clinical.verdict import AgainstChampion, Baseline
from figures import bootstrap_of, clamped, scored
from model.scorer import UNREADABLE, Scorer
from rows import Rows

from retrain.many_rows import in_blocks
from retrain.state import Seen, Trained

UNREADABLE_NOW = "it can no longer be read or scored"
RIDGE = "Ridge regression"

type Columns = dict[str, np.ndarray[tuple[int], np.dtype[np.generic]]]
type Array = np.ndarray[tuple[int], np.dtype[np.float64]]
type Which = np.ndarray[tuple[int], np.dtype[np.bool_]]
type Values = tuple[Value, ...]


@dataclass(frozen=True)
class HeldOut:
    """The held-out rows (n,), and the candidate's errors on them.

    average: the prediction of the average baseline, from the training rows.
    """

    rows: Rows
    columns: Columns
    recorded: Array
    errors: Array
    average: float

    def at(self, rows: Which) -> Columns:
        return {name: column[rows] for name, column in self.columns.items()}


def against_champion(
    registry: Registry, held_out: HeldOut, combinations: set[Values], params: Params
) -> AgainstChampion | None:
    """Score the champion on the held-out rows that it was not trained on.

    combinations: those recorded in the candidate's data.
    A champion that cannot be read, or that needs columns the contract no longer has, cannot serve:
    it must not block its successor.
    """
    pointer = registry.champion()
    if pointer is None:
        return None
    champion = pointer.champion
    try:
        reference = read_reference(registry.bucket, champion.reference)
        known = combinations_of(reference, params)
        unseen = rows_new_to(champion, registry, held_out.rows)
        scorer = Scorer(read_verified(registry.bucket, champion.model))
        compared, predicted = scored_by(scorer, held_out, unseen, known, params)
    except (
        ArtefactCorrupted,
        ArtefactMissing,
        ModelOfAnotherStudy,
        KeyError,
        ValueError,
        *UNREADABLE,
    ) as error:
        telemetry.logger().error("The champion cannot be scored.", error=type(error).__name__)
        if isinstance(error, ArtefactCorrupted):
            telemetry.count(telemetry.Metric.ARTEFACTS_REFUSED, model_version=champion.version)
        return AgainstChampion(
            version=champion.version,
            sequence=champion.sequence,
            rows=0,
            beats_average=False,
            serves=False,
            not_compared=str(error) if isinstance(error, ModelOfAnotherStudy) else UNREADABLE_NOW,
        )
    against = AgainstChampion(
        version=champion.version,
        sequence=champion.sequence,
        rows=int(compared.sum()),
        beats_average=champion.verdict.beats_average,
        serves=serves(reference, params),
        combinations=len(known),
        lost_combinations=len(known - combinations),
    )
    if against.rows < params.gate.min_champion_rows:
        return against
    bootstrap = bootstrap_of(params)
    recorded = held_out.recorded[compared]
    errors, its_errors = held_out.errors[compared], clamped(predicted, params) - recorded
    below_average = bootstrap.estimate(rmse_difference, its_errors, held_out.average - recorded)
    return against.model_copy(
        update={
            "scores": scored(its_errors, recorded, bootstrap),
            "rmse_difference": bootstrap.estimate(rmse_difference, errors, its_errors),
            "rmse_difference_of_two": bootstrap.of_two().estimate(
                rmse_difference, errors, its_errors
            ),
            "beats_average": below_average.high < 0,
        }
    )


def scored_by(
    scorer: Scorer, held_out: HeldOut, unseen: Which, known: set[Values], params: Params
) -> tuple[Which, Array]:
    """Score the unseen rows (n,) that the champion can score: which, bool array (n,), and scores.

    If the contract has a new category that the champion lacks, ONNX Runtime refuses all rows at
    once; then only rows are scored whose combination was recorded in the champion's data.
    """
    distinct, which = held_out.rows.coded(params.roles.recorded_together)
    recorded = np.array([values in known for values in distinct])[which]
    for rows in (unseen, unseen & recorded):
        try:
            return rows, in_blocks(scorer.score, held_out.at(rows), int(rows.sum()), params)
        except UNREADABLE:
            continue
    return np.zeros_like(unseen), np.empty(0)


def combinations_of(reference: Reference, params: Params) -> set[Values]:
    columns = params.roles.recorded_together
    return {tuple(one.values.get(name) for name in columns) for one in reference.combinations}


def serves(reference: Reference, params: Params) -> bool:
    """Whether a model can answer current requests."""
    try:
        reference.check_contract(params)
    except ModelOfAnotherStudy:
        return False
    return True


def rows_new_to(champion: Champion, registry: Registry, rows: Rows) -> Which:
    """Return which held-out rows a champion was not trained on: bool array (n,).

    Rows are compared by the champion's columns; raises what `seen_by` raises.
    """
    seen = seen_by(champion, registry, {name: rows.form(name) for name in rows.columns})
    known = set(seen.digests)
    return np.array([digest not in known for digest in rows.digests(seen.columns)])


def seen_by(champion: Champion, registry: Registry, forms: Mapping[str, str | None]) -> Seen:
    """Read the digests of the rows that a champion was trained on.

    forms: the canonical forms of the current columns. Raises ModelOfAnotherStudy if one of the
    champion's columns is gone or has another form: then its training rows cannot be identified.
    """
    read = json.loads(read_verified(registry.bucket, champion.training_rows))
    if isinstance(read, list):  # as an earlier release wrote it: of these very columns
        read = {"columns": dict(forms), "digests": read}
    seen = Seen.model_validate(read)
    changed = [name for name, form in seen.columns.items() if forms.get(name) != form]
    if changed:
        raise ModelOfAnotherStudy(
            f"it was trained on columns that no longer exist, or that have another form now: "
            f"{', '.join(changed)}"
        )
    return seen


def against_baseline(  # noqa: PLR0913, PLR0917 - whose errors are compared with whose
    trained: Trained,
    artefacts: Artefacts,
    recorded: Array,
    errors: Array,
    errors_of_average: Array,
    bootstrap: Bootstrap,
    params: Params,
) -> Baseline | None:
    """Compare a ridge regression with recorded scores (n,), and with other models' errors.

    None if none could be fitted.
    """
    if trained.baseline is None:
        return None
    predicted = np.array(json.loads(artefacts.read(trained.baseline)))
    its_errors = clamped(predicted, params) - recorded
    return Baseline(
        name=RIDGE,
        scores=scored(its_errors, recorded, bootstrap),
        rmse_difference=bootstrap.estimate(rmse_difference, errors, its_errors),
        average_difference=bootstrap.estimate(rmse_difference, its_errors, errors_of_average),
    )
