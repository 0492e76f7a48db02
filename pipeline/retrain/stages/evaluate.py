"""Evaluate the candidate on the held-out rows, with the average baseline and the champion."""

import json

import numpy as np
from bootstrap import Bootstrap, rmse_difference, skill
from calibration import calibration, curve
from clinical import telemetry
from clinical.artefacts import Artefacts
from clinical.params import Params
from clinical.recorded import Names
from clinical.reference import Reference, read_reference
from clinical.registry import Registry
from clinical.verdict import Averaged, Coverage, Evaluation, Figures, Parity, Wins
from figures import bootstrap_of, clamped, scored
from grouped import groups_in, half_widths
from model.answering import check_answers
from model.scored import interval_around
from model.scorer import Scorer
from model.winning import as_wide, win_probability
from rows import Rows
from stage import stage
from subgroups import subgroups

from retrain.against import HeldOut, against_baseline, against_champion, combinations_of
from retrain.averaging import Averaging
from retrain.gate import coverage_tolerance, judged
from retrain.importance import importances
from retrain.many_rows import in_blocks
from retrain.state import Evaluated, Preprocessed, Trained
from retrain.wins import wins_of

type Array = np.ndarray[tuple[int], np.dtype[np.float64]]
type Which = np.ndarray[tuple[int], np.dtype[np.bool_]]


@stage(cached=False)  # the champion is not among its inputs
def evaluate(
    preprocessed: Preprocessed,
    trained: Trained,
    artefacts: Artefacts,
    registry: Registry,
    params: Params,
) -> Evaluated:
    """Score the ONNX graph that would serve, and let the gate decide on the figures."""
    held_out = Rows(artefacts.read(preprocessed.held_out), params)
    columns, recorded = held_out.features(), held_out.target()
    scorer = Scorer(artefacts.read(trained.onnx))
    reference = read_reference(artefacts.bucket, trained.reference)
    check_answers(scorer, reference, params)
    predicted = in_blocks(scorer.score, columns, held_out.number, params)
    served = clamped(predicted, params)
    expected = np.array(json.loads(artefacts.read(trained.predictions)))

    bootstrap = bootstrap_of(params)
    errors, errors_of_average = served - recorded, trained.average - recorded
    half = half_widths(reference.interval, groups_in(held_out, reference.interval.by, params))
    held = within(recorded, predicted, half, params)
    before = Before(held_out, reference, scorer, params)
    figures = Figures(
        rows=len(recorded),
        confidence=bootstrap.confidence,
        candidate=scored(errors, recorded, bootstrap),
        average=scored(errors_of_average, recorded, bootstrap),
        skill=bootstrap.estimate(skill, errors, errors_of_average),
        rmse_difference=bootstrap.estimate(rmse_difference, errors, errors_of_average),
        parity=compared(predicted, expected, params),
        coverage=covered(held, reference.interval.coverage, params),
        baseline=against_baseline(
            trained, artefacts, recorded, errors, errors_of_average, bootstrap, params
        ),
        averaged=tuple(before.averaged(over, bootstrap) for over in params.left_out),
        calibration=calibration(recorded, served, bootstrap),
        wins=before.wins(),
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
        calibration_curve=curve(recorded, served, bootstrap),
    )
    telemetry.note(decision=evaluation.verdict.decision)
    return Evaluated(
        verdict=evaluation.verdict, report=artefacts.write_json("evaluation.json", evaluation)
    )


def compared(predicted: Array, expected: Array, params: Params) -> Parity:
    """Compare ONNX's predictions (n,) with scikit-learn's (n,), row by row."""
    largest = float(np.abs(predicted - expected).max())
    return Parity(max_error=largest, holds=largest <= params.gate.max_parity_error * params.width)


def within(recorded: Array, predicted: Array, half_width: float | Array, params: Params) -> Which:
    """Return which recorded scores lie within the intervals as served: bool array (n,).

    half_width: one for all intervals, or one for each (n,).
    """
    low, high = interval_around(predicted, half_width, params)
    return np.asarray((low <= recorded) & (recorded <= high))


def covered(held: Which, target: float, params: Params, checks: int = 1) -> Coverage:
    """Calculate the coverage of scores, bool array (n,), and compare it with `target`.

    checks: the number of coverages checked on the same rows.
    """
    measured = float(held.mean())
    tolerance = coverage_tolerance(target, len(held), params.gate, checks)
    return Coverage(
        target=target,
        measured=measured,
        tolerance=tolerance,
        # 0.9 - 0.85 is 0.05 and a little more in binary.
        holds=round(abs(measured - target), 9) <= tolerance,
    )


class Before:
    """The held-out rows (n,), as requests before everything is known."""

    def __init__(self, rows: Rows, reference: Reference, scorer: Scorer, params: Params) -> None:
        self._rows, self._reference, self._scorer, self._params = rows, reference, scorer, params
        self._averaging = Averaging(rows, reference.later, params)
        self._groups = groups_in(rows, reference.interval.by, params)
        self._known: dict[Names, Array] = {}

    def averaged(self, over: Names, bootstrap: Bootstrap) -> Averaged:
        """Evaluate the predictions that are averaged over some columns."""
        predicted, recorded = self._predicted(over), self._rows.target()
        interval = self._reference.intervals[over]
        half = half_widths(interval, self._groups)
        return Averaged(
            over=over,
            scores=scored(clamped(predicted, self._params) - recorded, recorded, bootstrap),
            coverage=covered(
                within(recorded, predicted, half, self._params),
                interval.coverage,
                self._params,
                checks=1 + len(self._params.left_out),
            ),
        )

    def wins(self) -> Wins | None:
        """Check win probabilities, which are predicted before anything that follows is known."""
        differences = self._reference.differences
        if differences is None:
            return None
        over = self._params.roles.known_after_treatment
        interval = self._reference.intervals[over]
        return wins_of(
            self._rows.target(),
            clamped(self._predicted(over), self._params),
            as_wide(half_widths(interval, self._groups), interval),
            win_probability(differences, self._params.target.higher_is),
            self._params,
        )

    def _predicted(self, over: Names) -> Array:
        if over not in self._known:
            every = np.arange(self._rows.number)
            self._known[over] = self._averaging.predict(self._scorer.score, over, every)
        return self._known[over]
