"""Score the candidate on held-out rows, beside the plain average and the champion, and judge it."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from bootstrap import DECIMALS, Bootstrap, mae, r2, rmse, rmse_difference, skill
from calibration import calibration, curve
from clinical import telemetry
from clinical.artefacts import Artefacts, read_verified
from clinical.errors import ArtefactCorrupted, ArtefactMissing, ModelOfAnotherStudy
from clinical.kinds import Kind, Value
from clinical.params import Params
from clinical.reference import Conformal, Reference, read_reference
from clinical.registry import Champion, Registry
from clinical.verdict import (
    AgainstChampion,
    Coverage,
    Evaluation,
    Figures,
    Importance,
    Parity,
    Scores,
    Subgroup,
)
from gate import coverage_tolerance, judged
from model.answering import check_answers
from model.scored import interval_around
from model.scorer import UNREADABLE, Scorer
from rows import Rows
from simultaneous import coverage_by_group, errors_by_group
from stage import stage
from state import Evaluated, Preprocessed, Seen, Trained

UNREADABLE_NOW = "it cannot be read or scored any more"
IMPORTANCE_ROWS = 2_000  # of the held-out rows; more say the same and take longer

type Columns = dict[str, np.ndarray[tuple[int], np.dtype[np.generic]]]
type Array = np.ndarray[tuple[int], np.dtype[np.float64]]
type Which = np.ndarray[tuple[int], np.dtype[np.bool_]]
type Values = tuple[Value, ...]


@stage(cached=False)  # the champion is not among its inputs
def evaluate(
    preprocessed: Preprocessed,
    trained: Trained,
    artefacts: Artefacts,
    registry: Registry,
    params: Params,
) -> Evaluated:
    """Score the very graph that would serve, and let the gate decide on the figures."""
    held_out = Rows(artefacts.read(preprocessed.held_out), params)
    columns, recorded = held_out.features(), held_out.target()
    scorer = Scorer(artefacts.read(trained.onnx))
    reference = read_reference(artefacts.bucket, trained.reference)
    check_answers(scorer, reference, params)
    predicted = scorer.score(columns)
    expected = np.array(json.loads(artefacts.read(trained.predictions)))

    bootstrap = bootstrap_of(params)
    errors, errors_of_average = predicted - recorded, trained.average - recorded
    held = within(recorded, predicted, reference.interval, params)
    figures = Figures(
        rows=len(recorded),
        confidence=bootstrap.confidence,
        candidate=scored(errors, recorded, bootstrap),
        average=scored(errors_of_average, recorded, bootstrap),
        skill=bootstrap.estimate(skill, errors, errors_of_average),
        rmse_difference=bootstrap.estimate(rmse_difference, errors, errors_of_average),
        parity=compared(predicted, expected, params),
        coverage=covered(held, reference.interval.coverage, params),
        calibration=calibration(recorded, predicted, bootstrap),
        champion=against_champion(
            registry,
            HeldOut(held_out, columns, recorded, errors, trained.average),
            combinations_of(reference, params),
            params,
        ),
    )
    evaluation = Evaluation(
        verdict=judged(figures, params),
        subgroups=tuple(subgroups(held_out, errors, held, reference.interval.coverage, params)),
        importances=tuple(importances(scorer, columns, recorded, params)),
        simultaneous=True,
        calibration_curve=curve(recorded, predicted, bootstrap),
    )
    if evaluation.verdict.decision == "rejected":  # then the execution ends; else `promote` knows
        telemetry.count_execution("rejected")
    telemetry.note(decision=evaluation.verdict.decision)
    return Evaluated(
        verdict=evaluation.verdict, report=artefacts.write_json("evaluation.json", evaluation)
    )


def bootstrap_of(params: Params) -> Bootstrap:
    return Bootstrap(params.evaluation.resamples, params.evaluation.confidence, params.seed)


def scored(errors: Array, recorded: Array, bootstrap: Bootstrap) -> Scores:
    """Score errors (n,), prediction less recorded score, with the interval of each figure."""
    return Scores(
        rmse=bootstrap.estimate(rmse, errors),
        mae=bootstrap.estimate(mae, errors),
        r2=bootstrap.estimate(r2, errors, recorded),
    )


def compared(predicted: Array, expected: Array, params: Params) -> Parity:
    """Compare ONNX's answers (n,) with scikit-learn's (n,), row by row."""
    largest = float(np.abs(predicted - expected).max())
    return Parity(max_error=largest, holds=largest <= params.gate.max_parity_error * params.width)


def within(recorded: Array, predicted: Array, interval: Conformal, params: Params) -> Which:
    """Tell which recorded scores lie within the intervals that would be served: bool array (n,)."""
    low, high = interval_around(predicted, interval.half_width, params)
    return np.asarray((low <= recorded) & (recorded <= high))


def covered(held: Which, target: float, params: Params) -> Coverage:
    """Count how many recorded scores their intervals held, bool array (n,), of `target`."""
    measured = float(held.mean())
    tolerance = coverage_tolerance(target, len(held), params.gate)
    return Coverage(
        target=target,
        measured=measured,
        tolerance=tolerance,
        # 0.9 - 0.85 is 0.05 and a little more in binary.
        holds=round(abs(measured - target), 9) <= tolerance,
    )


@dataclass(frozen=True)
class HeldOut:
    """The held-out rows (n,), and the candidate's errors on them.

    average: that a model without any skill would always answer, the training rows' own.
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

    combinations: that the candidate's data recorded.
    A champion that cannot be read, or asks for what the contract has no longer, serves nobody: it
    must not stand in the way of its successor.
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
    its_errors = predicted - recorded
    below_average = bootstrap.estimate(rmse_difference, its_errors, held_out.average - recorded)
    return against.model_copy(
        update={
            "scores": scored(its_errors, recorded, bootstrap),
            "rmse_difference": bootstrap.estimate(
                rmse_difference, held_out.errors[compared], its_errors
            ),
            "beats_average": below_average.high < 0,
        }
    )


def scored_by(
    scorer: Scorer, held_out: HeldOut, unseen: Which, known: set[Values], params: Params
) -> tuple[Which, Array]:
    """Score those of the unseen rows (n,) that a champion can: which, bool array (n,), and how.

    Where the contract has a category by now that the champion lacks, ONNX Runtime refuses all rows
    at once. Then those are left whose combination the champion recorded.
    """
    together = held_out.rows.together(params.roles.recorded_together)
    recorded = np.array([values in known for values in together])
    for rows in (unseen, unseen & recorded):
        try:
            return rows, scorer.score(held_out.at(rows))
        except UNREADABLE:
            continue
    return np.zeros_like(unseen), np.empty(0)


def combinations_of(reference: Reference, params: Params) -> set[Values]:
    columns = params.roles.recorded_together
    return {tuple(one.values.get(name) for name in columns) for one in reference.combinations}


def serves(reference: Reference, params: Params) -> bool:
    """Whether requests as they are now can be answered by a model."""
    try:
        reference.check_contract(params)
    except ModelOfAnotherStudy:
        return False
    return True


def rows_new_to(champion: Champion, registry: Registry, rows: Rows) -> Which:
    """Tell which held-out rows a champion was not trained on: bool array (n,).

    Rows are compared by the columns that the champion had. Raises ModelOfAnotherStudy where one of
    them is gone, or is written otherwise: then nobody can tell what it was trained on.
    """
    read = json.loads(read_verified(registry.bucket, champion.training_rows))
    if isinstance(read, list):  # as an earlier release wrote it: of these very columns
        read = {"columns": {name: rows.form(name) for name in rows.cells}, "digests": read}
    seen = Seen.model_validate(read)
    changed = [name for name, form in seen.columns.items() if rows.form(name) != form]
    if changed:
        raise ModelOfAnotherStudy(
            f"it was trained on columns that there are no longer, or not in the same form: "
            f"{', '.join(changed)}"
        )
    known = set(seen.digests)
    return np.array([digest not in known for digest in rows.digests(seen.columns)])


def subgroups(
    rows: Rows, errors: Array, held: Which, target: float, params: Params
) -> Iterator[Subgroup]:
    """Score the groups of each column that roles.subgroups names: all of them at once.

    errors: (n,). held: whether each interval, which should hold with the probability `target`, did.
    """
    named = [
        (feature, group, labels == group)
        for feature, starts in params.roles.subgroups.items()
        for labels in [groups_of(rows, feature, starts, params)]
        for group in sorted(set(labels.tolist()), key=order_of(feature, starts, params))
    ]
    enough = [
        members
        for _, _, members in named
        if np.count_nonzero(members) >= params.evaluation.min_subgroup_rows
    ]
    bootstrap = bootstrap_of(params)
    family = np.array(enough, np.bool_).reshape(len(enough), rows.number).T
    figures = zip(
        errors_by_group(errors, family, bootstrap),
        coverage_by_group(held, family, target, bootstrap),
        strict=True,
    )
    for feature, group, members in named:
        number = int(np.count_nonzero(members))
        told = Subgroup(feature=feature, group=group, rows=number)
        if number >= params.evaluation.min_subgroup_rows:
            found, coverage = next(figures)
            told = told.model_copy(
                update={
                    "rmse": found.rmse,
                    "mae": found.mae,
                    "mean_error": found.mean_error,
                    "coverage": coverage,
                    "off_zero": found.off_zero,
                }
            )
        yield told


def groups_of(
    rows: Rows, feature: str, starts: tuple[float, ...] | None, params: Params
) -> np.ndarray[tuple[int], np.dtype[np.object_]]:
    """Name the group of each row (n,): what it says, or the band of it, such as "35-49"."""
    kind = params.columns[feature]
    if starts is None:
        return np.array([kind.group_of(value) for value in rows.values(feature)], np.object_)
    names = np.array([*bands_of(starts, kind), kind.group_of(None)], np.object_)
    numbers = rows.feature(feature).astype(np.float64)
    places = np.searchsorted(np.array(starts), numbers, side="right") - 1
    found: np.ndarray[tuple[int], np.dtype[np.object_]] = names[
        np.where(np.isnan(numbers), len(starts), places)
    ]
    return found


def bands_of(starts: tuple[float, ...], kind: Kind) -> list[str]:
    """Name bands by their first and last value, such as "35-49", or "1.5 to under 2.5"."""
    last = kind.widget["range"][1]
    if kind.widget["step"] == 1:
        ends = [*(start - 1 for start in starts[1:]), last]
        return [f"{start:g}-{end:g}" for start, end in zip(starts, ends, strict=True)]
    under = [f"{start:g} to under {end:g}" for start, end in pairwise(starts)]
    return [*under, f"{starts[-1]:g} to {last:g}"]


def order_of(
    feature: str, starts: tuple[float, ...] | None, params: Params
) -> Callable[[str], tuple[int, str]]:
    """Put bands in their order, and other groups in that of the alphabet."""
    bands = [] if starts is None else bands_of(starts, params.columns[feature])
    return lambda group: (bands.index(group) if group in bands else len(bands), group)


def importances(
    scorer: Scorer, columns: Columns, recorded: Array, params: Params
) -> Iterator[Importance]:
    """Measure how much RMSE grows when a feature says nothing: shuffled, the others as they are.

    Source: Breiman, Random Forests, Machine Learning 45, 2001.
    """
    generator = np.random.default_rng(params.seed)
    rows = generator.permutation(len(recorded))[:IMPORTANCE_ROWS]
    columns = {name: column[rows] for name, column in columns.items()}
    recorded = recorded[rows]
    whole = rmse(scorer.score(columns) - recorded)
    for name in params.features:
        growth = [
            float(
                rmse(
                    scorer.score({**columns, name: generator.permutation(columns[name])}) - recorded
                )
                - whole
            )
            for _ in range(params.evaluation.importance_repeats)
        ]
        yield Importance(
            feature=name,
            mean=round(float(np.mean(growth)), DECIMALS),
            std=round(float(np.std(growth)), DECIMALS),
        )
