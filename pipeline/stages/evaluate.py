"""Score the candidate on held-out rows, beside the plain average and the champion, and judge it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from bootstrap import DECIMALS, Bootstrap, mae, mean, r2, rmse, rmse_difference, skill
from clinical import telemetry
from clinical.artefacts import Artefacts, read_verified
from clinical.errors import ArtefactCorrupted, ArtefactMissing
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
from model.interval import interval_around
from model.scorer import UNREADABLE, Scorer
from rows import Columns, read_rows, row_digests
from stage import stage
from state import Evaluated, Preprocessed, Trained

IMPORTANCE_ROWS = 2_000  # of the held-out rows; more say the same and take longer

type Array = np.ndarray[tuple[int], np.dtype[np.float64]]
type Rows = np.ndarray[tuple[int], np.dtype[np.bool_]]
type Values = tuple[str | int, ...]


@stage(cached=False)  # the champion is not among its inputs
def evaluate(
    preprocessed: Preprocessed,
    trained: Trained,
    artefacts: Artefacts,
    registry: Registry,
    params: Params,
) -> Evaluated:
    """Score the very graph that would serve, and let the gate decide on the figures."""
    body = artefacts.read(preprocessed.held_out)
    columns, recorded = read_rows(body, params)
    scorer = Scorer(artefacts.read(trained.onnx))
    reference = read_reference(artefacts.bucket, trained.reference)
    predicted = scorer.score(columns)
    expected = np.array(json.loads(artefacts.read(trained.predictions)))

    bootstrap = bootstrap_of(params)
    errors, errors_of_average = predicted - recorded, trained.average - recorded
    figures = Figures(
        rows=len(recorded),
        confidence=bootstrap.confidence,
        candidate=scored(errors, recorded, bootstrap),
        average=scored(errors_of_average, recorded, bootstrap),
        skill=bootstrap.estimate(skill, errors, errors_of_average),
        rmse_difference=bootstrap.estimate(rmse_difference, errors, errors_of_average),
        parity=compared(predicted, expected, params),
        coverage=covered(recorded, predicted, reference.interval, params),
        champion=against_champion(
            registry,
            HeldOut(row_digests(body), columns, recorded, errors, trained.average),
            combinations_of(reference, params),
            params,
        ),
    )
    evaluation = Evaluation(
        verdict=judged(figures, params.gate),
        subgroups=tuple(subgroups(columns, errors, params)),
        importances=tuple(importances(scorer, columns, recorded, params)),
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
    return Parity(max_error=largest, holds=largest <= params.gate.max_parity_error)


def covered(recorded: Array, predicted: Array, interval: Conformal, params: Params) -> Coverage:
    """Count how many recorded scores (n,) lie within the intervals that would be served."""
    low, high = interval_around(predicted, interval.half_width)
    measured = float(((low <= recorded) & (recorded <= high)).mean())
    tolerance = coverage_tolerance(interval.coverage, len(recorded), params.gate)
    return Coverage(
        target=interval.coverage,
        measured=measured,
        tolerance=tolerance,
        # 0.9 - 0.85 is 0.05 and a little more in binary.
        holds=round(abs(measured - interval.coverage), 9) <= tolerance,
    )


@dataclass(frozen=True)
class HeldOut:
    """The held-out rows (n,), and the candidate's errors on them.

    average: that a model without any skill would always answer, the training rows' own.
    """

    digests: list[str]
    columns: Columns
    recorded: Array
    errors: Array
    average: float

    def at(self, rows: Rows) -> Columns:
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
        known = combinations_of(read_reference(registry.bucket, champion.reference), params)
        unseen = rows_new_to(champion, registry, held_out.digests)
        scorer = Scorer(read_verified(registry.bucket, champion.model))
        compared, predicted = scored_by(scorer, held_out, unseen, known, params)
    except (ArtefactCorrupted, ArtefactMissing, KeyError, ValueError, *UNREADABLE) as error:
        telemetry.logger().error("The champion cannot be scored.", error=type(error).__name__)
        if isinstance(error, ArtefactCorrupted):
            telemetry.count(telemetry.Metric.ARTEFACTS_REFUSED, model_version=champion.version)
        return AgainstChampion(
            version=champion.version, sequence=champion.sequence, rows=0, beats_average=False
        )
    against = AgainstChampion(
        version=champion.version,
        sequence=champion.sequence,
        rows=int(compared.sum()),
        beats_average=champion.verdict.beats_average,
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
    scorer: Scorer, held_out: HeldOut, unseen: Rows, known: set[Values], params: Params
) -> tuple[Rows, Array]:
    """Score those of the unseen rows (n,) that a champion can: which, bool array (n,), and how.

    Where the contract has a category by now that the champion lacks, ONNX Runtime refuses all rows
    at once. Then those are left whose combination the champion recorded.
    """
    columns = [held_out.columns[name].tolist() for name in params.features.combination]
    recorded = np.array([values in known for values in zip(*columns, strict=True)])
    for rows in (unseen, unseen & recorded):
        try:
            return rows, scorer.score(held_out.at(rows))
        except UNREADABLE:
            continue
    return np.zeros_like(unseen), np.empty(0)


def combinations_of(reference: Reference, params: Params) -> set[Values]:
    columns = params.features.combination
    return {tuple(one.values[name] for name in columns) for one in reference.combinations}


def rows_new_to(champion: Champion, registry: Registry, digests: list[str]) -> Rows:
    """Tell which held-out rows a champion was not trained on: bool array (n,)."""
    seen = set(json.loads(read_verified(registry.bucket, champion.training_rows)))
    return np.array([digest not in seen for digest in digests])


def subgroups(columns: Columns, errors: Array, params: Params) -> Iterator[Subgroup]:
    """Score the groups of each gender, age band and condition."""
    bootstrap = bootstrap_of(params)
    for feature, labels in {
        "Gender": columns["Gender"],
        "Age": age_bands(columns["Age"], params),
        "Condition": columns["Condition"],
    }.items():
        for group in sorted(set(labels.tolist())):
            within = errors[labels == group]
            if len(within) < params.evaluation.min_subgroup_rows:
                yield Subgroup(feature=feature, group=group, rows=len(within))
                continue
            yield Subgroup(
                feature=feature,
                group=group,
                rows=len(within),
                rmse=bootstrap.estimate(rmse, within),
                mae=bootstrap.estimate(mae, within),
                mean_error=bootstrap.estimate(mean, within),
            )


def age_bands(
    ages: np.ndarray[tuple[int], np.dtype[np.int64 | np.object_]], params: Params
) -> np.ndarray[tuple[int], np.dtype[np.object_]]:
    """Name the band of each age (n,), such as "35-49"."""
    starts = np.array(params.evaluation.age_bands)
    ends = [*(starts[1:] - 1), params.whole_number("Age").max]
    names = np.array([f"{start}-{end}" for start, end in zip(starts, ends, strict=True)], object)
    bands: np.ndarray[tuple[int], np.dtype[np.object_]] = names[
        np.searchsorted(starts, ages.astype(np.int64), side="right") - 1
    ]
    return bands


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
    for name in params.features.names:
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
